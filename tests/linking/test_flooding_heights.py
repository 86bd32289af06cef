"""Heights and seeds of a membrane map."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spinome.cuboids import cuboids
from spinome.linking.flooding_heights import capped_distance, landscape, reach
from volumes import draw_cut, draw_mask, draw_membrane, draw_shape


def test_the_distance_is_that_of_scipy_up_to_its_cap():
    rng = np.random.default_rng(0)
    inside = ndimage.gaussian_filter(rng.random((20, 60, 50)), 3) > 0.497
    voxel_nm = (40.0, 8.0, 12.5)
    exact = ndimage.distance_transform_edt(inside, voxel_nm)
    assert exact.max() > 90
    np.testing.assert_allclose(capped_distance(inside, voxel_nm, 90.0), exact.clip(max=90.0), rtol=1e-6)


def test_without_membrane_the_distance_ends_at_its_cap():
    assert (capped_distance(np.ones((3, 4, 5), bool), (40.0, 8.0, 8.0), 100.0) == 100.0).all()


@settings(max_examples=60)
@given(st.randoms())
def test_a_cutout_sees_the_same_heights_and_seeds_to_the_last_bit(random):
    """Draws membranes and masks of all kinds in volumes down to a voxel, and cuboids with the halo that they need."""
    shape = draw_shape(random)
    membrane, mask = draw_membrane(random, shape), draw_mask(random, shape)
    voxel_nm = random.choice([(30.0, 8.0, 8.0), (9.3, 9.3, 9.3), (45.0, 12.7, 9.3)])
    chosen = {"threshold": 0.5, "smoothing_nm": random.choice([0.0, 9.0]), "spacing_nm": random.choice([5.0, 10.0])}
    whole = landscape(membrane, voxel_nm, mask=mask, **chosen)
    halo = reach(voxel_nm, chosen["smoothing_nm"], chosen["spacing_nm"])
    for piece in cuboids(shape, draw_cut(random, shape, most=8), halo):
        inside = None if mask is None else mask[piece.padded]
        part = landscape(membrane[piece.padded], voxel_nm, mask=inside, **chosen)
        for expected, found in zip(whole, part):
            np.testing.assert_array_equal(found[piece.inner], expected[piece.core])


def test_height_falls_from_membranes_to_the_middle_and_has_no_end_outside_the_mask():
    membrane = np.ones((1, 30, 41), np.float32)
    membrane[:, :, 5:36] = 0
    mask = np.ones(membrane.shape, bool)
    mask[:, 0] = False
    height, seed = landscape(membrane, (10.0, 10.0, 10.0), threshold=0.5, smoothing_nm=0.0, spacing_nm=40.0, mask=mask)
    assert np.isinf(height[:, 0]).all() and not seed[:, 0].any()
    assert (np.diff(height[0, 29, 4:8]) < 0).all() and (np.diff(height[0, 29, 33:37]) > 0).all()
    assert seed[0, 29, 20] and not seed[0, 29, :10].any()
