"""Distances from one object, and measures of candidates from their skin alone, against plain sums over all voxels."""

import edt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinome.linking import candidates
from spinome.linking.candidates import _continuation, group_candidates, group_names
from spinome.linking.end_features import _forward, _gather, _skin
from spinome.linking.reach import distance_from
from spinome.linking.stubs import FOOT_NM, ahead, find_stubs
from spinome.linking.typing import measure_segments
from volumes import draw_membrane, draw_objects, draw_shape

VOXELS = [(40.0, 32.0, 32.0), (40.0, 8.0, 8.0), (10.0, 10.0, 10.0)]


@pytest.mark.parametrize("voxel_nm", VOXELS)
def test_the_distance_is_that_of_a_general_transform(voxel_nm):
    mask = np.zeros((30, 40, 50), bool)
    mask[12:16, 20:30, 22:26] = np.random.default_rng(3).random((4, 10, 4)) < 0.3
    expected = edt.edt(~mask, anisotropy=voxel_nm, black_border=False, parallel=1)
    assert (distance_from(mask, voxel_nm) == expected).all()


@pytest.fixture(scope="module", params=[*VOXELS, (400.0, 40.0, 40.0)])
def blobs(request):
    """Candidates of bent tubes and balls with holes, without a place in the middle; trunks where they are thick."""
    size, rng = np.array(request.param), np.random.default_rng(8)
    shape = (np.ceil(2400 / size)).astype(int)
    places = (np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1) + 0.5) * size
    target = np.full(shape, -1, np.int32)
    for number in range(6):
        middle, radius = rng.uniform(0, 2400, 3), rng.uniform(150, 700)
        target[((places - middle) ** 2).sum(-1) < radius**2] = number
        middle, other = rng.uniform(0, 2400, 2), rng.integers(0, 3)
        across = np.delete(places, other, axis=-1)
        target[((across - middle) ** 2).sum(-1) < rng.uniform(60, 250) ** 2] = number
    target[((places - 1200) ** 2).sum(-1) < 200**2] = -1
    depth = edt.edt((target + 1).astype(np.uint32), anisotropy=request.param, black_border=False, parallel=1)
    return size, target, find_stubs(target, depth, size), rng


