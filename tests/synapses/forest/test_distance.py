"""The limited distance equals the unlimited one up to its limit."""

import edt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from spinome.synapses.forest.distance import limited_distance
from volumes import draw_objects, draw_shape


@pytest.mark.parametrize("voxel_nm", [(45.0, 8.0, 8.0), (8.0, 8.0, 8.0), (47.5, 4.6, 4.6), (30.0, 12.0, 9.0)])
def test_equals_the_unlimited_distance_up_to_the_limit(voxel_nm):
    mask = np.random.default_rng(0).random((9, 60, 70)) < 0.0004
    expected = np.minimum(edt.edt(~mask, anisotropy=voxel_nm, black_border=False), 160)
    np.testing.assert_allclose(limited_distance(mask, voxel_nm, 160.0), expected, rtol=1e-5)


@settings(max_examples=60)
@given(st.randoms())
def test_equals_the_unlimited_distance_in_any_volume(random):
    """Draws masks from empty to full, in volumes down to a voxel, and voxels that may be larger than the limit."""
    shape = draw_shape(random)
    mask = draw_objects(random, shape) > 0
    voxel_nm = random.choice([(45.0, 8.0, 8.0), (8.0, 8.0, 8.0), (200.0, 61.7, 30.0)])
    away = distance_transform_edt(~mask, voxel_nm) if mask.any() else np.inf
    np.testing.assert_allclose(limited_distance(mask, voxel_nm, 100.0), np.minimum(away, 100), rtol=1e-5)


def test_is_the_limit_where_there_is_nothing_and_zero_where_all_is():
    assert (limited_distance(np.zeros((2, 5, 6), bool), (45.0, 8.0, 8.0), 100.0) == 100).all()
    assert (limited_distance(np.ones((2, 5, 6), bool), (45.0, 8.0, 8.0), 100.0) == 0).all()
