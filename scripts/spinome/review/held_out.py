"""Whether a model that learned from answers is better: on answers drawn by lot that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from spinome.review.questions import lot, sampled

# the new model is taken where it is better by more than so many standard errors
ERRORS = 1.0
SMALLEST = 1e-3
# no more of the answers are held out: where all questions are answered, all are drawn by lot
HELD_OUT = 0.4


@dataclass(frozen=True)
class Verdict:
    """How the old and the new model did on answers drawn by lot that neither has learned from.

    `gain` is how much less the new one is surprised by an answer (log loss in bits), with its standard error; `old` and
    `new` are the scores of what each says, estimated from these answers: F1 of candidates, share of orphans that are
    linked right. `both` is whether there are true and false ones among answers about candidates: of one kind alone, a
    model that keeps all or drops all is right.
    """

    held_out: int
    gain: float
    error: float
    old: float
    new: float
    both: bool = True

    @property
    def better(self) -> bool:
        """Whether the new model is to be taken: less surprised beyond chance, and its score no lower."""
        return self.held_out > 1 and self.both and self.gain > ERRORS * self.error and self.new >= self.old


def drawn(
    questions: pd.DataFrame, about: pd.DataFrame, seed: int, most: float = HELD_OUT, kept: np.ndarray | None = None
) -> np.ndarray:
    """How many questions each answer (N,) stands for that is held out: 0 for the others.

    Those are held out that were drawn by lot, the first of the lot where these are more than `most` of all. These
    are the start of the lot, and those that the page drew by lot when it asked: where candidates have moved since, or a
    person was not sure of one, the lot of today breaks off early.

    Parameters
    ----------
    questions : of one kind
    about : of `spinome.review.questions.answered_by`
    seed : of the lot
    kept : which things (Q,) the new model keeps. The page draws as often among those that the run of that day keeps as
        among the others, and a run that has learned drops much of what the first one kept: of what both keep more is
        drawn. So each answer stands for its share of the things of which both say the same.
    """
    rows = about.index.to_numpy(int)
    weight = np.zeros(len(rows))
    kept = np.ones(len(questions), bool) if kept is None else kept
    for counted in (True, False):
        # a mark by hand is about a candidate of the lot, too, where it comes first in it
        of = (questions["counted"] == counted).to_numpy()
        by_page = rows[of[rows] & (about["drawn"] == "random").to_numpy(bool)]
        either = np.union1d(sampled(questions, about, seed, counted), by_page)
        order = lot(questions, seed, counted)
        first = order[np.isin(order, either)][: int(most * of[rows].sum())]
        own = np.zeros(len(rows))
        for new in (True, False):
            alike = first[kept[first] == new]
            own[np.isin(rows, alike)] = (of & (kept == new)).sum() / max(len(alike), 1)
        # those of which none was drawn are stood for by the others
        weight += own * (of.sum() / own.sum() if own.any() else 0.0)
    return weight


def surprise(probability: np.ndarray) -> np.ndarray:
    """Bits (N,) by which a model is surprised that gave this probability to what came out."""
    return -np.log2(np.clip(probability, SMALLEST, 1.0))


def weigh(
    old: np.ndarray,
    new: np.ndarray,
    true: np.ndarray,
    weight: np.ndarray,
    said: tuple[np.ndarray, np.ndarray],
) -> Verdict:
    """Hold a new judge of candidates against the old one on answers drawn by lot.

    Parameters
    ----------
    old, new : (N,) probability by each
    true, weight : (N,) what the answer says, and how many candidates it stands for
    said : which of them (N,) the old and the new judge keep
    """
    losses = [surprise(np.where(true, p, 1 - p)) for p in (old, new)]
    scores = []
    for kept in said:
        hit = float(weight[kept & true].sum())
        scores.append(2 * hit / max(float(weight[kept].sum() + weight[true].sum()), 1e-9))
    both = bool(true.any() and not true.all())
    return Verdict(len(true), *mean_gain(losses[0] - losses[1], weight), *scores, both)


def mean_gain(gains: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Mean of gains (N,) that stand for so many (N,), and its standard error; infinite of fewer than two."""
    if len(gains) < 2:
        return 0.0, np.inf
    share = weight / weight.sum()
    gain = float((share * gains).sum())
    return gain, float(np.sqrt((share**2 * (gains - gain) ** 2).sum()))


def best_threshold(probability: np.ndarray) -> float:
    """The probability from which on candidates are to be kept for the greatest expected F1."""
    order = np.sort(probability)[::-1]
    expected = 2 * np.cumsum(order) / (np.arange(1, len(order) + 1) + order.sum())
    return float(order[int(np.argmax(expected))]) if len(order) else 0.5
