"""Superpixels stay within membranes, whatever the shape of the voxels."""

import numpy as np
import pytest

from spinome.linking.watershed import superpixels

SETTINGS = {"threshold": 0.5, "smoothing_nm": 15.0, "spacing_nm": 40.0}


def walls(shape, voxel_nm, every_nm=300.0, width_nm=30.0):
    """Boxes with membranes between them, and the box of each voxel."""
    inside, box = np.ones(shape, bool), np.zeros(shape, int)
    for axis, (n, size) in enumerate(zip(shape, voxel_nm)):
        place = (np.arange(n) + 0.5) * size
        line = [-1 if other == axis else 1 for other in range(3)]
        inside &= (place % every_nm > max(width_nm, size)).reshape(line)
        box = box * 100 + (place // every_nm).astype(int).reshape(line)
    return (~inside).astype(np.float32), box


@pytest.mark.parametrize("voxel_nm", [(10.0, 10.0, 10.0), (40.0, 8.0, 8.0), (100.0, 10.0, 10.0)])
def test_a_superpixel_lies_in_one_box(voxel_nm):
    shape = tuple(int(900 / size) for size in voxel_nm)
    membrane, box = walls(shape, voxel_nm)
    labels = superpixels(membrane, voxel_nm, **SETTINGS)
    assert labels.min() == 1
    inside = membrane == 0
    pairs = np.unique(np.stack([labels[inside], box[inside]], 1), axis=0)
    assert len(np.unique(pairs[:, 0])) == len(pairs)
    assert len(np.unique(box[inside])) <= labels.max() <= 3 * len(np.unique(box[inside]))


def test_mask_stays_empty_and_other_voxels_are_full():
    membrane, _ = walls((24, 72, 72), (30.0, 10.0, 10.0))
    mask = np.ones(membrane.shape, bool)
    mask[:, :20] = False
    labels = superpixels(membrane, (30.0, 10.0, 10.0), mask=mask, **SETTINGS)
    assert not labels[~mask].any() and labels[mask].all()


def test_a_volume_without_membrane_and_one_of_membrane_alone():
    empty = superpixels(np.zeros((4, 8, 8), np.float32), (10.0, 10.0, 10.0), **SETTINGS)
    full = superpixels(np.ones((4, 8, 8), np.float32), (10.0, 10.0, 10.0), **SETTINGS)
    assert len(np.unique(empty)) == 1 and len(np.unique(full)) == 1
