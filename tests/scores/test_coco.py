import numpy as np
import pytest

from spinome.scores.detection import coco_average_precision


def test_coco_average_precision_by_hand():
    # precision 1 up to recall 1/4 (recalls 0 to 0.25: 26 points), 2/3 up to 2/4 (25 more), nothing beyond
    value = coco_average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 4)
    assert value == pytest.approx((26 * 1 + 25 * 2 / 3) / 101)
    assert coco_average_precision(np.array([0.2, 0.3]), np.array([True, True]), 2) == 1.0
    assert coco_average_precision(np.zeros(0), np.zeros(0, bool), 3) == 0.0
    assert np.isnan(coco_average_precision(np.zeros(0), np.zeros(0, bool), 0))
