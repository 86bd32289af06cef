"""What the forest of links learns from answers, and when the old one is kept."""

import numpy as np
import pandas as pd
import pytest

from spinome.columns import POSITION
from spinome.linking.candidates import COLUMNS, FEATURES
from spinome.linking.measure import INSIDE
from spinome.review.answers import NEXT, Answers, standing
from spinome.review.learn_links import (
    LEAST_LINKED,
    asked_about,
    held_against,
    learn,
    links_said,
    numbered,
    outcome,
    taught,
    teach,
)
from spinome.review.questions import in_order

SHAFTS = 12


def candidates_of(count=120, seed=0):
    """Orphans with four candidates, of which the nearest is the shaft of nine in ten; the others have none."""
    rng = np.random.default_rng(seed)
    orphan = np.repeat(np.arange(1, count + 1), 4)
    shaft = np.concatenate([1000 + rng.choice(SHAFTS, 4, replace=False) for _ in range(count)])
    frame = pd.DataFrame({name: rng.normal(size=len(orphan)) for name in COLUMNS})
    # of those without a shaft all candidates are far
    none = np.arange(1, count + 1) % 10 == 0
    frame["distance_nm"] = np.where(np.repeat(none, 4), 900, 0) + rng.uniform(50, 300, len(orphan))
    frame = frame.assign(orphan=orphan, shaft=shaft, end=0, forward_nm=frame["distance_nm"])
    nearest = frame.loc[frame.groupby("orphan")["distance_nm"].idxmin()].set_index("orphan")["shaft"]
    said = nearest.where(~none, 0)
    behind = frame.groupby("orphan")["distance_nm"].transform("min")
    return frame.assign(distance_nm_behind=frame["distance_nm"] - behind), said


def test_a_forest_that_learned_is_taken():
    frame, said = candidates_of()
    old = np.random.default_rng(1).random(len(frame)) * 0.5
    weight = np.where(np.arange(80) % 4 == 0, 2.0, 0.0)
    forest, row = learn(frame, said.iloc[:80], weight, old, (0.5, 0.5), 0)
    assert row["taken"] and row["held_out"] == 20 and row["new_right"] > row["old_right"]
    new = forest.predict_proba(frame[FEATURES].to_numpy(np.float32))[:, 1]
    _, right = outcome(frame, new, said.iloc[80:], 0.5)
    _, before = outcome(frame, old, said.iloc[80:], 0.5)
    assert right.mean() > 0.8 > 0.6 > before.mean()


def test_the_old_forest_is_kept_where_the_new_one_is_no_better():
    frame, said = candidates_of()
    wise = np.where(frame["shaft"].to_numpy() == frame["orphan"].map(said).to_numpy(), 0.99999, 0.00001)
    weight = np.where(np.arange(60) % 4 == 0, 1.0, 0.0)
    forest, row = learn(frame, said.iloc[:60], weight, wise, (0.5, 0.5), 0)
    assert forest is None and row["reason"].startswith("not better") and row["old_right"] == pytest.approx(1)
    forest, row = learn(frame, said.iloc[: LEAST_LINKED - 1], np.zeros(LEAST_LINKED - 1), wise, (0.5, 0.5), 0)
    assert forest is None and "fewer than" in row["reason"] and row["linked"] == LEAST_LINKED - 1


def test_each_forest_links_from_its_own_threshold():
    frame, said = candidates_of()
    right = np.where(frame["shaft"].to_numpy() == frame["orphan"].map(said).to_numpy(), 0.4, 0.01)
    for thresholds, shares in (((0.3, 0.6), (True, False)), ((0.6, 0.3), (False, True))):
        verdict = held_against(frame, right, right, said, np.ones(len(said)), thresholds)
        assert (verdict.old > 0.9, verdict.new > 0.9) == shares and verdict.gain == 0


def test_too_few_answers_teach_nothing():
    frame, said = candidates_of()
    assert teach(frame, said.iloc[: LEAST_LINKED - 1], 0) is None
    # nor do those that all name one shaft
    one = frame.assign(shaft=np.where(frame["shaft"] == frame["orphan"].map(said), 1000, frame["shaft"] + 50))
    assert teach(one, said.where(said == 0, 1000), 0) is None


def test_outcome_says_how_likely_the_answer_was():
    frame = pd.DataFrame({"orphan": [1, 1, 2, 2], "shaft": [7, 8, 7, 8], "distance_nm": 1.0})
    likely, right = outcome(frame, np.array([0.8, 0.2, 0.1, 0.1]), pd.Series({1: 7, 2: 0, 3: 9}), 0.5)
    odds = np.array([4, 0.25])
    assert likely == pytest.approx([odds[0] / (1 + odds.sum()), 1 / (1 + 2 / 9), 0.0])
    assert right.tolist() == [True, True, False]


def asked(count):
    places = dict(zip(INSIDE, [np.full(count, 100.0), np.arange(count) * 1000.0, np.full(count, 100.0)]))
    return pd.DataFrame({"volume": "v", "segment": np.arange(1, count + 1), **places})


def test_answers_find_their_orphans_and_the_shafts_of_today(tmp_path):
    questions = asked_about(asked(12))
    answers = Answers(tmp_path / "answers.parquet")
    order = [row for row, _ in in_order(questions, np.zeros(12, bool), 0)]
    for number, row in enumerate(order):
        place = {axis: float(questions.loc[row, axis]) for axis in POSITION}
        one = {"kind": "link", "unit": "v", "who": "ann", "drawn": "random", **place}
        if number == 0:
            one |= {"answer": "no orphan"}
        elif number == 1:
            one |= {"answer": "none of them"}
        else:
            # the number of then is not that of today
            one |= {"answer": "shaft", "chosen": 5, **dict.fromkeys(NEXT, 9.0 if number == 2 else 3.0)}
        answers.append(one)
    said = links_said(standing(answers.read()))
    rows, shaft, weight = taught(questions, said, lambda volume, place: 0 if place[0] == 9 else 77, 0)
    # of the third one there is no shaft any more, and the first is no orphan
    assert sorted(rows) == sorted(order[1:2] + order[3:])
    assert dict(zip(rows, shaft))[order[1]] == 0 and sorted(set(shaft)) == [0, 77]
    # the first question of the lot has no answer that counts, so none stands for the others
    assert (weight >= 0).all() and len(weight) == len(rows)


def test_segments_of_two_volumes_have_different_numbers():
    orphans = pd.DataFrame({"volume": ["a", "b"], "segment": [3, 3]})
    candidates = pd.DataFrame({"volume": ["a", "b", "b"], "orphan": [3, 3, 3], "shaft": [4, 4, 5]})
    orphans, candidates, number = numbered(orphans, candidates)
    assert orphans["segment"].nunique() == 2 and candidates["shaft"].nunique() == 3
    assert candidates["orphan"].tolist() == orphans["segment"].iloc[[0, 1, 1]].tolist()
    assert number("b", 5) == candidates["shaft"].iloc[2]
    assert number("b", 99) not in {*candidates["shaft"], *candidates["orphan"]}
