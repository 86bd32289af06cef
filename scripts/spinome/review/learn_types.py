"""What the forest that types segments by their shape learns from answers.

An answer to "What is this segment?" says it outright. An answer about a link says it of two segments at once: the
orphan is a spine, and the candidate that was chosen a shaft; and what is no orphan is no spine. What a forest is
trained on does not come with it, and answers are about few segments. So trees that learned from them are added to those
of the old forest, which stay as they are: the more answers, the more trees. A type that hardly any answer names is
taught to these trees by the old forest, so that they do not vote for others where it should be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier

from spinome.columns import POSITION
from spinome.io.models import Model
from spinome.linking.shape import FEATURES
from spinome.review.answers import NEXT, agreed
from spinome.review.exchange import LabelAt
from spinome.review.held_out import HELD_OUT, Verdict, mean_gain, surprise
from spinome.review.more_trees import remembered, with_trees_of

KINDS = ("segment", "link")
# fewer answers teach nothing
LEAST = 10
# the trees of the old forest count as those that so many answers add, and at most so many times as many are added: they
# are nearly all of the vote then, and a file of thousands of trees is large
PRIOR, MOST_TIMES = 25.0, 3.0
# a type that fewer answers name is taught by the old forest: so many segments, with the weight of so many answers
LEAST_OF_EACH, REMEMBERED_SEGMENTS, REMEMBERED = 5, 50, 5.0
# what an answer says of what is no orphan, in place of a type
NO_SPINE = "no spine"


def types_said(answers: pd.DataFrame) -> pd.DataFrame:
    """What people agree on about segments and links.

    Parameters
    ----------
    answers : of `spinome.review.answers.standing`
    """
    return agreed(answers[answers["kind"].isin(KINDS)])[0]


def statements(answers: pd.DataFrame, label_at: LabelAt) -> pd.DataFrame:
    """What answers say of segments, once of each: `volume segment type held`, with the numbers of today.

    What was said outright goes before what a link says, and a link that was drawn before one that was not.

    Parameters
    ----------
    answers : of `types_said`
    label_at : of the segmentation

    Returns
    -------
    `type` is of `spinome.linking.typing.TYPES` or `NO_SPINE`; `held` says which are held out: of the answers to what a
    segment is those that the page drew by lot, at most `HELD_OUT`. A place without a segment says nothing
    """
    said: list[tuple[str, int, str, bool]] = []

    def add(row: dict, columns: list[str], kind: str, held: bool = False) -> None:
        segment = label_at(row["unit"], np.array([row[axis] for axis in columns]))
        if segment:
            said.append((row["unit"], int(segment), kind, held))

    outright = answers[answers["kind"] == "segment"]
    by_lot = (outright["drawn"] == "random").to_numpy(bool)
    held_out = by_lot & (np.cumsum(by_lot) <= int(HELD_OUT * len(outright)))
    for row, held in zip(outright.to_dict("records"), held_out.tolist()):
        add(row, POSITION, row["answer"], held)
    links = answers[answers["kind"] == "link"].to_dict("records")
    for row in links:
        if row["answer"] == "shaft":
            add(row, POSITION, "spine")
            add(row, NEXT, "shaft")
    for row in links:
        if row["answer"] == "no orphan":
            add(row, POSITION, NO_SPINE)
    table = pd.DataFrame(said, columns=["volume", "segment", "type", "held"]).astype({"held": bool})
    return table.drop_duplicates(["volume", "segment"], ignore_index=True)


@dataclass(frozen=True)
class Taught:
    """Described segments (N) that a forest types, and what is said (A) of some of them.

    Attributes
    ----------
    features : (N, F) `spinome.linking.shape.FEATURES`
    rows, type : segment that each statement is about (A,), and its type (A,) or `NO_SPINE`
    held : which statements are held out (A,)
    without_shape : statements about segments whose shape was not described, as that of orphans is not where rules on
        size type them
    """

    features: np.ndarray
    rows: np.ndarray
    type: np.ndarray
    held: np.ndarray
    without_shape: int


def taught(described: pd.DataFrame, said: pd.DataFrame) -> Taught:
    """Find the segments that statements are about.

    Parameters
    ----------
    described : `volume segment` and `spinome.linking.shape.FEATURES`
    said : of `statements`
    """
    keys = ["volume", "segment"]
    number = pd.Series(np.arange(len(described)), pd.MultiIndex.from_frame(described[keys]))
    rows = number.reindex(pd.MultiIndex.from_frame(said[keys])).to_numpy(float)
    there = ~np.isnan(rows)
    own = said[there]
    return Taught(
        described[FEATURES].to_numpy(np.float32),
        rows[there].astype(int),
        own["type"].to_numpy(object),
        own["held"].to_numpy(bool),
        int((~there).sum()),
    )


def shares(types: np.ndarray, believed: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """How much of each statement (A) goes to each class (C) of a forest: (A, C).

    What is no spine is any other class, as likely as the old forest says; a type that the forest does not know is
    `other`, or nothing where it does not know that either.

    Parameters
    ----------
    types : (A,)
    believed : (A, C) probabilities by the old forest
    """
    known = np.where(np.isin(types, [*classes, NO_SPINE]), types, "other")
    out = (known[:, None] == classes[None, :]).astype(float)
    free = np.where(classes[None, :] == "spine", 0.0, np.maximum(believed, 1e-9))
    return np.where((known == NO_SPINE)[:, None], free / np.maximum(free.sum(axis=1, keepdims=True), 1e-9), out)


def teach(
    old: Model, features: np.ndarray, believed: np.ndarray, rows: np.ndarray, types: np.ndarray, seed: int
) -> ExtraTreesClassifier | None:
    """The old forest with trees that learned from answers; None where there are too few answers.

    Parameters
    ----------
    features, believed : (N, F) of all described segments, and what the old forest says of them (N, C)
    rows, types : segments that statements are about (A,), and what they say (A,)
    """
    classes = np.array([str(name) for name in old.estimator.classes_], object)
    if len(rows) < LEAST:
        return None
    share = shares(types, believed[rows], classes)
    parts = [(np.repeat(rows, len(classes)), np.tile(classes, len(rows)), share.reshape(-1))]
    # of those that no answer is about
    other = np.setdiff1d(np.arange(len(believed)), rows)
    for rare in range(len(classes)):
        if share[:, rare].sum() < LEAST_OF_EACH:
            chosen, weight = remembered(believed[other], rare, REMEMBERED_SEGMENTS, REMEMBERED)
            parts.append((np.repeat(other[chosen], len(classes)), np.tile(classes, len(chosen)), weight.reshape(-1)))
    every, label, weight = (np.concatenate(values) for values in zip(*parts))
    counts = weight > 0
    trees = max(round(len(old.estimator.estimators_) * min(len(rows) / PRIOR, MOST_TIMES)), 1)
    added = ExtraTreesClassifier(trees, min_samples_leaf=2, random_state=seed, n_jobs=1)
    added.fit(features[every[counts]], label[counts].astype(str), sample_weight=weight[counts])
    return with_trees_of(old.estimator, added)


def learn(old: Model, given: Taught, seed: int) -> tuple[ExtraTreesClassifier | None, dict[str, object]]:
    """Teach, hold against the old forest, and teach again with all answers where the new one is better.

    Returns
    -------
    the new forest, None where the old one is to be kept; what says why. `old_right` and `new_right` are the shares of
    answers drawn by lot that each forest agrees with
    """
    classes = np.array([str(name) for name in old.estimator.classes_], object)
    believed = old.probabilities(given.features) if len(given.features) else np.zeros((0, len(classes)))
    held = given.held
    verdict, taken = Verdict(int(held.sum()), np.nan, np.nan, np.nan, np.nan), None
    first = teach(old, given.features, believed, given.rows[~held], given.type[~held], seed)
    if first is None:
        reason = f"fewer than {LEAST} answers to learn from"
    elif not held.any():
        reason = "no answer to a question drawn by lot"
    else:
        seen = given.rows[held]
        truth = shares(given.type[held], believed[seen], classes)
        new = Model(first, FEATURES).probabilities(given.features[seen])
        losses = [surprise((truth * found).sum(axis=1)) for found in (believed[seen], new)]
        right = [float(truth[np.arange(len(seen)), found.argmax(axis=1)].mean()) for found in (believed[seen], new)]
        verdict = Verdict(len(seen), *mean_gain(losses[0] - losses[1], np.ones(len(seen))), *right)
        reason = "better" if verdict.better else "not better on the answers drawn by lot"
    if verdict.better:
        taken = teach(old, given.features, believed, given.rows, given.type, seed)
    row: dict[str, object] = {"answers": len(given.rows)}
    row |= {str(name): int((given.type == name).sum()) for name in [*classes, NO_SPINE]}
    row |= {"held_out": verdict.held_out, "gain_bits": verdict.gain, "gain_error": verdict.error}
    row |= {"old_right": verdict.old, "new_right": verdict.new, "without_shape": given.without_shape}
    return taken, row | {"taken": taken is not None, "reason": reason}
