"""How fast the forest of links learns from answers, on dendrites of `pinky40` that nobody was asked about.

The orphans are spines of `pinky40` that were cut off (`benchmarks/pinky40.py`), half of them in each of two draws, one
for each kind of cut. The forest that the answers begin with has seen simulated tissue alone. A person simulated from
the truth is asked about the orphans of three quarters of the dendrites, and those of the others are scored: each seed
takes another quarter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import pinky40
from review_curves import COUNTS, Point, ask
from simulated import grow
from spinome.configuration.linking import Candidates, Typing
from spinome.configuration.phantom import Specimen
from spinome.io.models import load_model
from spinome.io.units import working_stride
from spinome.linking.candidates import FEATURES, TYPED, group_candidates, with_types
from spinome.linking.link_model import LinkModel, lesson, train_links
from spinome.linking.links import rank_links, top_k
from spinome.linking.measure import INSIDE
from spinome.linking.proofread import proofreading_queue
from spinome.linking.shape import FEATURES as SHAPE_FEATURES
from spinome.linking.shape import shape_features
from spinome.linking.typing import measure_segments, type_probabilities, type_segments
from spinome.phantom.em import render_cutout
from spinome.review.held_out import drawn
from spinome.review.learn_links import held_against, teach
from spinome.review.questions import in_order, link_questions
from spinome.workflow.code import script_hash

REPOSITORY = Path(__file__).parents[1]
WORK, MODELS = REPOSITORY / "benchmarks" / "work" / "review", REPOSITORY / "workflow" / "models"
QUARTERS = 4
KINDS = ("neck", "ragged")
# where the way to a candidate begins
FROM = ["from_z_nm", "from_y_nm", "from_x_nm"]
WHERE = "links, Top-1 on dendrites of pinky40 that nobody was asked about, forest of simulated tissue"


class Cuts(NamedTuple):
    """`candidates` of cut spines, the `shaft` of each orphan, and the `quarter` of the dendrites that it lies on."""

    candidates: pd.DataFrame
    shaft: pd.Series
    quarter: pd.Series


@cache
def cuts() -> Cuts:
    """All draws as one; orphans are numbered anew. What a draw takes minutes for stays in `benchmarks/work/review`."""
    tables, links = [], []
    for number, kind in enumerate(KINDS):
        folder = WORK / f"{script_hash('linking_candidates')}-{kind}"
        if not (folder / "links.parquet").exists():
            folder.mkdir(parents=True, exist_ok=True)
            draw = pinky40.detached(pinky40.MIXTURE_NM, pinky40.FIRST_SEED + number, kind, pinky40.SHARE)
            draw.candidates.to_parquet(folder / "candidates.parquet")
            draw.links.to_parquet(folder / "links.parquet")
        # labels are below 10,000
        moved = [pd.read_parquet(folder / f"{name}.parquet") for name in ("candidates", "links")]
        candidates, own = [table.assign(orphan=table["orphan"] + 100_000 * number) for table in moved]
        tables.append(candidates)
        links.append(own)
    every = pd.concat(links, ignore_index=True)
    # dendrites are dealt out by the number of their orphans, so that quarters are of about one size
    order = every["shaft"].value_counts(sort=True).index
    quarter = every["shaft"].map(dict(zip(order, np.arange(len(order)) % QUARTERS)))
    orphans = every["orphan"].to_numpy()
    return Cuts(
        pd.concat(tables, ignore_index=True),
        pd.Series(every["shaft"].to_numpy(), orphans),
        pd.Series(quarter.to_numpy(), orphans),
    )


@cache
def simulated_forest() -> LinkModel:
    """The forest that learned from the orphans of a simulated specimen, that of the demo's training."""
    settings = Specimen(seed=2).model_dump()
    specimen = grow(settings)
    volumes, links, _ = render_cutout(specimen)
    stride = working_stride(tuple(specimen.em_voxel_nm), Typing().working_nm)
    labels = np.ascontiguousarray(volumes["detached"][tuple(slice(None, None, step) for step in stride)])
    voxel_nm = tuple(float(size * step) for size, step in zip(specimen.em_voxel_nm, stride))
    segments = measure_segments(labels, voxel_nm, pinky40.WHOLE)
    rules = Typing().model_dump(exclude={"working_nm", "shaft_min_probability"})
    own = segments[type_segments(segments, **rules) == "shaft"]
    model = load_model(MODELS / "typing.skops", SHAPE_FEATURES)
    told = type_probabilities(model, shape_features(labels, own, voxel_nm))
    orphans = segments[segments["segment"].isin(links["orphan"])]
    near, radius = own["segment"].to_numpy(), Candidates().radius_nm
    found = with_types(
        group_candidates(labels, None, orphans, near, None, pinky40.WHOLE, voxel_nm, radius), told[["segment", *TYPED]]
    )
    return train_links(lesson(found, links, "phantom"), seed=0)[0]


@cache
def believed() -> np.ndarray:
    """Probability of each row of `cuts` by the forest of simulated tissue."""
    return _of(simulated_forest(), cuts().candidates)


