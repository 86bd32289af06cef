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
from spinome.linking.line_graph import line_graph, rename_neurites
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
MIXTURE_NM = (0.0, 300.0)  # of neck that is lost
WINDOW = (140, 700, 700)  # voxels at full size
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


def window(stride: tuple[int, int, int]) -> tuple[np.ndarray, pd.DataFrame]:
    """A window of 140 x 700 x 700 full voxels in the middle of the volume, thinned by a stride, with the spines cut.

    Returns
    -------
    labels, and the rows of the table of cuts whose orphans lie within
    """
    labels, links = detach(MIXTURE_NM, TEST_SEED)
    places = (links[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / WORKING_NM).astype(int)
    # a spine is cut at the working size, and its voxels there are blocks of full ones
    low = np.array([(n - w // step) // 2 for n, w, step in zip(labels.shape, WINDOW, STRIDE)])
    box = tuple(slice(a, a + w // step) for a, w, step in zip(low, WINDOW, STRIDE))
    inside = ((places >= low) & (places < low + np.array(WINDOW) // STRIDE)).all(axis=1)
    if stride == STRIDE:
        return labels[box], links[inside]
    with h5py.File(DATA / "segmentation_z000-320.h5") as file:
        whole = file["segmentation"][
            tuple(slice(side.start * step, side.stop * step) for side, step in zip(box, STRIDE))
        ]
    cut = np.where(labels[box] != segmentation()[box], labels[box], 0).astype(whole.dtype)
    for axis, step in enumerate(STRIDE):
        cut = np.repeat(cut, step, axis)
    return np.where(cut, cut, whole), links[inside]


def window_seconds(stride: tuple[int, int, int], radius_nm: float = 1500.0, orphans: int | None = None) -> float:
    """Mean CPU-seconds for all features of an orphan, of those nearest the middle of `window`."""
    labels, links = window(stride)
    voxel_nm = tuple(size * step / thin for size, step, thin in zip(WORKING_NM, stride, STRIDE))
    middle = (links[["z_nm", "y_nm", "x_nm"]] - links[["z_nm", "y_nm", "x_nm"]].mean()).abs().sum(axis=1)
    chosen = links.loc[middle.sort_values().index[:orphans], "orphan"].tolist()
    none = np.zeros((0, 3))
    find_candidates(labels[:8], int(labels[:8].max()), dendrites(), none, None, voxel_nm, 100.0)  # compiled first
    started = time.process_time()
    for orphan in chosen:
        find_candidates(labels, orphan, dendrites(), none, None, voxel_nm, radius_nm)
    return (time.process_time() - started) / len(chosen)


def typed() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Shapes of the labelled segments and of the cut spines, their types by eye or by construction, and specimens.

    A dendrite and the spines that were cut off it are one specimen.
    """
    labels, links = detach(MIXTURE_NM, TEST_SEED)
    known = pd.read_csv(TYPES, sep="\t", comment="#").set_index("segment")["type"]
    known = pd.concat([known, pd.Series("spine", index=links["orphan"])])
    segments = measure_segments(labels, WORKING_NM, WHOLE)
    shapes = shape_features(labels, segments[segments["segment"].isin(known.index)], WORKING_NM)
    specimen = shapes["segment"].map(links.set_index("orphan")["shaft"]).fillna(shapes["segment"])
    return shapes, shapes["segment"].map(known).to_numpy(), specimen.to_numpy(np.int64)


def main(folder: str) -> None:
    data = "pinky40 (seung-lab/cloud-volume test data, BSD-3)"
    draws = [detached(MIXTURE_NM, seed) for seed in (TEST_SEED, *TRAIN_SEEDS)]
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
