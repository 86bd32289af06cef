"""Objects matched one to one: no object counts twice, and the known ways to cheat do not pay."""

import numpy as np
import pandas as pd
import pytest

from spinome.scores.objects import (
    Matched,
    average_precision,
    average_precision_interval,
    intervals,
    leave_out,
    match_one_to_one,
    object_labels,
    outcome,
    partners,
    pool,
    precision_recall_curve,
    precision_recall_f1,
    published_counts,
)
from spinome.scores.overlap import object_overlaps


def squares(centres, side, shape=(2, 60, 60)):
    labels = np.zeros(shape, np.int64)
    for number, (y, x) in enumerate(centres, start=1):
        labels[:, y : y + side, x : x + side] = number
    return labels


def compared(truth, found, scores=None):
    truth_ids, found_ids = (np.unique(labels[labels > 0]) for labels in (truth, found))
    shared = object_overlaps(truth, found)
    scores = np.ones(len(found_ids)) if scores is None else scores
    return outcome(match_one_to_one(shared), truth_ids, found_ids, scores), shared


GRID = [(y, x) for y in (5, 25, 45) for x in (5, 25, 45)]


def test_equal_objects_score_one():
    truth = squares(GRID, 8)
    result, shared = compared(truth, truth)
    assert precision_recall_f1(result) == (1, 1, 1)
    assert average_precision(result) == 1
    assert shared["voxels"].tolist() == [128] * 9


def test_one_object_over_everything_finds_one():
    truth, everything = squares(GRID, 8), np.ones((2, 60, 60), np.int64)
    result, shared = compared(truth, everything)
    precision, recall, f1 = precision_recall_f1(result)
    assert (precision, recall) == (1, 1 / 9)
    assert f1 == pytest.approx(0.2)
    assert published_counts(shared, 9, 1) == (1, 1, 9, 9)  # the published rule is satisfied


def test_fragments_count_as_false():
    truth = squares([(5, 5)], 20)
    fragments = squares([(y, x) for y in (5, 12, 19) for x in (5, 12, 19)], 5)
    assert precision_recall_f1(compared(truth, fragments)[0]) == (1 / 9, 1, 0.2)


def test_largest_number_of_pairs_goes_before_the_largest_overlap():
    shared = pd.DataFrame({"truth": [1, 1, 2], "found": [1, 2, 1], "voxels": [100, 20, 20]})
    matched = match_one_to_one(shared)
    assert sorted(zip(matched["truth"], matched["found"])) == [(1, 2), (2, 1)]


def test_among_equal_numbers_the_overlap_decides():
    shared = pd.DataFrame({"truth": [1, 1, 2, 2], "found": [1, 2, 1, 2], "voxels": [30, 40, 40, 30]})
    matched = match_one_to_one(shared)
    assert sorted(zip(matched["truth"], matched["found"])) == [(1, 2), (2, 1)]


def test_small_overlaps_do_not_count():
    truth, found = squares([(5, 5)], 2), squares([(5, 5)], 2)
    assert precision_recall_f1(compared(truth, found)[0])[:2] == (0, 0)  # eight voxels


def test_nothing_found_and_nothing_true():
    truth, nothing = squares(GRID, 8), np.zeros((2, 60, 60), np.int64)
    precision, recall, f1 = precision_recall_f1(compared(truth, nothing)[0])
    assert np.isnan(precision) and (recall, f1) == (0, 0)
    assert np.isnan(average_precision(compared(nothing, truth)[0]))
    assert average_precision(compared(truth, nothing)[0]) == 0


def test_average_precision_by_hand():
    result = Matched(
        np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]), np.array([True, True, False, False])
    )
    precision, recall = precision_recall_curve(result)
    assert precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    assert recall.tolist() == [0.25, 0.25, 0.5, 0.5]
    assert average_precision(result) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)


def test_intervals_hold_the_value_and_shrink_with_more_objects():
    few, many = squares(GRID, 8), None
    found = few * (few > 3)
    result, _ = compared(few, found)
    many = pool([result] * 20)
    for value, (low, high), (low_many, high_many) in zip(
        precision_recall_f1(result), intervals(result), intervals(many)
    ):
        assert low <= value <= high
        assert high_many - low_many <= high - low


def test_true_objects_left_out_take_their_found_ones_along():
    matched = pd.DataFrame({"truth": [4, 9], "found": [7, 3], "voxels": [20, 20]})
    truth_ids, found_ids = np.array([4, 5, 9]), np.array([3, 7, 8])
    partner = partners(matched, truth_ids, found_ids)
    assert partner.tolist() == [2, 0, -1]
    result = outcome(matched, truth_ids, found_ids, np.array([0.1, 0.2, 0.3]))
    rest = leave_out(result, partner, np.array([False, False, True]))
    assert rest.found_score.tolist() == [0.2, 0.3]
    assert rest.found_true.tolist() == [True, False]
    assert rest.truth_found.tolist() == [True, False]


def test_objects_of_a_mask_touch_by_an_edge_and_not_by_a_corner():
    mask = np.zeros((2, 3, 4), np.uint8)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 2, 2] = 1
    for objects in (object_labels(mask), object_labels(mask * np.uint8(255)), object_labels(mask.astype(bool))):
        assert objects[0, 0, 0] == objects[0, 1, 1] != objects[1, 2, 2] and objects.max() == 2
    # labels are kept: of several objects, and of one alone
    mask[1, 2, 2] = 7
    for labels in (mask, np.where(mask == 7, mask, 0), np.zeros_like(mask)):
        assert np.array_equal(object_labels(labels), labels)


def test_the_interval_of_the_average_precision_holds_it_and_narrows_with_objects():
    rng = np.random.default_rng(0)
    widths = []
    for number in (20, 400):
        true = rng.random(number) < 0.7
        score = rng.random(number) + true
        result = Matched(score, true, np.repeat([True, False], [true.sum(), number // 5]))
        low, high = average_precision_interval(result)
        assert low < average_precision(result) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