def test_what_is_nearest_lies_on_the_skin(blobs):
    size, target, stubs, rng = blobs
    every, skin = _gather(target), _gather(_skin(target, stubs.out_nm))
    assert len(skin[0]) < len(every[0])
    point = (np.array([1200.0, 1200.0, 1200.0]) // size + 0.5) * size
    for course in [*np.eye(3), np.zeros(3), *rng.normal(size=(20, 3))]:
        course = course / max(np.linalg.norm(course), 1e-9)
        one, other = (_forward(*voxels, 6, point, course, size) for voxels in (every, skin))
        for found, expected in zip(other, one):
            np.testing.assert_array_equal(found, expected)
        one, other = (
            ahead(*voxels, stubs.stub, stubs.out_nm, 6, point, course, size, FOOT_NM) for voxels in (every, skin)
        )
        for found, expected in zip(other, one):
            np.testing.assert_array_equal(found, expected)
        one, other = (_continuation(target, *voxels, 6, point, course, size, 1000.0) for voxels in (every, skin))
        np.testing.assert_array_equal(other, one)


class Counted:
    """An array that counts the voxels that are read of it."""

    def __init__(self, array):
        self.array, self.shape, self.read = array, array.shape, 0

    def __getitem__(self, key):
        self.read += self.array[key].size
        return self.array[key]


def test_orphans_of_a_cube_are_read_once_and_are_the_same_alone():
    labels = np.zeros((24, 90, 120), np.uint32)
    labels[4:20, 40:56] = 1
    for orphan, x in ((5, 20), (6, 30), (7, 60)):
        labels[10:14, 60:70, x : x + 6] = orphan
    stride, voxel_nm = (1, 2, 3), (40.0, 16.0, 10.0)
    rows = measure_segments(labels[:, ::2, ::3], voxel_nm, stride)
    rows = rows[rows["segment"] > 1]
    assert rows["segment"].tolist() == [5, 6, 7]

    def found(which):
        volume = Counted(labels)
        table = group_candidates(volume, None, which, np.array([1]), None, stride, voxel_nm, 400.0)
        return table, volume.read

    together, read = found(rows)
    alone = [found(rows[rows["segment"] == orphan]) for orphan in (5, 6, 7)]
    pd.testing.assert_frame_equal(together, pd.concat([table for table, _ in alone], ignore_index=True))
    assert len(together) and read < sum(count for _, count in alone)


def test_a_cube_that_is_too_much_to_hold_is_read_in_parts(monkeypatch):
    """Two pairs of orphans, 0.9 um from each other: at most a pair is read at once."""
    labels = np.zeros((16, 40, 180), np.uint32)
    labels[2:14, :20] = 1
    for orphan, x in ((5, 20), (6, 30), (7, 120), (8, 130)):
        labels[6:10, 24:32, x : x + 6] = orphan
    rows = measure_segments(labels, VOXELS[2], (1, 1, 1))
    rows = rows[rows["segment"] > 1].iloc[[0, 2, 1, 3]]

    def found():
        volume = Counted(labels)
        table = group_candidates(volume, None, rows, np.array([1]), None, (1, 1, 1), VOXELS[2], 300.0)
        return table, volume.read

    whole, all_of_it = found()
    monkeypatch.setattr(candidates, "MOST_VOXELS", 16 * 40 * 90)
    halves, two_parts = found()
    monkeypatch.setattr(candidates, "MOST_VOXELS", 0)
    singly, four_parts = found()
    pd.testing.assert_frame_equal(halves, whole)
    pd.testing.assert_frame_equal(singly, whole)
    assert len(whole) and all_of_it < four_parts and two_parts < 0.7 * four_parts


def test_an_orphan_without_a_shaft_near_changes_no_type():
    labels = np.zeros((8, 20, 90), np.uint32)
    labels[2:6, 4:16, 4:10], labels[2:6, 4:16, 14:20], labels[2:6, 4:16, 80:86] = 1, 5, 6
    rows = measure_segments(labels, VOXELS[2], (1, 1, 1))

    def found(which):
        orphans = rows[rows["segment"].isin(which)]
        return group_candidates(labels, None, orphans, np.array([1]), None, (1, 1, 1), VOXELS[2], 200.0)

    none = found([6])
    assert none.empty
    pd.testing.assert_frame_equal(pd.concat([found([5]), none]), found([5, 6]), check_exact=True)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.randoms())
def test_any_groups_of_orphans_have_the_candidates_of_each_alone(random):
    """Draws volumes, which labels are shafts, membranes or none, thinning, and cubes from tiny to all of the volume."""
    shape = draw_shape(random, most=1000)
    labels = draw_objects(random, shape).astype(np.uint64)
    labels[labels > 0] += np.uint64(random.choice([0, 2**40, 2**63 - 200]))
    membrane = draw_membrane(random, shape) if random.random() < 0.5 else None
    stride, voxel_nm = random.choice([(1, 1, 1), (1, 2, 3)]), (40.0, 16.0, 10.0)
    thinned = labels[tuple(slice(None, None, step) for step in stride)]
    if not thinned.any():
        return
    rows = measure_segments(thinned, voxel_nm, stride)
    is_shaft = np.array([random.random() < 0.5 for _ in range(len(rows))])
    shafts, orphans = rows.loc[is_shaft, "segment"].to_numpy(), rows[~is_shaft][:8]
    radius = random.uniform(30, 600)

    def found(which):
        return group_candidates(labels, membrane, which, shafts, None, stride, voxel_nm, radius)

    alone = {orphan: found(orphans[orphans["segment"] == orphan]) for orphan in orphans["segment"]}
    names = group_names(orphans, random.choice([50.0, 200.0, 1e5]))
    for name in names.unique():
        own = orphans[names == name]
        expected = pd.concat([alone[orphan] for orphan in own["segment"]], ignore_index=True)
        pd.testing.assert_frame_equal(found(own), expected, check_exact=True)
