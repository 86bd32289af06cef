"""What is measured in cuboids adds up to what is measured in the whole volume, however it is cut."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from spinome.cuboids import cuboids
from spinome.gaps import gap_table
from spinome.linking.measure import (
    INSIDE,
    centroids,
    join_measured,
    join_nearest,
    measure,
    nearest_voxels,
    read_measured,
    save_measured,
    with_inside,
)
from spinome.linking.typing import measure_segments
from volumes import draw_cut, draw_labels, draw_shape

WHOLE = (1, 1, 1)


def cut_up(labels, voxel_nm, size, lost=(), gaps=None):
    """The table of segments from cuboids of a size; those named in `lost` failed."""
    blocks = [block for block in cuboids(labels.shape, size) if block.name not in lost]
    parts = [measure(lambda box: labels[box], block, labels.shape, voxel_nm, gaps) for block in blocks]
    missing = gap_table(labels.shape, size, {block.name for block in blocks}, voxel_nm)
    frame = join_measured(lambda: parts[::-1], labels.shape, voxel_nm, WHOLE, missing)
    ids, centres, nearest = frame["segment"].to_numpy().astype(np.uint64), centroids(frame, voxel_nm), []
    for block in blocks[::-1]:
        nearest.append((ids, *nearest_voxels(labels[block.core].astype(np.uint64), block, ids, centres, voxel_nm)))
    return with_inside(frame, join_nearest(nearest, ids), voxel_nm, WHOLE)


@settings(max_examples=150)
@given(st.randoms())
def test_any_cuboids_measure_the_segments_of_the_whole(random):
    shape = draw_shape(random)
    labels, size = draw_labels(random, shape), draw_cut(random, shape)
    assume(labels.any())
    if labels.dtype == np.uint64:
        # tables of segments hold 64 bits with a sign, and what is above is refused when a volume is read
        labels = labels & np.uint64(2**63 - 1)
        assume(labels.any())
    # of whole sizes every distance is exact
    voxel_nm = random.choice([(40.0, 24.0, 24.0), (10.0, 10.0, 10.0), (300.0, 30.0, 30.0)])
    note(f"cuboids of {size} in {shape}")
    whole = measure_segments(labels.astype(np.uint8) if labels.dtype == bool else labels, voxel_nm, WHOLE)
    labels = labels.astype(np.uint8) if labels.dtype == bool else labels
    pd.testing.assert_frame_equal(cut_up(labels, voxel_nm, size), whole, check_exact=True)


def test_a_thick_segment_is_as_thick_in_small_cuboids():
    labels = np.zeros((40, 90, 90), np.uint64)
    z, y, x = np.ogrid[:40, :90, :90]
    labels[((z - 20) * 40) ** 2 + ((y - 45) * 24) ** 2 + ((x - 45) * 24) ** 2 < 790**2] = 2**63 - 1
    labels[labels == 0] = 7
    whole = measure_segments(labels, (40.0, 24.0, 24.0), WHOLE)
    assert whole["thickest_nm"].iloc[1] > 700
    pd.testing.assert_frame_equal(cut_up(labels, (40.0, 24.0, 24.0), (9, 20, 89)), whole, check_exact=True)
    uneven = (40.0, 21.48, 7.16)
    pd.testing.assert_frame_equal(cut_up(labels, uneven, (9, 20, 89)), measure_segments(labels, uneven, WHOLE))


def test_what_reaches_a_cuboid_that_failed_is_cut():
    labels = np.zeros((5, 5, 30), np.uint64)
    labels[1:4, 1:4, 2:8], labels[1:4, 1:4, 8:12], labels[1:4, 1:4, 22:28] = 1, 2, 3
    table = cut_up(labels, (10.0, 10.0, 10.0), (5, 5, 10), lost=["0-0-10"]).set_index("segment")
    assert table["on_edge"].to_dict() == {1: False, 2: True, 3: False}
    assert table["voxels"].to_dict() == {1: 54, 2: 18, 3: 54}
    assert np.isfinite(table[list(INSIDE)].to_numpy()).all()


@pytest.mark.parametrize("size", [(5, 5, 30), (5, 5, 7), (2, 2, 2)])
def test_what_touches_a_gap_is_cut(size):
    labels = np.zeros((5, 5, 30), np.uint64)
    labels[1:4, 1:4, 2:8], labels[1:4, 1:4, 8:10], labels[1:4, 1:4, 22:28] = 1, 2, 3
    gaps = gap_table(labels.shape, (5, 5, 10), {"0-0-0", "0-0-20"}, (10.0, 10.0, 10.0))
    table = cut_up(labels, (10.0, 10.0, 10.0), size, gaps=gaps).set_index("segment")
    assert table["on_edge"].to_dict() == {1: False, 2: True, 3: False}


def test_what_is_written_is_read(tmp_path):
    labels = np.ones((2, 3, 4), np.uint8)
    (whole,) = cuboids(labels.shape, labels.shape)
    part = measure(lambda box: labels[box], whole, labels.shape, (1.0, 1.0, 1.0))
    save_measured(tmp_path / "part", part)
    for name, values in vars(read_measured(tmp_path / "part")).items():
        np.testing.assert_array_equal(values, getattr(part, name))
