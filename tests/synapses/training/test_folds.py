"""Slabs cover a volume, and what is close to one does not train its classifier."""

import numpy as np

from spinome.synapses.training.folds import (
    BUFFER_NM,
    SLABS,
    around_slabs,
    far_from_slabs,
    folds_of,
    slab_of,
    slab_width,
    synapse_boxes,
    synapse_volumes,
)

VOXEL_NM = (45.0, 8.0, 8.0)


def test_columns_around_a_slab_are_those_beyond_its_buffer():
    width = 411
    far = far_from_slabs(np.arange(width), width, VOXEL_NM)
    for slab in range(SLABS):
        own = np.flatnonzero(slab_of(np.arange(width), width) == slab)
        assert len(own) <= slab_width(width)
        parts = around_slabs([slab], width, VOXEL_NM)
        columns = np.concatenate([np.arange(part.start, part.stop) for part in parts])
        np.testing.assert_array_equal(columns, np.flatnonzero(far[:, slab]))
        gap = np.abs(columns[:, None] - own[None, :]).min()
        assert BUFFER_NM / VOXEL_NM[2] < gap <= BUFFER_NM / VOXEL_NM[2] + 2


def test_several_slabs_can_be_left_out():
    both = {column for part in around_slabs([0, 2], 411, VOXEL_NM) for column in range(part.start, part.stop)}
    each = [
        {column for part in around_slabs([slab], 411, VOXEL_NM) for column in range(part.start, part.stop)}
        for slab in (0, 2)
    ]
    assert both == each[0] & each[1] and 0 < len(both) < len(each[0])
    assert around_slabs([], 411, VOXEL_NM) == [slice(0, 411)]


def test_positions_of_fractions_of_voxels_have_a_slab():
    assert slab_of(np.array([0.0, 102.7, 103.0, 410.9]), 411).tolist() == [0, 0, 1, 3]


def test_few_synapses_are_left_out_by_halves():
    assert folds_of(few=False) == [(0,), (1,), (2,), (3,)]
    assert folds_of(few=True) == [(0, 1), (2, 3)]


def test_synapses_are_what_touches():
    truth = np.zeros((3, 8, 8), np.uint8)
    # over an edge these are one, over a corner two
    truth[0, 2, 2] = truth[1, 3, 2] = truth[2, 4, 3] = 1
    assert len(synapse_boxes(truth)) == 2 and synapse_boxes(truth * 0) == []
    np.testing.assert_allclose(synapse_volumes(truth, VOXEL_NM), [2 * 2.88e-6, 2.88e-6])
