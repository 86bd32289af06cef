"""What a judge of two-photon candidates learns from answers.

A forest on the answers alone needs hundreds of them, and forgets what the old one knew. So the old judge teaches, too:
what it is sure of, in the candidates that nobody was asked about, is learned with a small weight. The new judge
is held against the old one on answers drawn by lot that it has not seen, and taken only where it is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold

from spinome.review.answers import POSITION, agreed, match
from spinome.review.questions import answered_by, sampled, spine_questions
from spinome.twophoton.judge import LEAF, SHARE, TREES

# what the old judge says with this probability or more, or with this or less, it teaches; all of it together weighs as
# much as so many answers
SURE, UNSURE_BELOW, REMEMBERED = 0.8, 0.2, 20.0
# fewer answers of either kind teach nothing
LEAST_OF_EACH = 5
FOLDS = 5
# the new judge is taken where it is better by more than so many standard errors
ERRORS = 1.0
SMALLEST = 1e-3


@dataclass(frozen=True)
class Verdict:
    """How the old and the new judge did on answers drawn by lot that neither has learned from.

    `gain` is how much less the new one is surprised by an answer (log loss in bits), with its standard error; F1 is
    that of the spines among the candidates, estimated from these answers.
    """

    held_out: int
    gain: float
    error: float
    old_f1: float
    new_f1: float

    @property
    def better(self) -> bool:
        """Whether the new judge is to be taken: less surprised beyond chance, and no worse at finding spines."""
        return self.held_out > 1 and self.gain > ERRORS * self.error and self.new_f1 >= self.old_f1


def spines_said(answers: pd.DataFrame) -> pd.DataFrame:
    """What people agree on about single spines, as answers of the kind "spine".

    Parameters
    ----------
    answers : of `spinome.review.answers.standing`
    """
    kept = answers[answers["kind"].isin(["spine", "missed spine"])]
    kept = kept.assign(kind="spine", answer=kept["answer"].replace("missed spine", "spine"))
    return agreed(kept)[0]


def questions_of(judged: pd.DataFrame) -> pd.DataFrame:
    """The questions about candidates, a row for each in their order, whatever they score; see `spine_questions`."""
    return spine_questions(judged, "", least=0.0)


def taught(
    judged: pd.DataFrame, answers: pd.DataFrame, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What answers say of candidates, and which of them are held out.

    Parameters
    ----------
    judged : candidates of all stacks as the old judge has them (`twophoton_judge`)
    answers : of `spines_said`
    seed : of the lot by which questions are drawn

    Returns
    -------
    rows of `judged` (N,) that an answer is about, whether each is a spine (N,), which were drawn by lot (N,), and how
    many candidates each of those stands for (N,), 0 for the others
    """
    questions = questions_of(judged)
    about = answered_by(questions, answers)
    rows = about.index.to_numpy(int)
    spine = (about["answer"] == "spine").to_numpy()
    weight = np.zeros(len(rows))
    for counted in (True, False):
        # a mark by hand is about a candidate of the lot, too, where it comes first in it
        drawn = sampled(questions, about, seed, counted)
        if len(drawn):
            weight[np.isin(rows, drawn)] = (questions["counted"] == counted).sum() / len(drawn)
    return rows, spine, weight > 0, weight


def teach(
    features: np.ndarray,
    rows: np.ndarray,
    spine: np.ndarray,
    old: np.ndarray,
    groups: np.ndarray,
    seed: int,
) -> CalibratedClassifierCV | None:
    """A judge that learned from answers and from the old judge; None where there are too few answers.

    Parameters
    ----------
    features : (N, F) of all candidates
    rows, spine : candidates that answers are about (A,), and what they say
    old : (N,) probability by the old judge
    groups : (N,) of `spinome.twophoton.judge.blocks`; what lies in one is in one fold of the calibration
    """
    if min(spine.sum(), (~spine).sum()) < LEAST_OF_EACH or len(np.unique(groups[rows])) < 2:
        return None
    asked = np.isin(np.arange(len(features)), rows)
    known = np.flatnonzero(~asked & ((old >= SURE) | (old <= UNSURE_BELOW)))
    every = np.concatenate([rows, known])
    label = np.concatenate([spine, old[known] >= SURE])
    weight = np.concatenate([np.ones(len(rows)), np.full(len(known), REMEMBERED / max(len(known), 1))])
    forest = ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, max_features=SHARE, random_state=seed, n_jobs=1)
    parts = groups[every]
    splits = list(GroupKFold(min(FOLDS, len(np.unique(parts)))).split(every, label, parts))
    # calibrated on what it says of parts of the fields that it has not seen
    model = CalibratedClassifierCV(forest, cv=splits, method="sigmoid", ensemble=False)
    return model.fit(features[every], label, sample_weight=weight)


