"""What a judge learns from answers, and when the old one is kept."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.held_out import best_threshold
from spinome.review.learn import LEAST_OF_EACH, learn, questions_of, taught, teach, without_answer
from spinome.review.questions import in_order


def judged(count=400, seed=0):
    """Candidates far from each other, of which the first feature tells nearly all and the old judge little."""
    rng = np.random.default_rng(seed)
    place = {"z_um": 3.0, "y_um": np.arange(count) * 4.0, "x_um": 5.0}
    features = rng.normal(size=(count, 6))
    true = features[:, 0] + 0.3 * rng.normal(size=count) > 0.5
    score = 1 / (1 + np.exp(-(0.8 * features[:, 1] + 0.5 * true)))
    frame = pd.DataFrame({"specimen": "m", "field": "f", "timepoint": "0", "candidate": range(count), **place})
    return frame.assign(score=score, accepted=score >= 0.5), features, true


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
    rows, spine, held, weight = taught(frame, told(tmp_path, frame, true, 120), 0)
    assert len(rows) == 120 and (spine == true[rows]).all()
    assert 25 <= held.sum() <= 60
    assert weight.sum() == pytest.approx(len(frame))
    assert (weight[~held] == 0).all()
    # an estimate by these answers is one of all candidates
    assert (weight * spine).sum() / weight.sum() == pytest.approx(true.mean(), abs=0.15)


def test_a_new_judge_is_better_on_what_it_has_not_seen(tmp_path):
    frame, features, true = judged()
    rows, spine, held, _ = taught(frame, told(tmp_path, frame, true, 200), 0)
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
    taken, row, threshold = learn(frame, features, groups, answers, 0.5, 0)
    assert taken is not None and row.loc[0, "taken"] and row.loc[0, "answers"] == 200
    assert 0 < threshold < 1 and row.loc[0, "people"] == "ann"
    # a judge that knows what there is to know learns nothing from a few answers
    wise = frame.assign(score=1 / (1 + np.exp(-6 * (features[:, 0] - 0.5))))
    wise["accepted"] = wise["score"] >= 0.5
    few = told(tmp_path / "few", wise, true, 60)
    kept, row, threshold = learn(wise, features, groups, few, 0.5, 0)
    assert kept is None and threshold == 0.5 and row.loc[0, "reason"].startswith("not better")
    none, row, _ = learn(frame, features, groups, answers[:4], 0.5, 0)
    assert none is None and "fewer than" in row.loc[0, "reason"]


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
    rows, spine, _, _ = taught(frame, said, 0)
    # the second mark lies between two candidates, and of the third thing people say different things
    assert rows.tolist() == [1] and spine.tolist() == [True]
    assert without_answer(questions_of(frame), said) == 1
