"""Links on real dendrites: spines of `pinky40` cut off at the neck, so that the shaft of each is known.

`python benchmarks/pinky40.py MODEL` trains the forest on all of them and writes it to the file MODEL.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from spinome.io.models import Model, save_model
from spinome.linking.candidates import FEATURES, group_candidates
from spinome.linking.detach import detach_spines
from spinome.linking.links import label_candidates, rank_links, train_links
from spinome.linking.typing import measure_segments

DATA = Path(os.environ.get("SPINOME_DATA", Path(__file__).parents[2] / "shared" / "data")) / "em" / "pinky40"
TYPES = Path(__file__).parent / "pinky40_types.tsv"
WORKING_NM, STRIDE = (40.0, 32.0, 32.0), (1, 4, 4)
# the draw that is scored, and draws of the same spines that only train
TEST_SEED, TRAIN_SEEDS = 0, (1, 2)
WHOLE = (1, 1, 1)


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


def cross_validate(test: Detached, draws: list[Detached]) -> pd.DataFrame:
    """Links of the tested draw, each by a forest that saw neither draw of its dendrite."""
    _, unseen = train_links(*pooled([test, *draws]), seed=0)
    probability = unseen[: len(test.candidates)]
    return rank_links(test.candidates, probability, test.links["orphan"], 0.5)


def main(path: str) -> None:
    draws = [detached((0.0, 300.0), seed) for seed in (TEST_SEED, *TRAIN_SEEDS)]
    model, _ = train_links(*pooled(draws), seed=0)
    card = {
        "trained_on": "spines of pinky40 (seung-lab/cloud-volume test data, BSD-3) cut off at the neck",
        "pairs": sum(len(draw.candidates) for draw in draws),
        "true_links": sum(len(draw.links) for draw in draws),
    }
    save_model(path, Model(model, FEATURES, card))


if __name__ == "__main__":
    main(sys.argv[1])