def top_1(probability: np.ndarray, candidates: pd.DataFrame, orphans: pd.Index) -> float:
    """How often the true shaft is the first candidate of these orphans."""
    shaft = cuts().shaft[orphans]
    truth = pd.DataFrame({"orphan": shaft.index, "shaft": shaft.to_numpy()})
    return top_k(rank_links(candidates, probability, orphans, pinky40.LINK_FROM), truth, (1,))["top_1"]


def without() -> float:
    """Top-1 before anybody answered, over the quarters."""
    return _over_quarters(lambda asked, own, table: believed()[own])


def with_all() -> float:
    """Top-1 of forests that learned from all orphans of the other quarters, as `linking.train` does."""
    return _over_quarters(lambda asked, own, table: _of(_trained(asked), table))


def asked() -> int:
    """How many orphans a person can be asked about, in the mean of the quarters."""
    return round(len(cuts().shaft) * (1 - 1 / QUARTERS))


def curve(order: str, wrong: float, seed: int) -> list[Point]:
    """Top-1 on one quarter of the dendrites, which the seed names, after each of `COUNTS` answers about the others."""
    said, quarter = cuts().shaft, cuts().quarter
    candidates, elsewhere = cuts().candidates, quarter.index[quarter == seed % QUARTERS]
    others = said[quarter != seed % QUARTERS]
    rng = np.random.default_rng([seed, len(order)])
    told = _mistaken(others, rng.random(len(others)) < wrong, rng)
    mine = candidates["orphan"].isin(others.index).to_numpy()
    table, before = candidates[mine].reset_index(drop=True), believed()[mine]
    test = candidates["orphan"].isin(elsewhere).to_numpy()
    shuffled = [(row, "random") for row in rng.permutation(len(others))]
    drawn_by, probability, points = np.full(len(others), "", object), before, []
    for count in COUNTS:
        queue = shuffled
        if order == "active":
            queue = in_order(_questions(told, table, probability), drawn_by != "", seed)
        if not ask(queue, drawn_by, count) and points:
            # all are answered
            points.append(points[-1])
            continue
        forest = teach(table, told[drawn_by != ""], seed)
        found = believed()[test] if forest is None else _of(forest, candidates[test])
        taken = forest is not None and _takes(table, before, told, drawn_by, seed)
        points.append(Point(top_1(found, candidates[test], elsewhere), float(taken)))
        probability = before if forest is None else _of(forest, table)
    return points


def _questions(told: pd.Series, table: pd.DataFrame, probability: np.ndarray) -> pd.DataFrame:
    """The questions about orphans in the order of `told`, as a run asks them where no synapses are known."""
    links = rank_links(table, probability, told.index, pinky40.LINK_FROM)
    place = table.groupby("orphan")[FROM].first().reindex(told.index).fillna(0.0)
    segments = place.set_axis(list(INSIDE), axis=1).rename_axis("segment").reset_index()
    queue = proofreading_queue(links, segments, pd.DataFrame({"neurite_a": [], "neurite_b": []}))
    queue = queue.set_index("orphan").loc[told.index].reset_index()
    return link_questions(queue.assign(volume="pinky40", candidates=""), "")


def _mistaken(asked: pd.Series, wrong: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """Answers of which some name another candidate than the right one."""
    others = cuts().candidates.groupby("orphan")["shaft"].unique()
    told = asked.copy()
    for orphan in asked.index[wrong]:
        told[orphan] = rng.choice(others[orphan][others[orphan] != asked[orphan]])
    return told


def _takes(table: pd.DataFrame, before: np.ndarray, told: pd.Series, drawn_by: np.ndarray, seed: int) -> bool:
    """Whether the rule takes a forest that learned from these answers, but for those held out, on the latter.

    Parameters
    ----------
    drawn_by : (N,) how each orphan came to be asked about, empty where it was not
    """
    done = drawn_by != ""
    about = pd.DataFrame({"answer": "shaft", "drawn": drawn_by[done]}, index=np.flatnonzero(done))
    weight = drawn(_questions(told, table, before), about, seed)
    said = told[done]
    forest = teach(table, said[weight == 0], seed)
    if forest is None:
        return False
    held = weight > 0
    return held_against(table, before, _of(forest, table), said[held], weight[held], (pinky40.LINK_FROM,) * 2).better


def _trained(asked: pd.Series) -> LinkModel:
    own = cuts().candidates[cuts().candidates["orphan"].isin(asked.index)]
    truth = pd.DataFrame({"orphan": asked.index, "shaft": asked.to_numpy()})
    return train_links(lesson(own.reset_index(drop=True), truth, "pinky40"), seed=0)[0]


def _over_quarters(probability_of: Callable[[pd.Series, np.ndarray, pd.DataFrame], np.ndarray]) -> float:
    shaft, quarter, candidates = *cuts()[1:], cuts().candidates
    scores, weights = [], []
    for number in range(QUARTERS):
        orphans = quarter.index[quarter == number]
        own = candidates["orphan"].isin(orphans).to_numpy()
        found = probability_of(shaft[quarter != number], own, candidates[own])
        scores.append(top_1(found, candidates[own], orphans))
        weights.append(len(orphans))
    return float(np.average(scores, weights=weights))


def _of(forest: LinkModel, table: pd.DataFrame) -> np.ndarray:
    return forest.predict_proba(table[FEATURES].to_numpy(np.float32))[:, 1]
