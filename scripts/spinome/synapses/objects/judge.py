"""The second classifier: how likely a candidate is to be a synapse, by its measures.

A logistic regression with a strong pull to 0, since there are a few dozen synapses to learn from. Its numbers are on
the card of the voxel classifier, so that the two always go together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from spinome.synapses.objects.measures import MEASURES

# the inverse of the pull to 0 of weights of standardised measures
FREEDOM = 0.1
# so many true and so many false candidates are needed at least. With eight, half of the quarters of the fly volume had
# no judge, and average precision was 0.49 and not 0.77
LEAST = 5


@dataclass(frozen=True)
class Judge:
    """Weights of the standardised measures: each of `middle`, `spread` and `weight` has an entry for each measure."""

    middle: np.ndarray
    spread: np.ndarray
    weight: np.ndarray
    offset: float

    def probability(self, candidates: pd.DataFrame) -> np.ndarray:
        """How likely each candidate is to be a synapse: (N,) float64, of the columns `MEASURES`."""
        measures = (candidates[MEASURES].to_numpy(float) - self.middle) / self.spread
        logit = np.full(len(measures), self.offset)
        # one measure after the other, since the order of a longer sum depends on how many rows there are
        for column, weight in zip(measures.T, self.weight):
            logit += column * weight
        return 1 / (1 + np.exp(-logit))

    def for_card(self) -> dict[str, Any]:
        """As plain values."""
        columns = [dict(zip(MEASURES, map(float, values))) for values in (self.middle, self.spread, self.weight)]
        return dict(zip(("middle", "spread", "weight"), columns)) | {"offset": self.offset}

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Judge | None:
        """The judge on the card of a voxel classifier; None where it has none.

        Raises
        ------
        ValueError: if it goes by other measures
        """
        kept = card.get("judge")
        if kept is None:
            return None
        if set(kept["weight"]) != set(MEASURES):
            raise ValueError("the model judges candidates by other measures than this version takes; train it again")
        middle, spread, weight = (
            np.array([kept[name][measure] for measure in MEASURES]) for name in ("middle", "spread", "weight")
        )
        return cls(middle, spread, weight, kept["offset"])


def fit_judge(candidates: pd.DataFrame, true: np.ndarray, freedom: float = FREEDOM, least: int = LEAST) -> Judge | None:
    """Learn from candidates with the columns `MEASURES`; None where there are too few of either kind.

    Parameters
    ----------
    candidates, true : (N) rows, and which of them are synapses
    freedom : see `FREEDOM`
    least : see `LEAST`
    """
    if min(true.sum(), (~true).sum()) < least:
        return None
    measures = candidates[MEASURES].to_numpy(float)
    middle, spread = measures.mean(axis=0), measures.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    model = LogisticRegression(C=freedom, max_iter=2000).fit((measures - middle) / spread, true)
    return Judge(middle, spread, model.coef_[0], float(model.intercept_[0]))


def greatest_expected_f1(probability: np.ndarray, truths: float) -> tuple[float, float]:
    """The least probability of a kept candidate that gives the greatest expected F1, and that F1.

    Parameters
    ----------
    probability : (N,) calibrated, of all candidates
    truths : how many true objects there are
    """
    falling = np.sort(probability)[::-1]
    if not len(falling):
        return 0.5, float("nan")
    expected = 2 * np.cumsum(falling) / (np.arange(1, len(falling) + 1) + truths)
    best = int(np.argmax(expected))
    # half way to the next one, so that rounding decides nothing
    behind = falling[best + 1] if best + 1 < len(falling) else 0.0
    return float(falling[best] + behind) / 2, float(expected[best])
