"""The extremities of an orphan."""

import numpy as np
import pytest

from spinome.linking.ends import APART_NM, MOST_ENDS, SHAPE, find_ends

VOXEL = (40.0, 20.0, 20.0)
NONE = np.zeros((0, 3))


def ball(places, centre, radius):
    return ((places - np.asarray(centre)) ** 2).sum(-1) < radius**2


@pytest.fixture(scope="module")
def spine():
    """A head with a neck along y, and the depth of its voxels."""
    shape = (40, 80, 60)
    places = (np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1) + 0.5) * VOXEL
    head = np.array([800.0, 400.0, 600.0])
    source = ball(places, head, 200)
    for along in np.linspace(0, 700, 40):
        source |= ball(places, head + np.array([0, along, 0]), 60)
    return source, np.where(source, 30.0, 0.0) + 100 * ball(places, head, 100)


def test_the_first_end_is_away_from_the_head(spine):
    source, depth = spine
    ends = find_ends(source, depth, NONE, np.array(VOXEL))
    assert 2 <= len(ends) <= MOST_ENDS
    neck, *others = ends
    assert neck.point[1] > 1080 and neck.course[1] > 0.9 and others[0].point[1] < 450
    shape = dict(zip(SHAPE, neck.shape))
    assert shape["end_radius_nm"] == 30 < dict(zip(SHAPE, others[0].shape))["end_radius_nm"]
    assert shape["end_way_nm"] > 600 and shape["end_apart_nm"] >= APART_NM and np.isnan(shape["end_synapse_nm"])
    assert (np.linalg.norm((neck.near + 0.5) * VOXEL - neck.point, axis=1) <= 320).all()


def test_ends_know_how_far_the_synapse_is(spine):
    source, depth = spine
    synapse = np.array([[800.0, 220.0, 600.0]])
    away = [dict(zip(SHAPE, end.shape))["end_synapse_nm"] for end in find_ends(source, depth, synapse, np.array(VOXEL))]
    assert away[0] > 800 and min(away) < 400


def test_the_end_of_one_voxel_points_nowhere():
    source = np.zeros((3, 3, 3), bool)
    source[1, 1, 1] = True
    (end,) = find_ends(source, source.astype(float), NONE, np.array(VOXEL))
    assert end.point.tolist() == [60, 30, 30] and end.course.tolist() == [0, 0, 0]


def test_an_orphan_in_two_pieces_has_ends_on_the_thickest():
    source = np.zeros((6, 40, 40), bool)
    source[2:5, 2:30, 4:8] = source[2:5, 2:6, 30:34] = True
    depth = source.astype(float)
    depth[3, 4, 5] = 9
    ends = find_ends(source, depth, NONE, np.array(VOXEL))
    assert all(end.point[2] < 200 for end in ends) and ends[0].point[1] > 500
