"""Segmentation scores agree with their definitions and leave truth 0 out."""

import numpy as np
import pytest
from skimage.metrics import adapted_rand_error, variation_of_information

from spinome.scores.overlap import overlap_table
from spinome.scores.segmentation import merge_rows, object_terms, pool_terms, score_segmentation


@pytest.fixture
def volumes():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, (6, 20, 20))
    segments = np.where(rng.random(truth.shape) < 0.7, truth + 10, rng.integers(1, 9, truth.shape))
    return segments, truth


def test_agrees_with_scikit_image(volumes):
    segments, truth = volumes
    score = score_segmentation(segments, truth)
    split, merge = variation_of_information(truth, segments, ignore_labels=[0])
    assert score.vi_split == pytest.approx(split)
    assert score.vi_merge == pytest.approx(merge)
    assert score.rand_error == pytest.approx(adapted_rand_error(truth, segments, ignore_labels=[0])[0])


def test_perfect_and_worst(volumes):
    _, truth = volumes
    assert score_segmentation(truth * 7 + 3, truth) == pytest.approx((0, 0, 0))
    whole = score_segmentation(np.ones_like(truth), truth)
    assert whole.vi_split == 0 and whole.vi_merge > 2


def test_background_of_the_truth_does_not_count(volumes):
    segments, truth = volumes
    changed = np.where(truth == 0, 999, segments)
    assert score_segmentation(changed, truth) == score_segmentation(segments, truth)


def test_merging_rows_equals_merging_segments(volumes):
    segments, truth = volumes
    table, names = overlap_table(segments, truth)
    merged = merge_rows(table, names // 4)
    assert pool_terms(object_terms(merged)) == pytest.approx(score_segmentation(segments // 4, truth))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shape"):
        score_segmentation(np.ones((2, 2, 2), int), np.ones((2, 2, 3), int))
