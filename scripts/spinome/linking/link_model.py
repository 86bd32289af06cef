"""The model of links: what says how likely a candidate, judged alone, is an orphan's shaft, and how it learns.

Scores are weighed against one another. Which end of an orphan was cut is not known, so one half of a forest learns
that the true shaft is right at the end that has it nearest ahead, and the other half that it is right at every end. A
second score is a choice among all candidates (`spinome.linking.choice`), which errs elsewhere than forests do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import PredefinedSplit

from spinome.io.models import Model
from spinome.linking.candidates import FEATURES
from spinome.linking.choice import Choice, choice_scores, fit_choice, log_odds, weigh_scores
from spinome.linking.links import label_candidates, label_ends

BEHIND = np.array([place for place, name in enumerate(FEATURES) if name.endswith("_behind")])
TREES = 100  # of each half of the forest
# of the threshold that counts for an older model, whose default was 0.3
OLDER_SHARE = 0.5


class Lesson(NamedTuple):
    """Rows (N,) of candidates to learn from.

    Attributes
    ----------
    features : (N, F) columns of `candidates.FEATURES`
    right : (N,) bool, of the true shaft
    cut : (N,) bool, of these, at the end that was cut (`links.label_ends`)
    dendrite : (N,) str, the true one of the row's orphan, alike only for what must not be parted
    orphan, shaft : (N,) int
    """

    features: np.ndarray
    right: np.ndarray
    cut: np.ndarray
    dendrite: np.ndarray
    orphan: np.ndarray
    shaft: np.ndarray

    def rows(self, which: np.ndarray | slice) -> Lesson:
        """Some of the rows."""
        return Lesson(*(column[which] for column in self))


class LinkModel:
    """Forests and a choice, and the weights of their scores.

    Attributes
    ----------
    forests : the two halves
    choice : the values of `Choice`
    weights : (3,) of the logarithm of the forests' odds, of the choice, and of 1
    """

    classes_ = np.array([False, True])

    def __init__(self, forests: list[ExtraTreesClassifier], choice: Choice, weights: np.ndarray):
        self.forests, self.choice, self.weights = forests, tuple(choice), weights

    def scores(self, features: np.ndarray) -> np.ndarray:
        """The scores (N, 2) of rows (N, F)."""
        probability = np.mean([_probability_of_true(forest, features) for forest in self.forests], axis=0)
        chosen = choice_scores(Choice(*self.choice), features, BEHIND)
        return np.column_stack([log_odds(probability), chosen])

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Of each row (N, 2) how likely its shaft is not the parent, and is."""
        probability = weighed(self.scores(features), self.weights)
        return np.column_stack([1 - probability, probability])


def _probability_of_true(forest: ExtraTreesClassifier, features: np.ndarray) -> np.ndarray:
    """Of each row (N,); where no orphan that was learned from had another candidate, the forest knows one class."""
    return forest.predict_proba(features) @ forest.classes_.astype(float)


