"""Scripts that go on with the cuboids that are there: what is lacking becomes a gap, and stays one to the last."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from spinome.blocks import cuboids
from spinome.configuration.linking import Typing, Watershed
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, write_volume
from spinome.linking.basins import basins
from spinome.linking.landscape import landscape, reach
from spinome.synapses.density import CUT
from spinome.synapses.parts import find_parts, save_parts

SCRIPTS = Path(__file__).parents[2] / "scripts"
SHAPE, CUBOID, VOXEL_NM = (16, 48, 96), (16, 48, 32), (20.0, 10.0, 10.0)
SETTINGS = Watershed().model_dump()


class Files(dict):
    """Named files as Snakemake hands them over."""

    __getattr__ = dict.get

    def __getitem__(self, key):
        return list(self.values())[key] if isinstance(key, int) else dict.__getitem__(self, key)


def run_script(name, given, made, **params):
    snakemake = SimpleNamespace(
        input=Files(given), output=Files(made), params=SimpleNamespace(**params), log=[], rule=name
    )
    runpy.run_path(str(SCRIPTS / f"{name}.py"), {"snakemake": snakemake})


@pytest.fixture
def cuboid_tables(tmp_path):
    """Membranes of tubes along x, and a function that writes the tables of finished cuboids without some of them."""
    membrane = np.zeros(SHAPE, np.float32)
    membrane[:, ::12] = membrane[::8] = 1
    write_volume(tmp_path / "membrane.zarr", membrane, VOXEL_NM)

    def finished(name, *failed):
        rows = []
        for block in cuboids(SHAPE, CUBOID, reach(VOXEL_NM, SETTINGS["smoothing_nm"], SETTINGS["spacing_nm"])):
            if block.name not in failed:
                height, seed = landscape(membrane[block.padded], VOXEL_NM, mask=None, **SETTINGS)
                basin, left = basins(height, seed, block, SHAPE)
                np.savez(tmp_path / f"{block.name}.npz", basin=basin, **vars(left))
                rows.append({"unit": block.name, "key": "k", "file": str(tmp_path / f"{block.name}.npz")})
        write_table(pd.DataFrame(rows, columns=["unit", "key", "file"]), tmp_path / f"{name}.parquet")
        return str(tmp_path / f"{name}.parquet")

    return finished


@pytest.mark.parametrize("step", ["basins", "membranes"])
def test_segments_that_a_failed_cuboid_cuts_are_no_orphans(tmp_path, cuboid_tables, step):
    failed = {"basins": [], "membranes": []} | {step: ["0-0-64"]}
    made = {"superpixels": tmp_path / "superpixels.zarr", "gaps": tmp_path / "gaps.parquet"}
    given = {"done": [cuboid_tables("done", *failed["basins"])], "membrane": str(tmp_path / "membrane.zarr")}
    given["predicted"] = [cuboid_tables("predicted", *failed["membranes"])]
    run_script("linking_watershed", given, made, membrane=str(tmp_path / "membrane.zarr"), voxel_nm=None, cuboid=CUBOID)
    gaps = read_table(made["gaps"])
    assert gaps[["x0", "x1"]].to_numpy().tolist() == [[64, 96]]
    labels = open_labels(str(made["superpixels"]))[:]
    if step == "basins":
        assert not labels[..., 64:].any() and labels[..., :64].any()
    # two pieces of one size, one of them beside the gap
    segments = np.zeros(SHAPE, np.uint32)
    segments[4:8, 20:30, 54:64], segments[4:8, 20:30, 20:30] = 1, 2
    write_volume(tmp_path / "segments.zarr", segments, VOXEL_NM)
    typed = {"typing": tmp_path / "typing.parquet"}
    rules = Typing(orphan_min_um3=0.0001).model_dump()
    files = {"gaps": made["gaps"], "model": []}
    run_script("linking_typing", files, typed, segments=str(tmp_path / "segments.zarr"), voxel_nm=None, settings=rules)
    assert read_table(typed["typing"]).set_index("segment")["kind"].to_dict() == {1: "other", 2: "orphan"}


def test_a_volume_of_which_nothing_is_known_has_empty_tables(tmp_path, cuboid_tables):
    every = [block.name for block in cuboids(SHAPE, CUBOID)]
    made = {"superpixels": tmp_path / "superpixels.zarr", "gaps": tmp_path / "gaps.parquet"}
    given = {"done": [cuboid_tables("done", *every)], "membrane": str(tmp_path / "membrane.zarr"), "predicted": []}
    membrane = {"membrane": str(tmp_path / "membrane.zarr"), "voxel_nm": None}
    run_script("linking_watershed", given, made, cuboid=CUBOID, **membrane)
    assert len(read_table(made["gaps"])) == len(every)
    files = {"superpixels": str(made["superpixels"])}
    run_script("linking_agglomerate", files, {"tree": tmp_path / "tree.parquet"}, priority="mean", **membrane)
    files["tree"] = tmp_path / "tree.parquet"
    run_script("linking_segments", files, {"segments": tmp_path / "segments.zarr"}, threshold=0.4)
    source, rules = {"segments": str(tmp_path / "segments.zarr"), "voxel_nm": None}, Typing().model_dump()
    typed, files = {"typing": tmp_path / "typing.parquet"}, {"gaps": made["gaps"], "model": []}
    run_script("linking_typing", files, typed, settings=rules, **source)
    table = read_table(typed["typing"])
    assert table.empty and {"segment", "kind", "on_edge"} <= set(table.columns)


def test_a_cuboid_without_synapses_known_is_a_gap_in_blocks_objects_and_scores(tmp_path):
    labels = np.zeros(SHAPE, np.uint32)
    for number, x in enumerate((5, 24, 40, 70), start=1):
        labels[4:8, 10:20, x : x + 10] = number
    write_volume(tmp_path / "labels.zarr", labels, VOXEL_NM)
    rows = []
    for block in cuboids(SHAPE, CUBOID):
        save_parts(tmp_path / f"{block.name}.npz", find_parts(labels[block.core], None, block.start, SHAPE))
        rows.append({"unit": block.name, "key": "k", "file": str(tmp_path / f"{block.name}.npz")})
    # the second cuboid was never searched: it holds the third object and the rest of the second
    write_table(pd.DataFrame(rows).drop(index=1), tmp_path / "detect.parquet")
    row = {"synapses": str(tmp_path / "labels.zarr"), "image": None, "mask": None, "voxel_nm": None}
    merged = {
        "objects": tmp_path / "merged.parquet",
        "ids": [tmp_path / "ids.npz"],
        "labels": tmp_path / "out.zarr",
        "gaps": tmp_path / "v.parquet",
    }
    given = {"parts": [tmp_path / "detect.parquet"], "model": []}
    run_script("synapses_merge", given, merged, row=row, cuboid=CUBOID, rules={"connectivity": 18})
    assert read_table(merged["gaps"])[["x0", "x1"]].to_numpy().tolist() == [[32, 64]]
    (tmp_path / "v").mkdir()
    counted = {"done": tmp_path / "v" / "0.parquet", "failures": tmp_path / "failures.parquet"}
    given = {"parts": tmp_path / "detect.parquet", "ids": tmp_path / "ids.npz", "labels": str(merged["labels"])}
    settings = {"cuboid": CUBOID, "block_um": [0.32, 0.48, 0.32]}
    shard = {"row": row, "store": tmp_path / "store", "max_failed_fraction": 0, "code": ""}
    run_script("synapses_density", given | {"mask": []}, counted, **settings, **shard)
    made = {name: tmp_path / f"all_{name}.parquet" for name in ("blocks", "objects", "gaps")}
    given = {"counts": [counted["done"]], "objects": [merged["objects"]], "labels": [str(merged["labels"])]}
    run_script("synapses_blocks", given, made, volumes=["v"], **settings)
    blocks, objects = read_table(made["blocks"]), read_table(made["objects"])
    # the second object reaches into the gap, so that its block is not known either
    assert blocks["known"].tolist() == [False, False, True]
    assert blocks["synapses"].isna().tolist() == [True, True, False] and blocks["synapses"].iloc[2] == 1
    assert objects["block"].tolist() == [0, -1, 2] and objects["reason"].tolist() == ["", CUT, ""]
    given = {"objects": made["objects"], "gaps": made["gaps"], "labels": [str(merged["labels"])]}
    truth = {"v": str(tmp_path / "labels.zarr")}
    run_script("synapses_evaluate", given, {"evaluation": tmp_path / "evaluation.tsv"}, truth=truth, seed=0)
    scores = read_table(tmp_path / "evaluation.tsv").set_index("metric")
    assert scores.loc[["precision", "recall"], "value"].tolist() == [1, 1]
    assert scores.loc["not_known", ["value", "n"]].tolist() == [2, 4]
