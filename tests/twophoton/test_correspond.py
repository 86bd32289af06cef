import numpy as np
import pytest
from scipy import ndimage

from spinome.twophoton.correspond import (
    axial_shift,
    block_displacements,
    coarse_shift,
    correspond_series,
    local_field,
    match,
)


def points(count=60, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(5, 35, count), rng.uniform(0, 38, count), rng.uniform(0, 80, count)])


def warped(place, seed=1):
    """A shift, a slow warp and the jitter of measured positions."""
    rng = np.random.default_rng(seed)
    bend = np.column_stack([place[:, 2] / 40, 0.8 * np.sin(place[:, 2] / 20), 0.6 * np.cos(place[:, 1] / 15)])
    return place + np.array([2.0, 1.0, -1.5]) + bend + rng.normal(0, [0.4, 0.08, 0.08], place.shape)


@pytest.mark.parametrize("shift", [(7, -12), (-9, 4)])
def test_coarse_shift_of_images(shift):
    image = ndimage.gaussian_filter(np.random.default_rng(0).random((120, 200)) ** 8, 2) * 1000
    moved = ndimage.shift(image, shift, mode="nearest")
    found, correlation = coarse_shift(image, moved, (0.12, 0.12), 3.0)
    np.testing.assert_allclose(found, np.array(shift) * 0.12, atol=0.13)
    assert correlation > 0.8


def test_coarse_shift_does_not_slip_beyond_its_bound():
    image = np.zeros((80, 300))
    image[40:44] = 100
    image[40:44, ::50] = 130
    found, _ = coarse_shift(image, np.roll(image, 2, axis=1), (0.12, 0.12), 2.0)
    assert np.abs(found).max() <= 2.0


def test_axial_shift_is_the_densest_difference():
    place = points()
    assert axial_shift(place, place + np.array([3.5, 0.2, -0.1])) == pytest.approx(3.5, abs=0.25)
    assert axial_shift(place[:0], place) == 0


def test_local_field_follows_a_warp():
    first = points()
    second = warped(first)
    field = local_field(first, second, np.array([2.5, 1.0, -1.5]), 1.2)
    error = np.linalg.norm((field.expected_um - second)[:, 1:], axis=1)
    assert np.median(error) < 0.3
    rows, columns = match(field.expected_um, second, 1.2)
    assert (rows == columns).mean() > 0.95


@pytest.fixture(scope="module")
def bent():
    """An image, the same image bent by up to 1 um, and points with their true displacement (y, x) in um."""
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.random((260, 420)) ** 8, 2) * 1000
    rows, columns = np.mgrid[:260, :420].astype(float)
    bend = [8 * np.sin(columns / 130), 8 * np.cos(rows / 110)]
    moved = ndimage.map_coordinates(image, [rows - bend[0], columns - bend[1]], order=1, mode="nearest")
    place = np.column_stack([np.full(50, 10.0), rng.uniform(5, 26, 50), rng.uniform(5, 45, 50)])
    # the bend is given at the place it leads to; it changes little over its own length
    displacement = np.column_stack([8 * np.sin(place[:, 2] / 0.12 / 130), 8 * np.cos(place[:, 1] / 0.12 / 110)]) * 0.12
    return image, moved, place, displacement


def test_blocks_follow_a_bend_of_the_image(bent):
    image, moved, place, displacement = bent
    found = block_displacements(image, moved, place[:, 1:], np.zeros(2), (0.12, 0.12))
    assert np.isfinite(found).all()
    assert np.median(np.linalg.norm(found - displacement, axis=1)) < 0.15


def test_blocks_without_counterpart_or_outside_are_unknown(bent):
    image, _, place, _ = bent
    other = ndimage.gaussian_filter(np.random.default_rng(9).standard_normal(image.shape), 2)
    strange = block_displacements(image, other, place[:, 1:], np.zeros(2), (0.12, 0.12))
    assert np.isnan(strange).mean() > 0.6
    assert np.isnan(block_displacements(image, image, place[:, 1:], np.array([40.0, 0]), (0.12, 0.12))).all()
    assert np.isnan(block_displacements(image, 0 * image, place[:, 1:], np.zeros(2), (0.12, 0.12))).all()


def test_images_carry_the_field_where_points_are_missed_and_spurious(bent):
    image, moved, place, displacement = bent
    rng = np.random.default_rng(2)
    there = place + np.column_stack([np.zeros(50), displacement])
    spurious = np.column_stack([np.full(60, 10.0), rng.uniform(5, 26, 60), rng.uniform(5, 45, 60)])
    second = np.concatenate([there[rng.random(50) < 0.2], spurious])
    seen = block_displacements(image, moved, place[:, 1:], np.zeros(2), (0.12, 0.12))
    error = [
        np.linalg.norm((local_field(place, second, np.zeros(3), 1.2, votes).expected_um - there)[:, 1:], axis=1)
        for votes in (None, seen)
    ]
    assert np.percentile(error[1], 90) < 0.35
    assert np.median(error[1]) < 0.6 * np.median(error[0])


def test_no_points_are_no_error():
    none = np.zeros((0, 3))
    assert local_field(none, points(), np.zeros(3), 1.2).expected_um.shape == (0, 3)
    assert local_field(points(5), none, np.array([1.0, 2, 3]), 1.2).expected_um == pytest.approx(
        points(5) + np.array([1, 2, 3])
    )


def test_sessions_of_different_pixel_size():
    image = ndimage.gaussian_filter(np.random.default_rng(0).random((120, 200)) ** 8, 2) * 1000
    place = points(30) * [1, 0.35, 0.28]
    halved = ndimage.zoom(ndimage.shift(image, (2, -2), mode="nearest"), 0.5, order=1)
    expected, shifts = correspond_series(
        [place, place + np.array([0, 0.24, -0.24])], [image, halved], [(1, 0.12, 0.12), (1, 0.24, 0.24)], 3.0, 1.2, 1
    )
    assert np.abs(shifts[["y_um", "x_um"]].to_numpy()).max() < 0.5
    there = expected[(expected["session"] == 0) & (expected["other"] == 1)]
    np.testing.assert_allclose(there[["y_um", "x_um"]] - place[:, 1:], np.tile([0.24, -0.24], (30, 1)), atol=0.05)
