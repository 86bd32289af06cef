"""Links on real dendrites: spines of `pinky40` cut off at the neck, so that the shaft of each is known.

`python benchmarks/pinky40.py FOLDER` trains the forests of links and of types on all of it and writes them to FOLDER.
"""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from spinome.io.models import Model, save_model
from spinome.linking.candidates import FEATURES, find_candidates, group_candidates
from spinome.linking.detach import detach_spines
from spinome.linking.graph import line_graph, rename_neurites
from spinome.linking.links import cross_validate, label_candidates, parents, rank_links, train_links
from spinome.linking.shape import FEATURES as SHAPE_FEATURES
from spinome.linking.shape import shape_features
from spinome.linking.typing import measure_segments, train_types
from spinome.scores.graphs import score_graphs

DATA = Path(os.environ.get("SPINOME_DATA", Path(__file__).parents[2] / "shared" / "data")) / "em" / "pinky40"
TYPES = Path(__file__).parent / "pinky40_types.tsv"
WORKING_NM, STRIDE = (40.0, 32.0, 32.0), (1, 4, 4)
# the draw that is scored, and draws of the same spines that only train
TEST_SEED, TRAIN_SEEDS = 0, (1, 2)
WHOLE = (1, 1, 1)
LINK_FROM = 0.3  # probability from which an orphan is linked, as by default


class Detached(NamedTuple):
    """`candidates` of the cut spines and their true `links`."""

    candidates: pd.DataFrame
    links: pd.DataFrame


@cache
def segmentation() -> np.ndarray:
    """The labels, thinned to WORKING_NM."""
    with h5py.File(DATA / "segmentation_z000-320.h5") as file:
        return file["segmentation"][:, :: STRIDE[1], :: STRIDE[2]]


def dendrites() -> np.ndarray:
    """Labels that are dendrites by eye."""
    types = pd.read_csv(TYPES, sep="\t", comment="#")
    return types.loc[types["type"] == "shaft", "segment"].to_numpy()


@cache
def detach(gap_nm: tuple[float, float], seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Labels with the spines cut off, and the table of cuts."""
    return detach_spines(segmentation(), dendrites(), WORKING_NM, gap_nm=gap_nm, seed=seed)


def detached(gap_nm: tuple[float, float], seed: int, everything: bool = False) -> Detached:
    """Cut spines and their candidates: dendrites within 1.5 um, or every label over 1 um3 within 2 um."""
    labels, links = detach(gap_nm, seed)
    segments = measure_segments(labels, WORKING_NM, WHOLE)
    orphans = segments[segments["segment"].isin(links["orphan"])]
    shafts, radius_nm = dendrites(), 1500.0
    if everything:
        shafts, radius_nm = segments.loc[segments["volume_um3"] > 1, "segment"].to_numpy(), 2000.0
    return Detached(group_candidates(labels, None, orphans, shafts, None, WHOLE, WORKING_NM, radius_nm), links)


def pooled(parts: list[Detached]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and true dendrites of the candidates of several draws."""
    features = np.concatenate([part.candidates[FEATURES].to_numpy(np.float32) for part in parts])
    labels = np.concatenate([label_candidates(part.candidates, part.links) for part in parts])
    shaft = [part.candidates["orphan"].map(part.links.set_index("orphan")["shaft"]) for part in parts]
    return features, labels, np.concatenate(shaft)


def unseen_links(test: Detached, draws: list[Detached]) -> pd.DataFrame:
    """Links of the tested draw, each by a forest that saw neither draw of its dendrite."""
    probability = cross_validate(*pooled([test, *draws]), seed=0)[: len(test.candidates)]
    return rank_links(test.candidates, probability, test.links["orphan"], LINK_FROM)


def graph_f1(links: pd.DataFrame, truth: pd.DataFrame) -> float:
    """Graph f1 when each cut spine carries one synapse: pairs of spines that are on one dendrite."""
    synapses = pd.DataFrame({"synapse": truth["orphan"], "neurite_a": truth["orphan"], "neurite_b": 0})
    whole = line_graph(rename_neurites(synapses, dict(zip(truth["orphan"], truth["shaft"]))))
    linked = line_graph(rename_neurites(synapses, parents(links)))
    return score_graphs(linked, whole, {orphan: orphan for orphan in truth["orphan"]}).f1


def window_seconds() -> float:
    """CPU-seconds for all features of one orphan in a window of 140 x 700 x 700 voxels, thinned as the branch does."""
    labels, links = detach((0.0, 300.0), TEST_SEED)
    off_centre = (links[["z_nm", "y_nm", "x_nm"]] - np.array(labels.shape) * WORKING_NM / 2).abs().sum(axis=1)
    row = links.loc[off_centre.idxmin()]
    middle = (row[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / WORKING_NM).astype(int)
    half = np.array([70, 350 // STRIDE[1], 350 // STRIDE[2]])
    low = np.clip(middle - half, 0, np.array(labels.shape) - 2 * half)
    window = labels[tuple(slice(a, a + 2 * b) for a, b in zip(low, half))]
    for _ in range(2):  # compiled before the clock counts
        started = time.process_time()
        find_candidates(window, int(row["orphan"]), dendrites(), np.zeros((0, 3)), None, WORKING_NM, 1500.0)
        seconds = time.process_time() - started
    return seconds


def typed() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Shapes of the labelled segments and of the cut spines, their types by eye or by construction, and specimens.

    A dendrite and the spines that were cut off it are one specimen.
    """
    labels, links = detach((0.0, 300.0), TEST_SEED)
    known = pd.read_csv(TYPES, sep="\t", comment="#").set_index("segment")["type"]
    known = pd.concat([known, pd.Series("spine", index=links["orphan"])])
    segments = measure_segments(labels, WORKING_NM, WHOLE)
    shapes = shape_features(labels, segments[segments["segment"].isin(known.index)], WORKING_NM)
    specimen = shapes["segment"].map(links.set_index("orphan")["shaft"]).fillna(shapes["segment"])
    return shapes, shapes["segment"].map(known).to_numpy(), specimen.to_numpy(np.int64)


def main(folder: str) -> None:
    data = "pinky40 (seung-lab/cloud-volume test data, BSD-3)"
    draws = [detached((0.0, 300.0), seed) for seed in (TEST_SEED, *TRAIN_SEEDS)]
    forest, _ = train_links(*pooled(draws), seed=0)
    card = {
        "trained_on": f"spines of {data} cut off at the neck, {len(draws)} draws of the cuts",
        "pairs": sum(len(draw.candidates) for draw in draws),
        "true_links": sum(len(draw.links) for draw in draws),
    }
    save_model(Path(folder) / "links.skops", Model(forest, FEATURES, card))
    shapes, types, specimen = typed()
    forest, found = train_types(shapes, types, specimen, seed=0)
    card = {
        "trained_on": f"segments of {data} labelled by eye, and spines cut off at the neck",
        "segments": {str(kind): int(count) for kind, count in zip(*np.unique(types, return_counts=True))},
        "cross_validated_accuracy": round(float((found == types).mean()), 4),
    }
    save_model(Path(folder) / "typing.skops", Model(forest, SHAPE_FEATURES, card))


if __name__ == "__main__":
    main(sys.argv[1])
