import numpy as np
import pytest

from spinome.scores.detection import average_precision, match_boxes, precision_recall


def test_the_best_box_takes_the_truth_and_a_second_one_is_false():
    true = np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    # overlaps of 1/1, 5/15 and none with the first; the second is left to the box that overlaps it by 6/14
    found = np.array([[5.0, 0, 15, 10], [0, 0, 10, 10], [24, 0, 34, 10], [50, 50, 60, 60]])
    scores = np.array([0.5, 0.9, 0.3, 0.8])
    assert match_boxes(found, scores, true, 0.3).tolist() == [False, True, True, False]
    assert match_boxes(found, scores, true, 0.5).tolist() == [False, True, False, False]
    assert match_boxes(found, scores[[1, 0, 2, 3]], true, 0.3).tolist() == [True, False, True, False]
    assert match_boxes(found, scores, true[:0], 0.3).tolist() == [False] * 4


def test_precision_recall_of_counts():
    assert precision_recall(6, 2, 4) == (0.75, 0.6, pytest.approx(2 / 3))
    assert precision_recall(0, 3, 4)[2] == 0
    assert np.isnan(precision_recall(0, 0, 4)[0])


def test_average_precision_by_hand():
    # hits at ranks 1 and 3 of 3, four truths: precision 1 to recall 1/4, 2/3 to recall 2/4
    value = average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 4)
    assert value == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    assert average_precision(np.array([0.2, 0.3]), np.array([True, True]), 2) == 1.0
    assert average_precision(np.zeros(0), np.zeros(0, bool), 3) == 0.0
    assert np.isnan(average_precision(np.zeros(0), np.zeros(0, bool), 0))
