"""What could not be computed of a volume: where it is, and what touches it."""

import numpy as np
import pytest

from spinome.cuboids import cuboids
from spinome.gaps import GAP_COLUMNS, boxes_at_gaps, gap_boxes, gap_table, in_gap, labels_at_gaps

SHAPE, CUBOID, VOXEL_NM = (8, 10, 12), (4, 5, 6), (40.0, 10.0, 10.0)


@pytest.fixture
def gaps():
    """The first cuboid and the last."""
    names = [block.name for block in cuboids(SHAPE, CUBOID)]
    return gap_table(SHAPE, CUBOID, names[1:-1], VOXEL_NM)


def test_cuboids_that_are_not_finished_are_gaps(gaps):
    assert list(gaps.columns) == GAP_COLUMNS
    assert gaps[["z0", "z1", "y0", "y1", "x0", "x1"]].to_numpy().tolist() == [[0, 4, 0, 5, 0, 6], [4, 8, 5, 10, 6, 12]]
    assert gaps.loc[1, ["z0_nm", "z1_nm", "y1_nm", "x0_nm"]].tolist() == [160, 320, 100, 60]
    none = gap_table(SHAPE, CUBOID, [block.name for block in cuboids(SHAPE, CUBOID)], VOXEL_NM)
    assert none.empty and list(none.columns) == GAP_COLUMNS and gap_boxes(none) == []


def test_boxes_cover_the_gap_in_thinned_voxels_too(gaps):
    array = np.zeros(SHAPE, bool)
    for box in gap_boxes(gaps):
        array[box] = True
    assert array.sum() == 2 * 4 * 5 * 6
    thinned = np.zeros((8, 4, 4), bool)
    for box in gap_boxes(gaps, (1, 3, 3)):
        thinned[box] = True
    assert (thinned | ~array[:, ::3, ::3]).all()


def test_labels_that_touch_a_gap(gaps):
    labels = np.zeros(SHAPE, np.uint64)
    labels[2, 2, 2], labels[2, 5, 2], labels[2, 6, 2], labels[7, 4, 6] = 1, 2**60 + 1, 3, 4
    # beside a face, and not one voxel farther
    assert labels_at_gaps(labels, gaps).tolist() == [1, 4, 2**60 + 1]
    assert labels_at_gaps(labels, gaps.iloc[:0]).tolist() == []


def test_boxes_that_touch_a_gap(gaps):
    low = np.array([[0, 5, 0], [0, 6, 0], [4, 5, 6], [0, 5, 7]])
    assert boxes_at_gaps(low, low + np.array([0, 1, 0]), gaps).tolist() == [True, False, True, False]
    assert boxes_at_gaps(low, low, gaps.iloc[:0]).tolist() == [False] * 4


def test_points_in_a_gap_or_near_one(gaps):
    points = np.array([[80.0, 20, 30], [80, 70, 30], [300, 70, 100]])
    assert in_gap(points, gaps).tolist() == [True, False, True]
    assert in_gap(points, gaps, np.array([0.0, 25, 0])).tolist() == [True] * 3
    assert in_gap(points, gaps.iloc[:0]).tolist() == [False] * 3
