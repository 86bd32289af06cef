"""Segments of the linking branch on real fly FIB-SEM, trained on one volume and scored on another."""

import os
import time
from pathlib import Path

import h5py
import numpy as np

from runner import Row, measure, write_rows
from spinome.blocks import cuboids
from spinome.linking.agglomerate import agglomerate, assign, cut, train_forest
from spinome.linking.forest import flatten_forest
from spinome.linking.membranes import LEVELS, grey_range, halo, predict_membranes, train_membranes, training_voxels
from spinome.linking.region_graph import compact, region_graph
from spinome.linking.watershed import superpixels
from spinome.scores.segmentation import score_segmentation

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data")) / "em" / "gala_fib25"
VOXEL_NM = (10.0, 10.0, 10.0)
SETTINGS = {"threshold": 0.5, "smoothing_nm": 15.0, "spacing_nm": 40.0}
GALA = "Gala, paper_em features, on its own superpixels (published setting, measured elsewhere with Python 3.8)"
# split and merge in bits, and CPU-seconds for the region graph and the agglomeration of one megavoxel
GALA_VI, GALA_CPU_S = 0.365 + 0.292, 3.2


def read(part: str) -> dict[str, np.ndarray]:
    """One of the two volumes: grey values, boundary probability, watershed and truth."""
    with h5py.File(DATA / f"{part}.h5") as file:
        return {name: file[name][()] for name in ("raw", "boundary_probability", "watershed", "truth")}


def learn_and_score(volumes: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """VI of the test volume and the CPU-seconds of its region graph and agglomeration.

    `volumes` has, for `train` and `test`, superpixels, membrane probability and truth.
    """
    labels, membrane, truth = volumes["train"]
    graph = region_graph(labels, membrane, VOXEL_NM)
    forest = flatten_forest(train_forest([(graph, assign(labels, truth, graph.labels))], seed=0))
    agglomerate(graph, "forest", forest)  # compiled before the clock starts
    labels, membrane, truth = volumes["test"]
    started = time.process_time()
    graph = region_graph(labels, membrane, VOXEL_NM)
    tree = agglomerate(graph, "forest", forest)
    seconds = time.process_time() - started
    score = score_segmentation(cut(tree, graph.labels, 0.5)[compact(labels, graph.labels)], truth)
    return score.vi_split + score.vi_merge, seconds / (labels.size / 1e6)


def given_superpixels() -> tuple[float, float]:
    """From the superpixels and the boundary map that Gala had."""
    parts = {part: read(part) for part in ("train", "test")}
    return learn_and_score(
        {
            part: (data["watershed"], data["boundary_probability"].astype(np.float32), data["truth"])
            for part, data in parts.items()
        }
    )


def grey_values() -> tuple[float, float]:
    """From grey values: membranes and superpixels are our own."""
    parts = {part: read(part) for part in ("train", "test")}
    image, truth = parts["train"]["raw"], parts["train"]["truth"]
    blocks = list(cuboids(image.shape, image.shape, halo(VOXEL_NM)))
    forest = flatten_forest(train_membranes(*training_voxels(image, truth, VOXEL_NM, blocks, 80_000, 0), 0))
    volumes = {}
    for part, data in parts.items():
        membrane = predict_membranes(data["raw"], grey_range(data["raw"]), VOXEL_NM, forest) / np.float32(LEVELS)
        volumes[part] = (superpixels(membrane, VOXEL_NM, **SETTINGS), membrane, data["truth"])
    return learn_and_score(volumes)


if __name__ == "__main__":
    given, own = measure(given_superpixels).result, measure(grey_values).result
    what = "VI merge + split on gala_fib25/test.h5, trained on train.h5"
    write_rows(
        "linking",
        [
            Row(f"{what}, Gala's superpixels and boundaries", given[0], "bits", GALA_VI, True, GALA, GALA_VI),
            Row(f"{what}, own membranes and superpixels", own[0], "bits", 0.55, True, GALA, GALA_VI),
            Row(
                "region graph and learned agglomeration, 1 megavoxel",
                given[1],
                "CPU-s",
                GALA_CPU_S / 50,
                True,
                GALA,
                GALA_CPU_S,
            ),
        ],
    )
