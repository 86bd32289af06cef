"""What finds two-photon spines learns from answers: the judge of candidates, the detector, or both.

A forest on the answers alone needs hundreds of them, and forgets what the old one knew. So the old judge teaches, too:
what it is sure of, in the candidates that nobody was asked about, is learned with a small weight. The detector learns
in `spinome.review.learn_detector`, alone or with a judge of what it finds then. What was learned is held against what
was before on answers drawn by lot about places that it has not learned from, and taken only where it is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold

from spinome.columns import POSITION
from spinome.review.answers import match
from spinome.review.candidates import Candidates
from spinome.review.held_out import best_threshold, drawn
from spinome.review.questions import answered_by, spine_questions
from spinome.review.ways import (
    Retrained,
    Said,
    choose,
    crosswise,
    elsewhere,
    found_again,
    parted,
    shares_elsewhere,
    spread,
)
from spinome.twophoton.judge import LEAF, SHARE, TREES, blocks

if TYPE_CHECKING:
    from spinome.twophoton.detector import Detector

# what the old judge says with this probability or more, or with this or less, it teaches; all of it together weighs as
# much as so many answers
SURE, UNSURE_BELOW, REMEMBERED = 0.8, 0.2, 20.0
# fewer answers of either kind teach nothing
LEAST_OF_EACH = 5
# the detector takes minutes to learn, and of fewer answers too few are held out to tell it from the judge
LEAST_FOR_DETECTOR = 50
FOLDS = 5


def questions_of(judged: pd.DataFrame) -> pd.DataFrame:
    """The questions about candidates, a row for each in their order, whatever they score; see `spine_questions`."""
    return spine_questions(judged, "", least=0.0)


def taught(judged: pd.DataFrame, answers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What answers say of candidates.

    Parameters
    ----------
    judged : candidates of all stacks as the old judge has them (`twophoton_judge`)
    answers : of `spinome.review.answers.candidates_said`

    Returns
    -------
    rows of `judged` (N,) that an answer is about, and whether each is a spine (N,)
    """
    about = answered_by(questions_of(judged), answers)
    return about.index.to_numpy(int), (about["answer"] == "spine").to_numpy()


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


def said_by_judge(
    known: Candidates, old: np.ndarray, rows: np.ndarray, spine: np.ndarray, part: np.ndarray, seed: int
) -> Said | None:
    """What judges say of all candidates (N,) that learned from answers in other places; None where these are too few.

    Parameters
    ----------
    old, rows, spine : as `teach` takes them
    part : (A,) of `spinome.review.ways.parted`
    """
    made = crosswise(part, lambda used: teach(known.features, rows[used], spine[used], old, known.groups, seed))
    if made is None:
        return None
    places = spread(part, known.groups, rows)
    return elsewhere(made, places, lambda judge: judge.predict_proba(known.features)[:, 1], best_threshold)


# gives a detector that learned from answers, its candidates around places, and the names of the stacks in which it
# looked; see `spinome.review.learn_detector.relearn`
Relearn = Callable[[pd.DataFrame, pd.DataFrame], "tuple[Detector, Candidates, list[str]] | None"]


@dataclass(frozen=True)
class Learned:
    """What was learned: a judge with its threshold, a detector, both, or neither."""

    judge: CalibratedClassifierCV | None = None
    threshold: float = 0.5
    detector: Detector | None = None


def learn(
    known: Candidates, answers: pd.DataFrame, seed: int, relearn: Relearn | None = None
) -> tuple[Learned, pd.DataFrame]:
    """The whole of it: teach, hold against what the run does without answers, and teach again with all of them where
    that is better.

    Parameters
    ----------
    known : candidates of all stacks as the detector and the judge of before have them
    answers : of `spinome.review.answers.candidates_said`
    seed : of the lot by which questions are drawn
    relearn : how the detector learns; without it the judge learns alone

    Returns
    -------
    what was learned, nothing where the old models are to be kept; a table of one row that says why
    """
    old, questions = known.table["score"].to_numpy(float), questions_of(known.table)
    rows, spine = taught(known.table, answers)
    about, part = answered_by(questions, answers), parted(known.groups[rows], spine, seed)
    tried = {"": Said(old[rows], known.table["accepted"].to_numpy(bool)[rows])}
    judged = said_by_judge(known, old, rows, spine, part, seed)
    if judged is not None:
        tried["judge"] = judged.of(rows)
    weight = drawn(questions, about, seed, 1.0, judged.kept if judged else None)
    again = None
    if relearn and len(rows) >= LEAST_FOR_DETECTOR:
        again = retrained(known, answers, about, part, relearn, seed)
        tried |= again.said if again else {}
    taken, verdict, reason = choose(tried, spine, weight, again)
    reason = reason or f"fewer than {LEAST_OF_EACH} answers of either kind to learn from, or all in few places"
    learned = Learned()
    if taken == "judge":
        judge = teach(known.features, rows, spine, old, known.groups, seed)
        learned = Learned(judge, best_threshold(judge.predict_proba(known.features)[:, 1]))
    elif again and taken:
        learned = again.finish(taken)
    people = " ".join(sorted(answers["who"].unique()))
    row = {"answers": len(rows), "spines": int(spine.sum()), "people": people, "held_out": verdict.held_out}
    row |= {"gain_bits": verdict.gain, "gain_error": verdict.error, "old_f1": verdict.old, "new_f1": verdict.new}
    row |= {"without_candidate": int((without_candidate(questions, answers)["answer"] == "spine").sum())}
    return learned, pd.DataFrame([row | {"taken": learned != Learned(), "learned": taken, "reason": reason}])


