"""Objects counted in blocks: more than half, nothing masked, and what falls between is told."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinome.cuboids import cuboids
from spinome.gaps import gap_table
from spinome.synapses.density.blocks import (
    CUT,
    MASKED,
    SPLIT,
    assign_blocks,
    block_axes,
    block_table,
    blocks_at_gaps,
    count_voxels,
    cut_objects,
    gather_counts,
)
from spinome.synapses.objects.run_labelling import VALUE, find_runs
from volumes import draw_cut, draw_mask, draw_objects, draw_shape

VOXEL_NM = (50.0, 10.0, 10.0)
BLOCK_UM = (0.2, 0.1, 0.1)  # 4 x 10 x 10 voxels


def counted(labels, valid=None, size=None, block_um=BLOCK_UM):
    axes, grid = block_axes(labels.shape, VOXEL_NM, block_um)
    parts = []
    for piece in cuboids(labels.shape, size or labels.shape):
        mask = None if valid is None else valid[piece.core]
        runs = find_runs(labels[piece.core])
        parts.append(count_voxels(runs, runs[:, VALUE], mask, [a[s] for a, s in zip(axes, piece.core)], grid))
    return gather_counts(pd.concat(parts))


def blocks_of(labels, valid=None, size=None, block_um=BLOCK_UM):
    counts = counted(labels, valid, size, block_um)
    assigned = assign_blocks(counts)
    return assigned, block_table(counts, assigned, labels.shape, VOXEL_NM, block_um)


@pytest.mark.parametrize(("left", "right", "block"), [(5, 5, -1), (6, 4, 0), (4, 6, 1)])
def test_more_than_half(left, right, block):
    labels = np.zeros((4, 10, 20), np.uint64)
    labels[0, 0, 10 - left : 10 + right] = 1
    assigned, table = blocks_of(labels)
    assert assigned["block"].tolist() == [block]
    assert assigned["reason"].tolist() == [SPLIT if block < 0 else ""]
    assert table["synapses"].tolist() == [int(block == 0), int(block == 1)]


def test_object_over_four_blocks_belongs_to_none():
    labels = np.zeros((4, 20, 20), np.uint64)
    labels[1, 7:13, 7:13] = 3
    assigned, table = blocks_of(labels)
    assert assigned.to_dict("records") == [{"synapse": 3, "block": -1, "reason": SPLIT}]
    assert table["synapses"].sum() == 0


def test_object_that_touches_the_mask_is_not_counted():
    labels = np.zeros((4, 10, 20), np.uint64)
    labels[0, 2, 2:6], labels[2, 5, 12:16] = 1, 2
    valid = np.ones(labels.shape, bool)
    valid[0, 2, 5] = False
    assigned, table = blocks_of(labels, valid)
    assert assigned["reason"].tolist() == [MASKED, ""]
    assert table["synapses"].tolist() == [0, 1]
    voxel_um3 = np.prod(VOXEL_NM) / 1e9
    assert table["unmasked_um3"].tolist() == pytest.approx([399 * voxel_um3, 400 * voxel_um3])
    assert table["density_um3"].tolist() == pytest.approx([0, 1 / (400 * voxel_um3)])


def with_failed(labels, failed, size=(4, 10, 10)):
    """Objects, and blocks, where some cuboids failed; the objects are those of the other cuboids."""
    axes, grid = block_axes(labels.shape, VOXEL_NM, BLOCK_UM)
    pieces = [piece for piece in cuboids(labels.shape, size) if piece.name not in failed]
    parts, seen = [], np.zeros_like(labels)
    for piece in pieces:
        seen[piece.core] = labels[piece.core]
        runs = find_runs(labels[piece.core])
        parts.append(count_voxels(runs, runs[:, VALUE], None, [a[s] for a, s in zip(axes, piece.core)], grid))
    gaps = gap_table(labels.shape, size, {piece.name for piece in pieces}, VOXEL_NM)
    boxes = [(number, *np.argwhere(seen == number).min(0), *np.argwhere(seen == number).max(0)) for number in (1, 2, 3)]
    objects = pd.DataFrame(boxes, columns=["synapse", "z0", "y0", "x0", "z1", "y1", "x1"])
    counts = gather_counts(pd.concat(parts))
    assigned = assign_blocks(counts, objects["synapse"])
    kept = cut_objects(assigned, objects, gaps)
    unknown = blocks_at_gaps(assigned, kept, gaps, labels.shape, VOXEL_NM, BLOCK_UM)
    return kept, block_table(counts, kept, labels.shape, VOXEL_NM, BLOCK_UM, unknown)


def test_blocks_that_a_failed_cuboid_touches_are_not_known_rather_than_empty():
    labels = np.zeros((4, 10, 40), np.uint64)
    labels[1, 3, 2:6], labels[1, 3, 17:20], labels[2, 8, 31:35] = 1, 2, 3
    whole = with_failed(labels, [])
    assert whole[0]["block"].tolist() == [0, 1, 3] and whole[1]["known"].all()
    # the third cuboid fails: its block is not known, nor is the one whose object may go on in it
    kept, blocks = with_failed(labels, ["0-0-20"])
    assert kept["block"].tolist() == [0, -1, 3] and kept["reason"].tolist() == ["", CUT, ""]
    assert blocks["known"].tolist() == [True, False, False, True]
    assert blocks["synapses"].tolist() == [1, pd.NA, pd.NA, 1]
    for column in ("unmasked_um3", "density_um3"):
        assert blocks[column].isna().tolist() == [False, True, True, False]
    pd.testing.assert_frame_equal(blocks.loc[[0, 3]], whole[1].loc[[0, 3]])


def test_of_a_block_in_several_cuboids_of_which_one_failed_nothing_is_known():
    labels = np.zeros((4, 10, 40), np.uint64)
    labels[1, 3, 2:4], labels[1, 6, 2:4], labels[1, 8, 31:35] = 1, 2, 3
    _, blocks = with_failed(labels, ["0-0-15"], (4, 10, 5))
    assert blocks["known"].tolist() == [True, False, True, True]
    assert blocks["synapses"].tolist() == [2, pd.NA, 0, 1]


def test_masked_block_has_no_density():
    labels, valid = np.zeros((4, 10, 20), np.uint64), np.ones((4, 10, 20), bool)
    valid[:, :, :10] = False
    _, table = blocks_of(labels, valid)
    assert table["unmasked_um3"].tolist() == pytest.approx([0, 0.002])
    assert np.isnan(table["density_um3"][0]) and table["density_um3"][1] == 0


def test_centres_of_blocks_at_the_border():
    _, table = blocks_of(np.zeros((6, 10, 15), np.uint64))
    assert table[["z_nm", "y_nm", "x_nm"]].to_numpy().tolist() == [
        [100, 50, 50],
        [100, 50, 125],
        [250, 50, 50],
        [250, 50, 125],
    ]


def draw_counted(random):
    """Labels from nearly empty to full, a mask, a cut, and blocks from a voxel to more than the volume."""
    shape = draw_shape(random)
    labels, valid = draw_objects(random, shape).astype(np.uint64), draw_mask(random, shape)
    block_um = [random.uniform(1, 1.5 * length) * size / 1000 for length, size in zip(shape, VOXEL_NM)]
    return labels, valid, draw_cut(random, shape), tuple(block_um)


@settings(max_examples=60)
@given(st.randoms())
def test_counts_are_those_of_the_voxels_whatever_the_cuboids(random):
    labels, valid, size, block_um = draw_counted(random)
    axes, grid = block_axes(labels.shape, VOXEL_NM, block_um)
    block = np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), grid)
    hidden = np.zeros(labels.shape, bool) if valid is None else ~valid
    whole = pd.DataFrame({"synapse": 0, "block": block.ravel(), "masked": hidden.ravel()})
    each = whole.assign(synapse=labels.ravel().astype(np.int64)).query("synapse > 0")
    expected = pd.concat([whole, each]).groupby(["synapse", "block"])["masked"].agg(["size", "sum"]).reset_index()
    expected.columns = ["synapse", "block", "voxels", "masked"]
    pd.testing.assert_frame_equal(counted(labels, valid, size, block_um), expected)


@settings(max_examples=40)
@given(st.randoms())
def test_blocks_do_not_depend_on_the_cuboids_and_hold_the_unmasked_volume(random):
    labels, valid, size, block_um = draw_counted(random)
    whole, cut = (blocks_of(labels, valid, pieces, block_um) for pieces in (None, size))
    for expected, table in zip(whole, cut):
        pd.testing.assert_frame_equal(table, expected, check_exact=True)
    shown = labels.size if valid is None else valid.sum()
    assert cut[1]["unmasked_um3"].sum() == pytest.approx(shown * np.prod(VOXEL_NM) / 1e9)
    assert cut[1]["synapses"].sum() == (cut[0]["block"] >= 0).sum()


def test_blocks_smaller_than_voxels():
    with pytest.raises(ValueError, match="smaller than voxels"):
        block_axes((3, 3, 3), VOXEL_NM, (0.01, 1, 1))
