"""Trunks of candidates, and the stubs on them."""

import edt
import numpy as np
import pytest

from spinome.linking.stubs import FOOT_NM, ahead, find_stubs

VOXEL = np.array([40.0, 32.0, 32.0])


@pytest.fixture(scope="module")
def window():
    """Two dendrites along x; a stub on the first, a whole spine on the second."""
    shape = (40, 90, 110)
    places = (np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1) + 0.5) * VOXEL
    target = np.full(shape, -1, np.int32)
    z, y, x = places[..., 0], places[..., 1], places[..., 2]
    target[(z - 800) ** 2 + (y - 400) ** 2 < 250**2] = 0
    target[(z - 800) ** 2 + (y - 2500) ** 2 < 250**2] = 1
    target[((z - 800) ** 2 + (x - 1700) ** 2 < 80**2) & (y > 400) & (y < 950)] = 0
    target[((z - 800) ** 2 + (x - 2600) ** 2 < 80**2) & (y > 1500) & (y < 2500)] = 1
    target[((places - [800.0, 1500.0, 2600.0]) ** 2).sum(-1) < 250**2] = 1
    depth = edt.edt((target + 1).astype(np.uint32), anisotropy=tuple(VOXEL), black_border=False, parallel=1)
    return target, depth


def test_a_short_protrusion_is_a_stub_and_a_spine_is_none(window):
    target, depth = window
    found = find_stubs(target, depth, VOXEL)
    y, x = (np.array([900, 1500]) / 32).astype(int), (np.array([1700, 2600]) / 32).astype(int)
    assert found.stub[20, y[0], x[0]] and not found.stub[20, y[1], x[1]]
    assert not found.stub[20, 12, 20] and found.out_nm[20, 12, 20] < 0
    assert not found.stub[target < 0].any() and np.isinf(found.out_nm[target < 0]).all()


def test_a_stub_straight_ahead_is_nearer_than_one_beside(window):
    target, depth = window
    found = find_stubs(target, depth, VOXEL)
    point = np.array([800.0, 1200.0, 1700.0])
    towards, away = np.array([0.0, -1, 0]), np.array([0.0, 1, 0])
    places = np.argwhere(target >= 0)
    number = target[tuple(places.T)]
    stub, length, trunk = ahead(places, number, found.stub, found.out_nm, 2, point, towards, VOXEL, FOOT_NM)
    assert stub[0] == pytest.approx(260, abs=40) and length[0] > 200 and np.isinf(stub[1])
    assert trunk[0] == pytest.approx(550, abs=60) and trunk[1] > 2 * trunk[0]
    behind, _, _ = ahead(places, number, found.stub, found.out_nm, 2, point, away, VOXEL, FOOT_NM)
    assert behind[0] > 2.5 * stub[0]


def test_what_is_thin_all_along_has_no_trunk():
    target = np.full((20, 40, 60), -1, np.int32)
    target[8:11, 18:22] = 0
    found = find_stubs(target, np.where(target >= 0, 40.0, 0.0), VOXEL)
    assert np.isinf(found.out_nm).all() and not found.stub.any()