def retrained(
    known: Candidates, answers: pd.DataFrame, about: pd.DataFrame, part: np.ndarray, relearn: Relearn, seed: int
) -> Retrained[Learned] | None:
    """Let the detector learn, and a judge of what it finds then; None where there is too little to learn from.

    Parameters
    ----------
    known, answers : as `learn` takes them
    about : of `spinome.review.questions.answered_by`, to the questions about the candidates
    part : (A,) of `spinome.review.ways.parted`
    """
    rows, spine = about.index.to_numpy(int), (about["answer"] == "spine").to_numpy()
    places, others = places_said(known, about), places_marked(without_candidate(questions_of(known.table), answers))
    near = pd.concat([places, others], ignore_index=True)

    around = groups_of(others, known.table)

    def with_answers(used: np.ndarray) -> tuple[Detector, Candidates, list[str]] | None:
        # nobody is asked about a mark by hand, but it may be of a spine of which another session is asked about
        free = others[~np.isin(around, known.groups[rows[~used]])]
        return relearn(pd.concat([places[used], free], ignore_index=True), near)

    made = crosswise(part, with_answers)
    if made is None:
        return None
    # each answer as the detector has it that learned from other places
    every_there = [found_again(questions_of(found.table), answers, about) for _, found, _ in made]
    mine = [np.flatnonzero((part == number) & (there >= 0)) for number, there in enumerate(every_there)]
    found_at = [(found, there[own]) for (_, found, _), there, own in zip(made, every_there, mine)]
    order = np.concatenate(mine)
    judged, accepted = (
        np.concatenate([found.table[name].to_numpy()[there] for found, there in found_at])
        for name in ("score", "accepted")
    )
    features, groups = (
        np.concatenate([getattr(found, name)[there] for found, there in found_at]) for name in ("features", "groups")
    )
    looked = about["unit"].isin(made[0][2]).to_numpy()
    seen = np.isin(np.arange(len(rows)), order)

    def said(likely: np.ndarray, kept: np.ndarray) -> Said:
        # what it does not find any more is as likely as other answers of which that is so
        every, whether = shares_elsewhere(seen, spine, part, looked), np.zeros(len(rows), bool)
        every[order], whether[order] = likely, kept
        return Said(every, whether)

    def taught_by(mine: np.ndarray, found: Candidates) -> CalibratedClassifierCV | None:
        # beside answers the judge of before teaches, of candidates that nobody was asked about
        there = found_again(questions_of(found.table), answers, about)
        free = np.setdiff1d(np.arange(len(found.table)), there)
        every = np.concatenate([features[mine], found.features[free]])
        old = np.concatenate([judged[mine], found.table["score"].to_numpy(float)[free]])
        spread = np.concatenate([groups[mine], found.groups[free]])
        return teach(every, np.arange(mine.sum()), spine[order][mine], old, spread, seed)

    ways = {"detector": said(judged, accepted.astype(bool))}
    judges = [taught_by(part[order] != number, found) for number, (found, _) in enumerate(found_at)]
    if all(judge is not None for judge in judges):
        likely, enough = np.zeros(len(order)), np.zeros(len(order), bool)
        for number, (judge, (found, _)) in enumerate(zip(judges, found_at)):
            own = part[order] == number
            likely[own] = judge.predict_proba(features)[own, 1]
            enough[own] = likely[own] >= best_threshold(judge.predict_proba(found.features)[:, 1])
        ways["detector and judge"] = said(likely, enough)

    def finish(name: str) -> Learned:
        detector, found, _ = with_answers(np.ones(len(rows), bool))
        if name == "detector":
            return Learned(detector=detector)
        judge = taught_by(np.ones(len(order), bool), found)
        return Learned(judge, best_threshold(judge.predict_proba(found.features)[:, 1]), detector)

    return Retrained(ways, looked, finish)


def places_said(known: Candidates, about: pd.DataFrame) -> pd.DataFrame:
    """What people said of candidates, as `spinome.review.learn_detector.relearn` takes it, rows as `about`.

    A head is as deep as it was seen, or else as its candidate lies now.
    """
    rows = about.index.to_numpy(int)
    out = known.table.iloc[rows][[*POSITION, "candidate"]].reset_index(drop=True)
    out["unit"], out["spine"] = about["unit"].to_numpy(), (about["answer"] == "spine").to_numpy()
    seen = about["seen_z_um"].to_numpy(float)
    return out.assign(head_um=np.where(np.isnan(seen), known.moved_um[rows], seen))


def places_marked(answers: pd.DataFrame) -> pd.DataFrame:
    """The same of answers about places that have no candidate."""
    seen, asked = (answers[name].to_numpy(float) for name in ("seen_z_um", "z_um"))
    told = answers[["unit", *POSITION]].reset_index(drop=True).assign(candidate=-1)
    return told.assign(spine=(answers["answer"] == "spine").to_numpy(), head_um=np.where(np.isnan(seen), asked, seen))


def groups_of(places: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    """The square (N,) of `spinome.twophoton.judge.blocks` that each place lies in; of no series where it has no table.

    Parameters
    ----------
    places : `unit` and `POSITION`
    table : of candidates (`spinome.review.candidates.Candidates`)
    """
    units = table["specimen"].astype(str) + "." + table["field"].astype(str) + "." + table["timepoint"].astype(str)
    series = places["unit"].map(dict(zip(units, table["series"]))).fillna("").to_numpy(object)
    out = np.full(len(places), "", object)
    for name in np.unique(series.astype(str)):
        own = series == name
        out[own] = blocks(places[own], name)
    return out


def without_candidate(places: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """Answers about places that have no candidate: a judge cannot learn from them, only the detector can.

    Parameters
    ----------
    places : of `questions_of`
    answers : of `spinome.review.answers.candidates_said`
    """
    placed = answers.dropna(subset=POSITION)
    return placed[match(places, placed) < 0]
