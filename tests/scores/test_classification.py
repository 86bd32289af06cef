import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from spinome.scores.classification import (
    accuracy,
    calibration,
    classification_rows,
    confusions,
    covered,
    f1_scores,
    weighted_f1,
)

rng = np.random.default_rng(0)
TRUTH = rng.integers(0, 3, 500)
FOUND = np.where(rng.random(500) < 0.7, TRUTH, rng.integers(0, 3, 500))
GROUP = rng.integers(0, 12, 500)


def test_scores_equal_those_of_scikit_learn():
    total = confusions(TRUTH, FOUND, GROUP, 3).sum(axis=0)
    assert f1_scores(total) == pytest.approx(f1_score(TRUTH, FOUND, average=None))
    assert weighted_f1(total) == pytest.approx(f1_score(TRUTH, FOUND, average="weighted"))
    assert accuracy(total) == pytest.approx(accuracy_score(TRUTH, FOUND))


def test_what_has_no_class_counts_as_missed():
    found = FOUND.copy()
    found[:100] = -1
    total = confusions(TRUTH, found, GROUP, 3).sum(axis=0)
    assert covered(total) == pytest.approx(0.8)
    assert accuracy(total) == pytest.approx(np.mean(found == TRUTH))


def test_a_class_that_is_nowhere_has_no_score():
    total = confusions(np.zeros(5, int), np.zeros(5, int), np.zeros(5), 3).sum(axis=0)
    assert f1_scores(total)[0] == 1 and np.isnan(f1_scores(total)[1:]).all()
    assert weighted_f1(total) == 1


def test_rows_have_intervals_around_the_value():
    rows = {row["metric"]: row for row in classification_rows(confusions(TRUTH, FOUND, GROUP, 3), "abc", "x", "things")}
    assert rows["x_weighted_f1"]["n"] == 500
    assert rows["x_recall_b"]["n"] == np.sum(TRUTH == 1)
    for row in rows.values():
        assert row["ci_low"] <= row["value"] <= row["ci_high"]


def test_calibration_of_a_sure_and_right_classifier():
    table = calibration(np.array([0.95, 0.99, 0.55, 0.52]), np.array([True, True, True, False]))
    assert table["observed"].tolist() == [0.5, 1.0]
    assert table["n"].tolist() == [2, 2]
