"""Superpixels stay within membranes, whatever the shape of the voxels, and are the same however the volume is cut."""

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from scipy import ndimage

from spinome.cuboids import cuboids
from spinome.linking.basins import basins, paint
from spinome.linking.flooding_heights import landscape, reach
from spinome.linking.watershed import _longer, flood, superpixels
from volumes import draw_cut, draw_mask, draw_membrane, draw_shape

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


def noise(seed, shape=(16, 60, 67)):
    """Smooth noise in 20 steps, so that much of it is equal, and a mask of four fifths of it."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(shape), (1, 3, 3))
    membrane = np.round(20 * (smooth - smooth.min()) / np.ptp(smooth)) / 20
    tissue = ndimage.gaussian_filter(rng.random(shape), (2, 6, 6))
    return membrane.astype(np.float32), tissue > np.quantile(tissue, 0.2)


def cut_up(membrane, mask, voxel_nm, size, lost=None, chosen=SETTINGS, most_open=0):
    """Superpixels from cuboids of a size; the one named `lost` failed."""
    halo = reach(voxel_nm, chosen["smoothing_nm"], chosen["spacing_nm"])
    blocks = [block for block in cuboids(membrane.shape, size, halo) if block.name != lost]
    found = {}
    for block in blocks:
        inside = None if mask is None else mask[block.padded]
        height, seed = landscape(membrane[block.padded], voxel_nm, mask=inside, **chosen)
        found[block.name] = basins(height, seed, block, membrane.shape)
    labels = np.zeros(membrane.shape, np.uint32)
    for block, names in flood(blocks, lambda block: found[block.name][1], most_open):
        labels[block.core] = paint(found[block.name][0], names)
    return labels


@settings(max_examples=150)
@given(st.randoms())
def test_any_cuboids_give_the_superpixels_of_the_whole(random):
    """Draws membranes and masks of all kinds, thin volumes, thick sections, and seeds from dense to a single one."""
    shape = draw_shape(random)
    membrane, mask = draw_membrane(random, shape), draw_mask(random, shape)
    voxel_nm = random.choice([(40.0, 8.0, 8.0), (30.0, 30.0, 30.0), (45.0, 12.7, 9.3), (8.0, 30.0, 50.0)])
    chosen = {
        "threshold": random.choice([0.1, 0.5, 0.9]),
        "smoothing_nm": random.choice([0, 0.5, 2]) * voxel_nm[2],
        "spacing_nm": random.choice([0.6, 1.5, 4]) * voxel_nm[2],
    }
    size = draw_cut(random, shape)
    note(f"cuboids of {size} in {shape}, voxels of {voxel_nm} nm, {chosen}")
    whole = superpixels(membrane, voxel_nm, mask=mask, **chosen)
    most_open = random.choice([0, 3, 1000])
    np.testing.assert_array_equal(cut_up(membrane, mask, voxel_nm, size, chosen=chosen, most_open=most_open), whole)


@pytest.mark.parametrize("seed", range(3))
def test_cuboids_that_are_smaller_than_their_halo_give_the_superpixels_of_the_whole(seed):
    membrane, mask = noise(seed)
    whole = superpixels(membrane, (40.0, 8.0, 8.0), mask=mask, **SETTINGS)
    for size in ((16, 11, 70), (5, 60, 23), (7, 31, 32)):
        np.testing.assert_array_equal(cut_up(membrane, mask, (40.0, 8.0, 8.0), size), whole)


def test_a_plateau_of_seeds_is_one_superpixel_across_cuboids():
    membrane, _ = walls((80, 80, 80), (10.0, 10.0, 10.0), every_nm=700.0)
    labels = cut_up(membrane, np.ones(membrane.shape, bool), (10.0, 10.0, 10.0), (11, 23, 80))
    assert len(np.unique(labels[5:65, 5:65, 5:65])) == 1


def test_a_lost_cuboid_is_empty_and_its_neighbours_are_not():
    membrane, mask = noise(3)
    mask[:] = True
    labels = cut_up(membrane, mask, (40.0, 8.0, 8.0), (16, 20, 67), lost="0-20-0")
    assert not labels[:, 20:40].any() and labels[:, :20].all() and labels[:, 40:].all()


def test_numbers_of_basins_become_longer_where_there_are_too_many():
    parent, seeded = _longer(np.arange(200, dtype=np.uint8), np.ones(200, bool), 240)
    assert parent.dtype == np.int64 and parent.tolist() == list(range(300))
    assert seeded[:200].all() and not seeded[200:].any()


def test_superpixels_are_the_minimum_spanning_forest_of_the_seeds():
    membrane, mask = noise(5, (4, 24, 26))
    voxel_nm = (40.0, 8.0, 8.0)
    height, seed = landscape(membrane, voxel_nm, mask=mask, **SETTINGS)
    number = np.arange(height.size).reshape(height.shape)
    edges = []
    for axis in range(3):
        low, high = (
            number.take(range(*cut), axis).ravel() for cut in ((0, height.shape[axis] - 1), (1, height.shape[axis]))
        )
        edges += [(a, b) for a, b in zip(low, high) if mask.flat[a] and mask.flat[b]]
    flat, seeds = height.ravel(), seed.ravel()

    def key(edge):
        (floor, below), (top, above) = sorted((flat[voxel], voxel) for voxel in edge)
        return (-np.inf if seeds[above] and seeds[below] else top, above, floor, below)

    parent, rooted = list(range(height.size)), seeds.copy()

    def root(voxel):
        while parent[voxel] != voxel:
            voxel = parent[voxel]
        return voxel

    for edge in sorted(edges, key=key):
        a, b = map(root, edge)
        if a != b and not (rooted[a] and rooted[b] and key(edge)[0] > -np.inf):
            parent[b], rooted[a] = a, rooted[a] or rooted[b]
    forest = np.array([root(voxel) for voxel in range(height.size)])[mask.ravel()]
    labels = superpixels(membrane, voxel_nm, mask=mask, **SETTINGS)[mask]
    pairs = np.unique(np.stack([labels, forest], 1), axis=0)
    assert len(pairs) == len(np.unique(labels)) == len(np.unique(forest))
