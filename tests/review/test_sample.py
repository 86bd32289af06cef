"""Answers to questions drawn by lot, from which the machine's error is estimated."""

import numpy as np

from made_questions import answers_to, judged
from spinome.review.questions import lot, spine_questions
from spinome.review.sample import SAMPLE_COLUMNS, sample

SEED = 3


def questions_of(accepted, others):
    scores = np.r_[np.full(accepted, 0.8), np.full(others, 0.2)]
    return spine_questions(judged(scores, scores > 0.5), "p")


def test_answers_count_from_the_start_of_both_lots():
    questions = questions_of(30, 40)
    found, rest = (lot(questions, SEED, counted) for counted in (True, False))
    # of the rest the fourth of the lot is open, and one further down was asked for its worth
    rows = [*found[:6], *rest[:3], rest[9]]
    asked = sample(questions, answers_to(questions, rows, ["spine"] * 5 + ["no spine"] * 5), SEED)
    assert list(asked.columns) == SAMPLE_COLUMNS and len(asked) == 70
    assert sorted(np.flatnonzero(asked["answer"] != "")) == sorted([*found[:6], *rest[:3]])
    assert asked.loc[found[:6], "answer"].tolist() == ["spine"] * 5 + ["no spine"]


def test_without_answers_all_questions_are_open():
    questions = questions_of(3, 2)
    asked = sample(questions, answers_to(questions, [], []), SEED)
    assert (asked["answer"] == "").all() and asked["counted"].sum() == 3
