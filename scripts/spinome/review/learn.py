"""What a judge of two-photon candidates learns from answers.

A forest on the answers alone needs hundreds of them, and forgets what the old one knew. So the old judge teaches, too:
what it is sure of, in the candidates that nobody was asked about, is learned with a small weight. The new judge
is held against the old one on answers drawn by lot that it has not seen, and taken only where it is better.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold

from spinome.review.answers import POSITION, match
from spinome.review.held_out import Verdict, best_threshold, drawn, weigh
from spinome.review.questions import answered_by, spine_questions
from spinome.twophoton.judge import LEAF, SHARE, TREES

# what the old judge says with this probability or more, or with this or less, it teaches; all of it together weighs as
# much as so many answers
SURE, UNSURE_BELOW, REMEMBERED = 0.8, 0.2, 20.0
# fewer answers of either kind teach nothing
LEAST_OF_EACH = 5
FOLDS = 5


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
    answers : of `spinome.review.answers.candidates_said`
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
    weight = drawn(questions, about, seed)
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
    judged : candidates of all stacks as the old judge has them, and which of them the run has `accepted`
    features, groups : as `teach` takes them, rows as `judged`
    answers : of `spinome.review.answers.candidates_said`
    threshold : of the old judge

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
        said = judged["accepted"].to_numpy(bool)[seen], new[seen] >= best_threshold(new)
        verdict = weigh(old[seen], new[seen], spine[held], weight[held], said)
        reason = "better" if verdict.better else "not better on the answers drawn by lot"
    if verdict.better:
        taken = teach(features, rows, spine, old, groups, seed)
        best = best_threshold(taken.predict_proba(features)[:, 1])
    people = " ".join(sorted(answers["who"].unique()))
    row = {"answers": len(rows), "spines": int(spine.sum()), "people": people, "held_out": verdict.held_out}
    row |= {"gain_bits": verdict.gain, "gain_error": verdict.error, "old_f1": verdict.old, "new_f1": verdict.new}
    row |= {"without_candidate": without_answer(questions_of(judged), answers), "taken": taken is not None}
    return taken, pd.DataFrame([row | {"reason": reason}]), best


def without_answer(places: pd.DataFrame, answers: pd.DataFrame) -> int:
    """How many spines that people saw have no candidate: a judge cannot find them, only a detector could.

    Parameters
    ----------
    places : of `questions_of`
    answers : of `spinome.review.answers.candidates_said`
    """
    seen = answers[answers["answer"] == "spine"].dropna(subset=POSITION)
    return int((match(places, seen) < 0).sum())
