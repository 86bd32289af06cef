"""Every table of shared voxels against one that is counted voxel by voxel."""

from collections import Counter

import numpy as np
import pytest

from spinome.scores.overlap import object_overlaps, overlap_table, overlaps

BIG = (1 << 62) + 3


@pytest.fixture(params=[np.int64, np.uint8, np.uint64])
def volumes(request):
    rng = np.random.default_rng(0)
    factor = BIG // 9 if request.param is np.uint64 else 3
    return [(rng.integers(0, 9, (5, 20, 20)).astype(request.param) * request.param(factor)) for _ in range(2)]


def counted(first, second):
    return sorted(Counter(zip(first.ravel().tolist(), second.ravel().tolist())).items())


def test_overlaps_are_those_of_a_count(volumes):
    pairs, voxels = overlaps(*volumes)
    assert pairs.dtype == np.int64
    assert list(zip(map(tuple, pairs.tolist()), voxels.tolist())) == counted(*volumes)


def test_objects_share_no_background(volumes):
    shared = object_overlaps(*volumes)
    found = [((row.truth, row.found), row.voxels) for row in shared.itertuples()]
    assert found == [(pair, voxels) for pair, voxels in counted(*volumes) if 0 not in pair]


def test_the_table_leaves_out_voxels_without_truth(volumes):
    segments, truth = volumes
    table, names = overlap_table(segments, truth)
    objects = np.unique(truth[truth != 0])
    found = {(int(names[i]), int(objects[j])): n for i, j, n in zip(*table.tocoo().coords, table.tocoo().data)}
    assert found == {pair: voxels for pair, voxels in counted(segments, truth) if pair[1] != 0}


def test_overlaps_of_64_bit_ids():
    segments, truth = np.array([[BIG, BIG, BIG + 1]], np.uint64), np.array([[BIG - 9, 3, 3]], np.uint64)
    pairs, counts = overlaps(segments, truth)
    assert pairs.tolist() == [[BIG, 3], [BIG, BIG - 9], [BIG + 1, 3]] and counts.tolist() == [1, 1, 1]


def test_labels_may_be_masks_and_negative():
    pairs, voxels = overlaps(np.array([True, False, True]), np.array([-1, 4, -1]))
    assert pairs.tolist() == [[0, 4], [1, -1]] and voxels.tolist() == [1, 2]


def test_nothing_shares_nothing():
    empty = np.zeros((0, 3, 3), int)
    assert len(overlaps(empty, empty)[0]) == 0 and object_overlaps(empty, empty).empty
    assert overlap_table(np.ones((2, 2), int), np.zeros((2, 2), int)).table.shape == (0, 0)


@pytest.mark.parametrize("compare", [overlaps, object_overlaps])
def test_shapes_must_agree(compare):
    with pytest.raises(ValueError, match="cannot be compared"):
        compare(np.ones((1, 2, 2), int), np.ones((1, 2, 3), int))
