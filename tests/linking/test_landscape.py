"""Heights and seeds of a membrane map."""

import numpy as np
from scipy import ndimage

from spinome.linking.landscape import capped_distance, landscape, reach


def test_the_distance_is_that_of_scipy_up_to_its_cap():
    rng = np.random.default_rng(0)
    inside = ndimage.gaussian_filter(rng.random((20, 60, 50)), 3) > 0.497
    voxel_nm = (40.0, 8.0, 12.5)
    exact = ndimage.distance_transform_edt(inside, voxel_nm)
    assert exact.max() > 90
    np.testing.assert_allclose(capped_distance(inside, voxel_nm, 90.0), exact.clip(max=90.0), rtol=1e-6)


def test_without_membrane_the_distance_ends_at_its_cap():
    assert (capped_distance(np.ones((3, 4, 5), bool), (40.0, 8.0, 8.0), 100.0) == 100.0).all()


def test_a_cutout_sees_the_same_heights_and_seeds_to_the_last_bit():
    membrane = ndimage.gaussian_filter(np.random.default_rng(1).random((30, 90, 90)).astype(np.float32), 2) * 8 - 3.5
    membrane = membrane.clip(0, 1)
    settings = {"threshold": 0.5, "smoothing_nm": 15.0, "spacing_nm": 20.0}
    z, y, x = reach((30.0, 8.0, 8.0), 15.0, 20.0)
    inner, padded = np.s_[12:18, 40:50, 30:52], np.s_[12 - z : 18 + z, 40 - y : 50 + y, 30 - x : 52 + x]
    cut = np.s_[z:-z, y:-y, x:-x]
    for whole, part in zip(
        landscape(membrane, (30.0, 8.0, 8.0), **settings), landscape(membrane[padded], (30.0, 8.0, 8.0), **settings)
    ):
        np.testing.assert_array_equal(whole[inner], part[cut])


def test_height_falls_from_membranes_to_the_middle_and_has_no_end_outside_the_mask():
    membrane = np.ones((1, 30, 41), np.float32)
    membrane[:, :, 5:36] = 0
    mask = np.ones(membrane.shape, bool)
    mask[:, 0] = False
    height, seed = landscape(membrane, (10.0, 10.0, 10.0), threshold=0.5, smoothing_nm=0.0, spacing_nm=40.0, mask=mask)
    assert np.isinf(height[:, 0]).all() and not seed[:, 0].any()
    assert (np.diff(height[0, 29, 4:8]) < 0).all() and (np.diff(height[0, 29, 33:37]) > 0).all()
    assert seed[0, 29, 20] and not seed[0, 29, :10].any()
