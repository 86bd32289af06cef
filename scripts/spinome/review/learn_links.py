"""What the forest of links learns from answers.

An answer says of all candidates of an orphan at once which one is its shaft, or that none is. That is what the forest
is trained on, so a few dozen answers make one of tissue like this. What the old forest is sure of is not taught beside:
on other tissue than its own it is often sure and wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from spinome.columns import POSITION
from spinome.linking.candidates import FEATURES
from spinome.linking.link_model import LinkModel, lesson, train_links
from spinome.linking.links import rank_links
from spinome.linking.measure import INSIDE
from spinome.review.answers import NEXT, agreed
from spinome.review.exchange import LabelAt
from spinome.review.held_out import Verdict, drawn, mean_gain, surprise
from spinome.review.questions import NM_PER_UM, answered_by, no_questions

# fewer answers that name a shaft teach nothing
LEAST_LINKED = 10
# what an answer says where it names no shaft
NONE = 0


def links_said(answers: pd.DataFrame) -> pd.DataFrame:
    """What people agree on about orphans.

    What is no orphan teaches nothing: it should not have been asked about.

    Parameters
    ----------
    answers : of `spinome.review.answers.standing`
    """
    return agreed(answers[(answers["kind"] == "link") & (answers["answer"] != "no orphan")])[0]


def asked_about(orphans: pd.DataFrame) -> pd.DataFrame:
    """The questions about orphans (N), a row for each in their order, as far as their answers are found by them.

    Parameters
    ----------
    orphans : `volume segment` and `spinome.linking.measure.INSIDE`
    """
    place = orphans[list(INSIDE)].to_numpy(float) / NM_PER_UM
    said = {"kind": "link", "unit": orphans["volume"].to_numpy(), "subject": orphans["segment"].to_numpy()}
    frame = pd.DataFrame(said | dict(zip(POSITION, place.T)) | {"counted": True})
    empty = no_questions()
    frame = frame.reindex(columns=empty.columns).astype({"next_unit": "string"}).fillna({"next_unit": ""})
    return frame.astype(empty.dtypes.to_dict())


def numbered(
    orphans: pd.DataFrame, candidates: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, Callable[[str, int], int]]:
    """Number the segments of several volumes from 1 on, so that no two share a number.

    Parameters
    ----------
    orphans, candidates : with `volume`, and `segment` or `orphan shaft`, which are numbered in each volume

    Returns
    -------
    the tables with these numbers in place of the old ones, and what gives the number of a segment of a volume; one
    that is in neither table has a number of its own
    """
    numbers: dict[tuple[str, int], int] = {}

    def number(volume: str, segment: int) -> int:
        return numbers.setdefault((volume, int(segment)), len(numbers) + 1)

    def renamed(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
        return table.assign(**{name: [number(*pair) for pair in zip(table["volume"], table[name])] for name in columns})

    return renamed(orphans, "segment"), renamed(candidates, "orphan", "shaft"), number


def taught(
    questions: pd.DataFrame, answers: pd.DataFrame, label_at: LabelAt, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What answers say of orphans.

    Parameters
    ----------
    questions : of `asked_about`
    answers : of `links_said`
    label_at : of the segmentation, which says what number the shaft of an answer has now
    seed : of the lot by which questions are drawn

    Returns
    -------
    rows of `questions` (A,), the shaft that each has (A,), `NONE` where it has none, and how many orphans each stands
    for (A,), 0 where it was not drawn by lot. Shafts that are no segment any more are left out
    """
    about = answered_by(questions, answers)
    weight = drawn(questions, about, seed)
    linked = (about["answer"] == "shaft").to_numpy()
    places = zip(about["unit"], about[NEXT].to_numpy(float), linked)
    shaft = np.array([label_at(unit, place) if has else NONE for unit, place, has in places], np.int64)
    there = ~linked | (shaft != 0)
    return about.index.to_numpy(int)[there], shaft[there], weight[there]


