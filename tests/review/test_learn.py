"""What a judge learns from answers, and when the old one is kept."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.candidates import Candidates
from spinome.review.held_out import best_threshold, drawn
from spinome.review.learn import (
    LEAST_FOR_DETECTOR,
    LEAST_OF_EACH,
    Learned,
    learn,
    places_marked,
    places_said,
    questions_of,
    retrained,
    taught,
    teach,
    without_candidate,
)
from spinome.review.questions import answered_by, in_order
from spinome.review.ways import PARTS, parted
from spinome.twophoton.judge import blocks


def judged(count=400, seed=0):
    """Candidates far from each other, of which the first feature tells nearly all and the old judge little."""
    rng = np.random.default_rng(seed)
    place = {"z_um": 3.0, "y_um": np.arange(count) * 4.0, "x_um": 5.0}
    features = rng.normal(size=(count, 6))
    true = features[:, 0] + 0.3 * rng.normal(size=count) > 0.5
    score = 1 / (1 + np.exp(-(0.8 * features[:, 1] + 0.5 * true)))
    frame = pd.DataFrame({"specimen": "m", "field": "f", "timepoint": "0", "candidate": range(count), **place})
    frame["series"] = "m.f"
    return frame.assign(score=score, accepted=score >= 0.5), features, true


def known(frame, features, groups):
    """The same as candidates of a run, whose heads lie where they were found."""
    return Candidates(frame, features, groups, frame["score"].to_numpy(), frame["z_um"].to_numpy(float))


def told(tmp_path, frame, true, count, seed=0):
    questions = questions_of(frame)
    answers = Answers(tmp_path / "answers.parquet")
    rows = in_order(questions, np.zeros(len(questions), bool), seed)[:count]
    names = ["kind", "unit", "z_um", "y_um", "x_um"]
    given = [dict(zip(names, questions.loc[row, names])) | {"drawn": drawn, "who": "ann"} for row, drawn in rows]
    answers.append_all([one | {"answer": "spine" if true[row] else "no spine"} for one, (row, _) in zip(given, rows)])
    return candidates_said(standing(answers.read()), "spine")


def test_answers_find_their_candidates_and_those_by_lot_stand_for_all(tmp_path):
    frame, _, true = judged()
    answers, questions = told(tmp_path, frame, true, 120), questions_of(frame)
    rows, spine = taught(frame, answers)
    weight = drawn(questions, answered_by(questions, answers), 0)
    held = weight > 0
    assert len(rows) == 120 and (spine == true[rows]).all()
    assert 25 <= held.sum() <= 60
    assert weight.sum() == pytest.approx(len(frame))
    assert (weight[~held] == 0).all()
    # an estimate by these answers is one of all candidates
    assert (weight * spine).sum() / weight.sum() == pytest.approx(true.mean(), abs=0.15)


def test_a_new_judge_is_better_on_what_it_has_not_seen(tmp_path):
    frame, features, true = judged()
    rows, spine = taught(frame, told(tmp_path, frame, true, 200))
    held = np.arange(len(rows)) % 4 == 0
    old, groups = frame["score"].to_numpy(), np.arange(len(frame)) // 20
    model = teach(features, rows[~held], spine[~held], old, groups, 0)
    new = model.predict_proba(features)[:, 1]
    rest = np.setdiff1d(np.arange(len(frame)), rows)
    assert log_loss(true[rest], new[rest]) < 0.9 * log_loss(true[rest], old[rest])
    assert 0 < best_threshold(new) < 1


def test_the_whole_takes_the_better_judge_and_keeps_the_old_one_else(tmp_path):
    frame, features, true = judged()
    groups = np.arange(len(frame)) // 20
    answers = told(tmp_path, frame, true, 200)
    taken, row = learn(known(frame, features, groups), answers, 0)
    assert taken.judge is not None and row.loc[0, "taken"] and row.loc[0, "answers"] == 200
    assert taken.detector is None and row.loc[0, "learned"] == "judge"
    assert 0 < taken.threshold < 1 and row.loc[0, "people"] == "ann"
    # a judge that knows what there is to know learns nothing from a few answers
    wise = frame.assign(score=1 / (1 + np.exp(-6 * (features[:, 0] - 0.5))))
    wise["accepted"] = wise["score"] >= 0.5
    few = told(tmp_path / "few", wise, true, 60)
    kept, row = learn(known(wise, features, groups), few, 0)
    assert kept == Learned() and row.loc[0, "reason"].startswith("not better")
    none, row = learn(known(frame, features, groups), answers[:4], 0)
    assert none == Learned() and "fewer than" in row.loc[0, "reason"]


def test_too_few_answers_teach_nothing():
    _, features, true = judged()
    old, groups = np.full(len(true), 0.5), np.arange(len(true)) // 20
    some = np.concatenate([np.flatnonzero(true)[: LEAST_OF_EACH - 1], np.flatnonzero(~true)[:50]])
    assert teach(features, some, true[some], old, groups, 0) is None


def test_marks_by_hand_and_disputes(tmp_path):
    frame, _, _ = judged(10)
    answers = Answers(tmp_path / "answers.parquet")
    place = {"unit": "m.f.0", "z_um": 3.0, "x_um": 5.0}
    answers.append(
        place | {"kind": "missed spine", "answer": "missed spine", "y_um": 4.2, "who": "a", "drawn": "by hand"}
    )
    answers.append(
        place | {"kind": "missed spine", "answer": "missed spine", "y_um": 6.0, "who": "a", "drawn": "by hand"}
    )
    for who, said in (("a", "spine"), ("b", "no spine")):
        answers.append(place | {"kind": "spine", "answer": said, "y_um": 12.0, "who": who, "drawn": "active"})
    said = candidates_said(standing(answers.read()), "spine")
    rows, spine = taught(frame, said)
    # the second mark lies between two candidates, and of the third thing people say different things
    assert rows.tolist() == [1] and spine.tolist() == [True]
    assert len(without_candidate(questions_of(frame), said)) == 1


class Finds:
    """A detector that sees in candidates what the judge of before does not, and notes what it was told."""

    def __init__(self, frame, features, true, knows):
        self.frame, self.features, self.true, self.knows, self.calls = frame, features, true, knows, []

    def __call__(self, said, near):
        self.calls.append(said)
        if not (said["spine"].any() and (~said["spine"]).any()):
            return None
        chance = np.where(self.true, 0.95, 0.05) if self.knows else np.full(len(self.true), 0.5)
        found = self.frame.assign(score=chance, accepted=chance >= 0.5)[::-1].reset_index(drop=True)
        return "detector", known(found, self.features[::-1], np.arange(len(found)) // 20), ["m.f.0"]


def test_a_detector_is_taken_where_it_finds_what_the_judge_cannot_tell(tmp_path):
    frame, _, true = judged()
    noise = np.random.default_rng(1).normal(size=(len(frame), 6))
    answers, groups = told(tmp_path, frame, true, 200), np.arange(len(frame)) // 20
    seeing = Finds(frame, noise, true, True)
    learned, row = learn(known(frame, noise, groups), answers, 0, seeing)
    assert learned.detector == "detector" and learned.judge is None and row.loc[0, "learned"] == "detector"
    # each answer teaches all of the networks that are compared but the one that is asked about it, and the last one
    *compared, every = (set(zip(said["unit"], said["candidate"])) for said in seeing.calls)
    assert len(compared) == PARTS and all(sum(one in own for own in compared) == PARTS - 1 for one in every)
    assert len(every) == 200 and 50 <= row.loc[0, "held_out"] < 200
    blind = Finds(frame, noise, true, False)
    kept, row = learn(known(frame, noise, groups), answers, 0, blind)
    assert kept.detector is None and "detector" not in row.loc[0, "learned"] and len(blind.calls) == PARTS
    # of few answers no detector learns
    few = Finds(frame, noise, true, True)
    learn(known(frame, noise, groups), answers[: LEAST_FOR_DETECTOR - 1], 0, few)
    assert not few.calls


def test_a_judge_learns_from_what_a_new_detector_finds(tmp_path):
    frame, features, true = judged()
    # it finds one more thing at each place that nobody was asked about, and its candidates tell more
    better = np.column_stack([features, np.where(true, 1.0, -1.0)])
    answers, groups = told(tmp_path, frame, true, 200), np.arange(len(frame)) // 20
    course = Finds(frame, better, true, False)
    about = answered_by(questions_of(frame), answers)
    part = parted(groups[about.index], (about["answer"] == "spine").to_numpy(), 0)
    made = retrained(known(frame, features, groups), answers, about, part, course, 0)
    assert list(made.said) == ["detector", "detector and judge"] and made.looked.all()
    spine = (about["answer"] == "spine").to_numpy()
    assert ((made.said["detector and judge"].likely > 0.5) == spine).mean() > 0.95
    learned = made.finish("detector and judge")
    assert learned.detector == "detector" and 0 < learned.threshold < 1
    assert (learned.judge.predict_proba(better)[:, 1] > 0.5).tolist() == pytest.approx(true.tolist(), abs=1)


def test_a_mark_teaches_no_detector_that_is_asked_about_what_lies_around_it(tmp_path):
    frame, features, true = judged(60)
    answers = told(tmp_path, frame, true, 60)
    groups, about = blocks(frame, "m.f"), answered_by(questions_of(frame), answers)
    mark = {"answer_id": "mark", "answer": "spine", "z_um": 3.0, "y_um": 6.0, "x_um": 5.0, "seen_z_um": np.nan}
    answers = pd.concat([answers, pd.DataFrame([answers.iloc[0].to_dict() | mark])], ignore_index=True)
    part, course = parted(groups, true[about.index], 0), Finds(frame, features, true, False)
    retrained(known(frame, features, groups), answers, about, part, course, 0)
    there = int(part[about.index.get_loc(1)])
    assert [(said["candidate"] < 0).sum() for said in course.calls] == [int(place != there) for place in range(PARTS)]


def test_marks_and_depths_are_told_to_the_detector(tmp_path):
    frame, features, _ = judged(10)
    place = {"unit": "m.f.0", "x_um": 5.0, "who": "a", "answer_id": "1", "kind": "spine", "drawn": "active"}
    answers = pd.DataFrame(
        [
            place | {"z_um": 3.0, "y_um": 4.0, "answer": "spine", "seen_z_um": 5.0},
            place | {"z_um": 3.0, "y_um": 8.0, "answer": "spine", "seen_z_um": np.nan},
            place | {"z_um": 7.0, "y_um": 2.0, "answer": "spine", "seen_z_um": np.nan},
        ]
    ).assign(next_unit="")
    deeper = Candidates(frame, features, np.arange(10), frame["score"].to_numpy(), frame["z_um"].to_numpy() + 0.5)
    about = answered_by(questions_of(frame), answers)
    assert places_said(deeper, about)[["candidate", "head_um"]].to_numpy().tolist() == [[1, 5.0], [2, 3.5]]
    marked = places_marked(without_candidate(questions_of(frame), answers))
    assert marked[["candidate", "head_um", "spine"]].to_numpy().tolist() == [[-1, 7.0, True]]
