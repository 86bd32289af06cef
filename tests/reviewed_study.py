"""A study with results of every branch, a hundred questions of each kind, in a second and without a run."""

import numpy as np
import pandas as pd
import yaml

from spinome.io.meshes import write_mesh
from spinome.io.tables import write_table
from spinome.io.volumes import STACK, write_volume
from spinome.linking.measure import INSIDE
from spinome.mesh.surface import Mesh

COUNT = 110
VOXEL_UM, VOXEL_NM = (1.0, 0.1, 0.1), (40.0, 8.0, 8.0)
SHAPE = (16, 256, 256)


def make_study(folder, ball):
    """Write configuration, sheets and results below a folder, and return the configuration's path.

    Parameters
    ----------
    ball : mesh of a sphere
    """
    results = folder / "results"
    rng = np.random.default_rng(0)
    # a grid of places in three sessions, from one to the next moved by half a micrometre
    grid = np.stack(np.meshgrid([6.0], np.arange(2, 24, 2.0), np.arange(2, 24, 2.0), indexing="ij"), -1).reshape(-1, 3)
    places = {str(number): grid[:COUNT] + np.array([0, 0.5 * number, 0.0]) for number in range(3)}
    rows, spines = [], []
    for timepoint, place in places.items():
        stack = rng.integers(0, 30, SHAPE).astype(np.uint8)
        for z, y, x in np.rint(place / VOXEL_UM).astype(int):
            stack[z - 1 : z + 2, y - 3 : y + 4, x - 3 : x + 4] = 200
        path = folder / f"stack_{timepoint}.ome.zarr"
        for target in (path, results / "twophoton" / "register" / f"m.f.{timepoint}.zarr"):
            write_volume(target, stack, tuple(size * 1000 for size in VOXEL_UM), kind="image", space=STACK)
        rows.append(("m", "f", timepoint, timepoint, path))
        frame = pd.DataFrame(place, columns=["z_um", "y_um", "x_um"])
        frame = frame.assign(specimen="m", field="f", timepoint=timepoint, candidate=range(COUNT), spine=range(COUNT))
        spines.append(frame.assign(score=rng.uniform(0.1, 1, COUNT)))
    table = pd.concat(spines, ignore_index=True)
    write_table(table.assign(accepted=table["score"] > 0.5), results / "twophoton" / "judge" / "m.f.parquet")
    write_table(table, results / "twophoton" / "spines.parquet")
    links = [
        one[["specimen", "field", "spine", "timepoint"]].assign(next_timepoint=other, corrected=False)
        for one, other in zip(spines, ("1", "2"))
    ]
    links = pd.concat(links, ignore_index=True).assign(probability=rng.uniform(0.3, 1, 2 * COUNT))
    write_table(links, results / "twophoton" / "links.parquet")
    sheet(folder / "stacks.tsv", ["specimen", "field", "timepoint", "day", "path"], rows)
    # orphans are cubes between two shafts that lie along x
    labels = np.zeros(SHAPE, np.int64)
    labels[:, :8], labels[:, -8:] = 1, 2
    corners = [(4, 12 + 20 * (n // 11), 4 + 22 * (n % 11)) for n in range(COUNT)]
    for number, (z, y, x) in enumerate(corners):
        labels[z : z + 6, y : y + 10, x : x + 12] = 10 + number
    image = rng.integers(60, 200, SHAPE).astype(np.uint8)
    write_volume(folder / "image.zarr", image, VOXEL_NM, kind="image")
    write_volume(folder / "segments.zarr", labels, VOXEL_NM)
    write_volume(results / "synapses" / "labels" / "v.zarr", np.where(labels > 2, labels, 0), VOXEL_NM)
    centre = (np.array(corners) + np.array([3, 5, 6])) * VOXEL_NM
    nm = dict(zip(["z_nm", "y_nm", "x_nm"], centre.T))
    objects = pd.DataFrame({"volume": "v", "synapse": np.arange(COUNT) + 10, "score": rng.uniform(0.3, 1, COUNT), **nm})
    objects["probability"] = np.nan
    write_table(objects, results / "synapses" / "objects.parquet")
    orphans = np.arange(COUNT) + 10
    queue = {"volume": "v", "orphan": orphans, "worth": rng.uniform(1, 9, COUNT), "linked_to": 1, **nm}
    queue |= {"probability": 0.6, "no_parent": 0.2, "candidates": "1 2"}
    write_table(pd.DataFrame(queue), results / "linking" / "queue.tsv")
    pair = pd.DataFrame({"orphan": np.repeat(orphans, 2), "shaft": np.tile([1, 2], COUNT)})
    pair = pair.assign(volume="v", rank=np.tile([1, 2], COUNT), probability=np.tile([0.6, 0.2], COUNT))
    write_table(pair, results / "linking" / "links.parquet")
    inside = np.concatenate([[(300.0, 32.0, 1000.0), (300.0, 2016.0, 1000.0)], centre])
    typing = pd.DataFrame({"segment": [1, 2, *orphans]}).assign(**dict(zip(INSIDE, inside.T)))
    # a forest typed the small ones, as it does where it types all; of the shafts the surface is not known
    typing = typing.assign(type=["", "", *["spine"] * COUNT]).replace({"type": {"": pd.NA}})
    shares = rng.uniform(0.4, 1, COUNT)
    for name, value in (("spine", shares), ("shaft", 0.7 * (1 - shares)), ("axon", 0.3 * (1 - shares))):
        typing[f"p_{name}"] = [np.nan, np.nan, *value]
    write_table(typing, results / "linking" / "typing" / "v.parquet")
    sheet(folder / "volumes.tsv", ["volume", "image", "segmentation"], [("v", "image.zarr", "segments.zarr")])
    vertices = ball.vertices / 1000 * 4000 + 5000
    write_mesh(folder / "mesh.npz", Mesh(vertices, ball.faces))
    chosen = vertices[:: len(vertices) // COUNT][:COUNT]
    tags = pd.DataFrame({"neuron": "n", "source": "sheet", "id": range(len(chosen)), "tag": "spine", "value": 0.8})
    tags = tags.assign(**dict(zip(["x_nm", "y_nm", "z_nm"], chosen.T)))
    write_table(tags, results / "neurons" / "synapses.parquet")
    # the middles of spines lie below the surface
    inside = pd.DataFrame({"neuron": "n", "source": "sheet", "spine": range(len(chosen)), "probability": 0.8})
    inside = inside.assign(**dict(zip(["x_nm", "y_nm", "z_nm"], (0.95 * (chosen - 5000) + 5000).T)))
    write_table(inside, results / "neurons" / "spines.parquet")
    ends = np.hstack([chosen, np.roll(chosen, 1, axis=0) + 5])
    names = ["x_nm", "y_nm", "z_nm", "next_x_nm", "next_y_nm", "next_z_nm"]
    pairs = pd.DataFrame(ends, columns=names).assign(neuron="n", source="sheet", rise_nm=rng.uniform(100, 900, COUNT))
    write_table(pairs.assign(spine=1, next_spine=np.arange(COUNT) % 2), results / "neurons" / "pairs.parquet")
    sheet(folder / "neurons.tsv", ["neuron", "mesh"], [("n", "mesh.npz")])
    config = {
        "samples": {name: str(folder / f"{name}.tsv") for name in ("stacks", "volumes", "neurons")},
        "results": str(results),
        "resources": str(folder / "resources"),
        "review": {"answers": str(folder / "answers.parquet")},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder / "config.yaml"


def sheet(path, header, rows):
    path.write_text("\n".join("\t".join(map(str, row)) for row in [header, *rows]) + "\n")