def teach(candidates: pd.DataFrame, said: pd.Series, seed: int) -> LinkModel | None:
    """A forest that learned from answers; None where there are too few.

    Parameters
    ----------
    candidates : (N) rows of `spinome.linking.candidates.COLUMNS`; orphans of several volumes have different numbers
    said : shaft of each orphan that an answer is about, `NONE` for none, by orphan
    """
    own = candidates[candidates["orphan"].isin(said.index)].reset_index(drop=True)
    linked = said[said != NONE]
    # a shaft and its orphans are in one fold; an orphan without a shaft is by itself
    rows = lesson(own, pd.DataFrame({"orphan": linked.index, "shaft": linked.to_numpy()}), "")
    if rows.cut.sum() < LEAST_LINKED or len(np.unique(rows.dendrite[rows.cut])) < 2 or rows.cut.all():
        return None
    return train_links(rows, seed)[0]


def outcome(
    candidates: pd.DataFrame, probability: np.ndarray, said: pd.Series, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """How likely a forest takes what answers say, and whether it says the same, (A,) each in the order of `said`.

    Parameters
    ----------
    candidates, said : as `teach` takes them
    probability : (N,) of each row, judged alone
    threshold : the most probable parent is linked from this probability on
    """
    own = candidates["orphan"].isin(said.index).to_numpy()
    links = rank_links(candidates[own], probability[own], said.index, threshold)
    shaft = links["orphan"].map(said)
    likely = links["probability"].where((links["shaft"] == shaft) & (links["rank"] > 0)).groupby(links["orphan"]).max()
    every = links["probability"].where(links["rank"] > 0, 0.0).groupby(links["orphan"]).sum()
    likely, none = likely.reindex(said.index).fillna(0.0), (1 - every).clip(lower=0).reindex(said.index)
    linked = links[links["linked"]].set_index("orphan")["shaft"].reindex(said.index).fillna(NONE)
    return np.where(said == NONE, none, likely), (linked == said).to_numpy()


def held_against(
    candidates: pd.DataFrame,
    old: np.ndarray,
    new: np.ndarray,
    said: pd.Series,
    weight: np.ndarray,
    thresholds: tuple[float, float],
) -> Verdict:
    """Hold a forest against the old one on answers that it has not seen; the score is the share of orphans right.

    Parameters
    ----------
    candidates, said : as `teach` takes them
    old, new : (N,) probability of each row, judged alone
    weight : (A,) how many orphans each answer stands for
    thresholds : of the old forest and of the new one, each as `outcome` takes it
    """
    if not len(said):
        return Verdict(0, 0.0, np.inf, np.nan, np.nan)
    (before, was), (after, is_) = (
        outcome(candidates, probability, said, threshold)
        for probability, threshold in zip((old, new), thresholds, strict=True)
    )
    share = weight / weight.sum()
    gain = mean_gain(surprise(before) - surprise(after), weight)
    return Verdict(len(said), *gain, float((share * was).sum()), float((share * is_).sum()))


def learn(
    candidates: pd.DataFrame,
    said: pd.Series,
    weight: np.ndarray,
    old: np.ndarray,
    thresholds: tuple[float, float],
    seed: int,
) -> tuple[LinkModel | None, dict[str, object]]:
    """Teach, hold against the old forest, and teach again with all answers where the new one is better.

    Parameters
    ----------
    candidates, said : as `teach` takes them
    old : (N,) probability of each row, judged alone, by the old forest
    weight : (A,) how many orphans each answer stands for, 0 where it was not drawn by lot
    thresholds : as `held_against` takes them

    Returns
    -------
    the new forest, None where the old one is to be kept; what says why
    """
    held = weight > 0
    verdict, taken = Verdict(int(held.sum()), np.nan, np.nan, np.nan, np.nan), None
    first = teach(candidates, said[~held], seed)
    if first is None:
        reason = f"fewer than {LEAST_LINKED} answers that name a shaft to learn from, or all name one"
    else:
        new = first.predict_proba(candidates[FEATURES].to_numpy(np.float32))[:, 1]
        verdict = held_against(candidates, old, new, said[held], weight[held], thresholds)
        reason = "better" if verdict.better else "not better on the answers drawn by lot"
    if verdict.better:
        taken = teach(candidates, said, seed)
    row = {"answers": len(said), "linked": int((said != NONE).sum()), "held_out": verdict.held_out}
    row |= {"gain_bits": verdict.gain, "gain_error": verdict.error}
    row |= {"old_right": verdict.old, "new_right": verdict.new, "taken": taken is not None, "reason": reason}
    return taken, row
