"""Segments on real fly FIB-SEM, links and types on real mouse dendrites, and the graph of real synapses."""

import os
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

import pinky40
from runner import Row, measure, write_rows
from spinome.blocks import cuboids
from spinome.linking.agglomerate import agglomerate, assign, cut, train_forest
from spinome.linking.forest import flatten_forest
from spinome.linking.links import top_k
from spinome.linking.membranes import LEVELS, grey_range, halo, predict_membranes, train_membranes, training_voxels
from spinome.linking.region_graph import compact, region_graph
from spinome.linking.simulate import detachment_curve
from spinome.linking.typing import train_types
from spinome.linking.watershed import superpixels
from spinome.scores.segmentation import score_segmentation

MIXTURE = (0.0, 300.0)  # nm of neck
SANTIAGO = "Gray Roncal (2016), published"
OTHER_DATA = f"{SANTIAGO} on other data, with membranes"
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


def detachment_ends() -> tuple[float, float, float]:
    """Pairs of the graph of kasthuri2015 whole and with all spines detached, and graph f1 with half detached.

    As published, each synapse on a spine is a spine of its own.
    """
    table = pd.read_csv(DATA.parent / "kasthuri2015" / "synapses.csv", skipinitialspace=True)
    synapses = pd.DataFrame({"synapse": table["syn"], "axon": table["axon"], "dendrite": table["dendrite"]})
    synapses["spine"] = np.where(table["is_spine"] != 0, table["syn"], 0)
    curve = detachment_curve(synapses, [0.0, 0.5, 1.0], repeats=1000)
    return curve["pairs"].iloc[0], curve["pairs"].iloc[2], curve["f1"].iloc[1]


def agglomeration_rows() -> list[Row]:
    """Segments, against Gala."""
    given, own = measure(given_superpixels).result, measure(grey_values).result
    what = "VI merge + split on gala_fib25/test.h5, trained on train.h5"
    speed = "region graph and learned agglomeration, 1 megavoxel"
    return [
        Row(f"{what}, Gala's superpixels and boundaries", given[0], "bits", GALA_VI, True, GALA, GALA_VI),
        Row(f"{what}, own membranes and superpixels", own[0], "bits", 0.55, True, GALA, GALA_VI),
        Row(speed, given[1], "CPU-s", GALA_CPU_S / 50, True, GALA, GALA_CPU_S),
    ]


def graph_curve_rows() -> list[Row]:
    """The ends of the published curve, on the published graph."""
    whole, none, half = measure(detachment_ends).result
    return [
        Row("pairs in the graph of kasthuri2015, whole", whole, "pairs", 31_980, False, SANTIAGO, 31_980),
        Row("the same, all spines detached", none, "pairs", 2_718, True, SANTIAGO, 2_718),
        Row("graph f1 of the same, half of the spines detached, mean of 1,000 draws", half, "f1"),
    ]


def detached_rows(read=pinky40.detached) -> list[Row]:
    """Links of spines that were cut off, against what was published on other data; `read` makes the draws."""
    draws = [read(MIXTURE, seed) for seed in pinky40.TRAIN_SEEDS]
    test = read(MIXTURE, pinky40.TEST_SEED)
    longest = read((MIXTURE[1], MIXTURE[1]), pinky40.TEST_SEED)
    everything = read(MIXTURE, pinky40.TEST_SEED, everything=True)
    rows = []
    for name, part, others, (first, third) in (
        ("gaps 0-300 nm, dendrites within 1.5 um", test, draws, (0.93, 0.98)),
        ("gaps of 300 nm, dendrites within 1.5 um", longest, [test], (0.90, 0.97)),
        ("gaps 0-300 nm, every label over 1 um3 within 2 um", everything, [], (0.93, 0.98)),
    ):
        links = pinky40.unseen_links(part, others)
        scores = top_k(links, part.links)
        what = f"of {scores['orphans']} spines cut off pinky40, {name} ({scores['candidates']:.1f} a spine)"
        rows.append(Row(f"Top-1 {what}", scores["top_1"], "fraction", first, False, OTHER_DATA, 0.45))
        rows.append(Row(f"Top-3 {what}", scores["top_3"], "fraction", third, False, OTHER_DATA, 0.77))
        if part is test:
            f1 = pinky40.graph_f1(links, part.links)
            rows.append(Row(f"graph f1 {what}, one synapse a spine", f1, "f1", 0.80, False, OTHER_DATA, 0.404))
    seconds = pinky40.window_seconds()
    what = "all features of one orphan, window 140 x 700 x 700 of 40 x 8 x 8 nm, thinned to 32 nm"
    return [*rows, Row(what, seconds, "CPU-s", 10.0, True, f"{OTHER_DATA}, not thinned", 900.0)]


def typing_rows() -> list[Row]:
    """Types of segments, by forests that did not see the specimen."""
    shapes, types, specimens = pinky40.typed()
    _, found = train_types(shapes, types, specimens, seed=0)
    rows = []
    for kind in ("spine", "shaft"):
        what = f"F1 of {kind} ({(types == kind).sum()}) among {len(types)} typed segments of pinky40"
        rows.append(Row(what, f1_score(types == kind, found == kind), "f1", 0.9))
    whole = shapes["segment"].to_numpy() == specimens
    what = (
        f"the same of spine ({(types[whole] == 'spine').sum()}) among {whole.sum()} segments as they are, none cut off"
    )
    return [*rows, Row(what, f1_score(types[whole] == "spine", found[whole] == "spine"), "f1", 0.9)]


if __name__ == "__main__":
    linked, typed = measure(detached_rows).result, measure(typing_rows).result
    write_rows("linking", [*agglomeration_rows(), *graph_curve_rows(), *linked, *typed])