def weighed(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probabilities (N,) of `choice.weigh_scores`."""
    return 1 / (1 + np.exp(-np.clip(scores @ weights[:-1] + weights[-1], -30, 30)))


def lesson(candidates: pd.DataFrame, truth: pd.DataFrame, specimen: str) -> Lesson:
    """What the rows of candidates of a specimen teach.

    Parameters
    ----------
    candidates : (N) rows of `candidates.COLUMNS`
    truth : `orphan shaft`
    """
    parent = candidates["orphan"].map(truth.groupby("orphan")["shaft"].first()).fillna(-candidates["orphan"])
    return Lesson(
        candidates[FEATURES].to_numpy(np.float32),
        label_candidates(candidates, truth),
        label_ends(candidates, truth),
        np.array([f"{specimen}/{name:.0f}" for name in parent]),
        candidates["orphan"].to_numpy(np.int64),
        candidates["shaft"].to_numpy(np.int64),
    )


def pool(lessons: Sequence[Lesson]) -> Lesson:
    """Several lessons as one, in which their orphans are numbered anew, so that no two share a number."""
    parts, first = [], 0
    for part in lessons:
        names, number = np.unique(part.orphan, return_inverse=True)
        parts.append(part._replace(orphan=number + first))
        first += len(names)
    return Lesson(*map(np.concatenate, zip(*parts)))


def train_links(taught: Lesson, seed: int, own: int | None = None) -> tuple[LinkModel, np.ndarray]:
    """Train the model with all spines of one dendrite in the same fold.

    Its scores are weighed on what they say of dendrites that they have not seen.

    Parameters
    ----------
    own : how many of the first rows are as they will be met; the scores only learn from the others
        (`links.without_scars`), and are weighed without them

    Returns
    -------
    the model, and the probability (N,) of each row from scores that did not see its dendrite

    Raises
    ------
    ValueError: if the true links lie on fewer than two dendrites.
    """
    splits = dendrite_splits(taught.cut, taught.dendrite)
    # one fold's forests after the other, so that they need not be held together
    scores = unseen_scores(taught, splits, (fit_scores(taught.rows(seen), seed) for seen, _ in splits))
    model = fit_scores(taught, seed)
    as_met = taught.rows(slice(own))
    model.weights = weigh_scores(scores[:own], as_met.right, as_met.orphan, as_met.shaft)
    return model, weighed(scores, model.weights)


def fit_scores(taught: Lesson, seed: int) -> LinkModel:
    """A model whose scores have learned, and are not weighed yet."""
    forests = [
        ExtraTreesClassifier(TREES, min_samples_leaf=2, random_state=seed, n_jobs=1).fit(taught.features, labels)
        for labels in (taught.cut, taught.right)
    ]
    choice = fit_choice(taught.features, taught.right, taught.orphan, BEHIND)
    return LinkModel(forests, choice, np.array([1.0, 1.0, 0.0]))


def unseen_scores(
    taught: Lesson, splits: Sequence[tuple[np.ndarray, np.ndarray]], models: Iterable[LinkModel]
) -> np.ndarray:
    """The scores (N, 2) of each row by the model that did not see it, of one for each split."""
    scores = np.full((len(taught.right), 2), np.nan)
    for model, (_, unseen) in zip(models, splits):
        scores[unseen] = model.scores(taught.features[unseen])
    return scores


def dendrite_splits(labels: np.ndarray, dendrites: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to predict, of up to five folds that part no dendrite; see `train_links`."""
    with_link = np.unique(dendrites[labels])
    if len(with_link) < 2 or labels.all():
        raise ValueError(
            f"the training volumes have true links on {len(with_link)} dendrite(s); two at least are needed, "
            "with other candidates beside; or name a trained model under models.links"
        )
    return list(PredefinedSplit(_folds(labels, dendrites, min(5, len(with_link)))).split())


def _folds(labels: np.ndarray, dendrites: np.ndarray, count: int) -> np.ndarray:
    """Deal the dendrites out to folds, those with true links first, so that every fold has some."""
    names, row = np.unique(dendrites, return_inverse=True)
    true = np.bincount(row, weights=labels)
    order = np.lexsort((-np.bincount(row), -true))
    fold = np.empty(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % count
    return fold[row]


def is_older(model: Model) -> bool:
    """Whether a version before this one trained a model of links: a forest alone, which is about half as sure."""
    return not isinstance(model.estimator, LinkModel)


def threshold_of(model: Model, threshold: float) -> float:
    """The probability from which a model links: that which is asked for, of an older one half of it."""
    return threshold * OLDER_SHARE if is_older(model) else threshold


def tell_older(model: Model, file: object, threshold: float) -> list[str]:
    """What to say of an older model."""
    if not is_older(model):
        return []
    return [
        f"{file}: an older version trained this model of links, which is half as sure; linking.links.threshold counts "
        f"half for it, and orphans are linked from {threshold_of(model, threshold):g}. Train it again for more links"
    ]