def learn(
    judged: pd.DataFrame,
    features: np.ndarray,
    groups: np.ndarray,
    answers: pd.DataFrame,
    threshold: float,
    seed: int,
) -> tuple[CalibratedClassifierCV | None, pd.DataFrame, float]:
    """The whole of it: teach, hold against the old judge, and teach again with all answers where the new one is better.

    Parameters
    ----------
    judged : candidates of all stacks as the old judge has them, `accepted` by its `threshold`
    features, groups : as `teach` takes them, rows as `judged`
    answers : of `spines_said`

    Returns
    -------
    the new judge, None where the old one is to be kept; a table of one row that says why; the new judge's threshold
    """
    old = judged["score"].to_numpy(float)
    rows, spine, held, weight = taught(judged, answers, seed)
    verdict, taken, reason, best = Verdict(int(held.sum()), np.nan, np.nan, np.nan, np.nan), None, "", threshold
    first = teach(features, rows[~held], spine[~held], old, groups, seed)
    if first is None:
        reason = f"fewer than {LEAST_OF_EACH} answers of either kind to learn from, or all in one place"
    else:
        new = first.predict_proba(features)[:, 1]
        seen = rows[held]
        verdict = weigh(old[seen], new[seen], spine[held], weight[held], (threshold, best_threshold(new)))
        reason = "better" if verdict.better else "not better on the answers drawn by lot"
    if verdict.better:
        taken = teach(features, rows, spine, old, groups, seed)
        best = best_threshold(taken.predict_proba(features)[:, 1])
    people = " ".join(sorted(answers["who"].unique()))
    row = {"answers": len(rows), "spines": int(spine.sum()), "people": people, "held_out": verdict.held_out}
    row |= {"gain_bits": verdict.gain, "gain_error": verdict.error, "old_f1": verdict.old_f1, "new_f1": verdict.new_f1}
    row |= {"without_candidate": without_answer(questions_of(judged), answers), "taken": taken is not None}
    return taken, pd.DataFrame([row | {"reason": reason}]), best


def weigh(old: np.ndarray, new: np.ndarray, spine: np.ndarray, weight: np.ndarray, thresholds: tuple[float, float]):
    """Hold the new judge against the old one on answers drawn by lot (`Verdict`).

    Parameters
    ----------
    old, new : (N,) probability by each
    spine, weight : (N,) what the answer says, and how many candidates it stands for
    thresholds : of the old and of the new judge
    """
    if not len(spine):
        return Verdict(0, 0.0, np.inf, np.nan, np.nan)
    loss = [-np.log2(np.where(spine, p, 1 - p).clip(SMALLEST)) for p in (old, new)]
    share = weight / weight.sum()
    gains = loss[0] - loss[1]
    gain = float((share * gains).sum())
    error = float(np.sqrt((share**2 * (gains - gain) ** 2).sum())) if len(spine) > 1 else np.inf
    scores = []
    for probability, threshold in zip((old, new), thresholds):
        said = probability >= threshold
        hit = float(weight[said & spine].sum())
        scores.append(2 * hit / max(float(weight[said].sum() + weight[spine].sum()), 1e-9))
    return Verdict(len(spine), gain, error, *scores)


def best_threshold(probability: np.ndarray) -> float:
    """The probability from which on candidates are to be called spines for the greatest expected F1."""
    order = np.sort(probability)[::-1]
    expected = 2 * np.cumsum(order) / (np.arange(1, len(order) + 1) + order.sum())
    return float(order[int(np.argmax(expected))]) if len(order) else 0.5


def without_answer(places: pd.DataFrame, answers: pd.DataFrame) -> int:
    """How many spines that people saw have no candidate: a judge cannot find them, only a detector could.

    Parameters
    ----------
    places : of `questions_of`
    answers : of `spines_said`
    """
    seen = answers[answers["answer"] == "spine"].dropna(subset=POSITION)
    return int((match(places, seen) < 0).sum())
