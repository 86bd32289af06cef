"""How fast the forest of types learns from answers, on segments of `pinky40` that nobody was asked about.

The forest that answers begin with has seen simulated tissue alone. A person who types as the table by eye does
(`config/training/pinky40_types.tsv`) is asked about what the default rules take for shafts, in three quarters of the
specimens (a dendrite with the spines that were cut off it is one); those of the other quarter are scored, each quarter
in turn, as one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

import pinky40
from review_curves import COUNTS, Point, ask
from simulated import grow
from spinome.configuration.linking import Typing
from spinome.configuration.phantom import Specimen
from spinome.io.models import Model
from spinome.io.units import working_stride
from spinome.linking.shape import FEATURES, shape_features
from spinome.linking.typing import measure_segments, train_types
from spinome.phantom.em import render_cutout
from spinome.phantom.tissue import FIRST_AXON, FIRST_OTHER
from spinome.review.held_out import HELD_OUT
from spinome.review.learn_types import Taught, learn, teach
from spinome.review.questions import in_order, segment_questions
from spinome.workflow.code import script_hash

WORK = Path(__file__).parents[1] / "benchmarks" / "work" / "review"
QUARTERS, SPECIMENS = 4, (2, 3, 4)
WHERE = "types, F1 of shaft among what the rules take for shafts in pinky40, where nobody was asked, "
WHERE += "forest of simulated tissue"


class Segments(NamedTuple):
    """Labelled segments (N): their shapes, types, which the rules take for shafts, the quarter of each specimen, and
    which are shafts with spines that were cut off."""

    shapes: pd.DataFrame
    types: np.ndarray
    ruled: np.ndarray
    quarter: np.ndarray
    parents: np.ndarray


@cache
def segments() -> Segments:
    """Of `pinky40.typed`; what takes minutes stays in `benchmarks/work/review`."""
    file = WORK / f"{script_hash('linking_train_typing')}-types.parquet"
    if not file.exists():
        shapes, types, specimen = pinky40.typed()
        ruled = shapes["segment"].isin(pinky40.ruled()["segment"])
        file.parent.mkdir(parents=True, exist_ok=True)
        shapes.assign(type=types, specimen=specimen, ruled=ruled).to_parquet(file)
    table = pd.read_parquet(file)
    # specimens are dealt out by type, so that quarters are alike
    first = table[table["segment"] == table["specimen"]].sort_values(["type", "segment"])
    quarter = dict(zip(first["segment"], np.arange(len(first)) % QUARTERS))
    own = table["specimen"].map(quarter).to_numpy(int)
    types, ruled = table["type"].to_numpy(str), table["ruled"].to_numpy(bool)
    parents = table["segment"].isin(table.loc[types == "spine", "specimen"]).to_numpy() & (types == "shaft")
    return Segments(table[["segment", *FEATURES]], types, ruled, own, parents)


@cache
def simulated_forest() -> Model:
    """A forest that learned from simulated specimens with their spines cut off."""
    shapes, types, specimens = [], [], []
    for seed in SPECIMENS:
        specimen = grow(Specimen(seed=seed).model_dump())
        volumes, links, _ = render_cutout(specimen)
        stride = working_stride(tuple(specimen.em_voxel_nm), Typing().working_nm)
        labels = np.ascontiguousarray(volumes["detached"][tuple(slice(None, None, step) for step in stride)])
        voxel_nm = tuple(float(size * step) for size, step in zip(specimen.em_voxel_nm, stride))
        table = shape_features(labels, measure_segments(labels, voxel_nm, pinky40.WHOLE), voxel_nm)
        number = table["segment"].to_numpy()
        spine = np.isin(number, links["orphan"])
        kind = np.where(number < FIRST_AXON, "shaft", np.where(number < FIRST_OTHER, "axon", "glia"))
        shapes.append(table)
        types.append(np.where(spine, "spine", kind))
        specimens.append(table["segment"].map(links.set_index("orphan")["shaft"]).fillna(table["segment"]) + seed * 1e6)
    every = pd.concat(shapes, ignore_index=True)
    forest, _ = train_types(every, np.concatenate(types), np.concatenate(specimens), seed=0)
    return Model(forest, FEATURES)


def f1(probability: np.ndarray) -> float:
    """F1 of shaft by the probabilities (N, C) of the classes of the forest of simulated tissue."""
    of = segments()
    found = simulated_forest().estimator.classes_[probability.argmax(axis=1)]
    return float(f1_score(of.types[of.ruled] == "shaft", found[of.ruled] == "shaft"))


@cache
def believed() -> np.ndarray:
    """Probabilities (N, C) by the forest of simulated tissue."""
    return simulated_forest().probabilities(segments().shapes[FEATURES].to_numpy(np.float32))


def without() -> float:
    """F1 before anybody answered."""
    return f1(believed())


def with_all() -> float:
    """F1 of forests that learned from all labelled segments of the other quarters, as `linking.train` does."""
    of, out = segments(), np.zeros_like(believed())
    classes = list(simulated_forest().estimator.classes_)
    for number in range(QUARTERS):
        seen = of.quarter != number
        rows = np.flatnonzero(seen)
        forest, _ = train_types(of.shapes.iloc[rows].reset_index(drop=True), of.types[rows], rows, seed=0)
        part = forest.predict_proba(of.shapes.loc[~seen, FEATURES].to_numpy(np.float32))
        for place, name in enumerate(forest.classes_):
            own = classes.index(name) if name in classes else classes.index("glia")
            out[~seen, own] = np.maximum(out[~seen, own], part[:, place])
    return f1(out)


def with_links() -> float:
    """F1 of forests that learned from the links of all orphans of the other quarters alone, which tell shafts."""
    of, out = segments(), believed().copy()
    features = of.shapes[FEATURES].to_numpy(np.float32)
    for number in range(QUARTERS):
        own = of.quarter == number
        rows = np.flatnonzero(of.ruled & of.parents & ~own)
        forest = teach(simulated_forest(), features, believed(), rows, np.full(len(rows), "shaft", object), 0)
        if forest is not None:
            out[own] = Model(forest, FEATURES).probabilities(features[own])
    return f1(out)


def asked() -> int:
    """How many segments a person can be asked about, in the mean of the quarters."""
    return round(segments().ruled.sum() * (1 - 1 / QUARTERS))


def curve(order: str, wrong: float, seed: int) -> list[Point]:
    """F1 over the quarters after each of `COUNTS` answers about the others, and how often the rule takes the forest."""
    every = [_of_quarter(number, order, wrong, seed) for number in range(QUARTERS)]
    own = [segments().quarter == number for number in range(QUARTERS)]
    points = []
    for place in range(len(COUNTS)):
        out = np.zeros_like(believed())
        for number in range(QUARTERS):
            out[own[number]] = every[number][place][0]
        points.append(Point(f1(out), float(np.mean([one[place][1] for one in every]))))
    return points


def _of_quarter(number: int, order: str, wrong: float, seed: int) -> list[tuple[np.ndarray, bool]]:
    of, old = segments(), simulated_forest()
    mine = np.flatnonzero(of.ruled & (of.quarter != number))
    rng = np.random.default_rng([seed, number, len(order)])
    told = of.types[mine].astype(object)
    mistaken = rng.random(len(mine)) < wrong
    told[mistaken] = np.where(told[mistaken] == "shaft", "axon", "shaft")
    features = of.shapes[FEATURES].to_numpy(np.float32)
    shuffled = [(row, "random") for row in rng.permutation(len(mine))]
    drawn_by, probability, out = np.full(len(mine), "", object), believed(), []
    test = of.quarter == number
    for count in COUNTS:
        queue = shuffled if order == "random" else in_order(_questions(mine, probability), drawn_by != "", seed)
        if not ask(queue, drawn_by, count) and out:
            out.append(out[-1])
            continue
        done = drawn_by != ""
        by_lot = np.flatnonzero(drawn_by[done] == "random")[: int(HELD_OUT * done.sum())]
        held = np.isin(np.arange(done.sum()), by_lot)
        taken = learn(old, Taught(features, mine[done], told[done], held, 0), seed)[0] is not None
        forest = teach(old, features, believed(), mine[done], told[done], seed)
        probability = believed() if forest is None else Model(forest, FEATURES).probabilities(features)
        out.append((probability[test], taken))
    return out


def _questions(mine: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """The questions of a run about these segments; all in places of their own."""
    classes = simulated_forest().estimator.classes_
    table = pd.DataFrame(probability[mine], columns=[f"p_{name}" for name in classes])
    place = {f"{axis}_nm": np.arange(len(mine)) * 1e6 for axis in "zyx"}
    table = table.assign(type=classes[probability[mine].argmax(axis=1)], segment=mine + 1, **place)
    return segment_questions("pinky40", table, "")
