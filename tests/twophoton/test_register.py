import itertools

import numpy as np
import pytest
from scipy import ndimage

from spinome.twophoton.register import as_stored, register
from spinome.twophoton.rotation import place


def specimen(shape, seed=0):
    """Texture that changes slowly from slice to slice, as focus does."""
    rng = np.random.default_rng(seed)
    texture = ndimage.gaussian_filter(rng.standard_normal(shape), (2.0, 2.0, 2.0))
    return (100 + 400 * np.maximum(texture / texture.std(), 0)).astype(np.float32)


def shaken(stack, seed=3, width=1.5):
    jitter = np.random.default_rng(seed).normal(0, width, (len(stack), 2))
    return np.stack([ndimage.shift(image, step, order=3, mode="nearest") for image, step in zip(stack, jitter)]), jitter


def left_over(found, jitter):
    """Root mean square of the jitter that is left, in pixels, a common shift aside."""
    left = found + jitter
    return np.sqrt(((left - left.mean(axis=0)) ** 2).mean())


@pytest.mark.parametrize("shape", [(12, 160, 160), (12, 100, 240)])
@pytest.mark.parametrize("seed", [3, 4])
def test_jitter_is_taken_out_whatever_the_aspect(shape, seed):
    stack, jitter = shaken(specimen(shape), seed, 2.0)
    result = register(stack, (10, 10))
    assert left_over(result.shifts_px, jitter) < 0.25
    assert np.median(result.quality) > 0.5


def oblique(slope):
    """A dendrite along x that moves by `slope` pixels in y from slice to slice."""
    z, y, x = np.mgrid[:24, :100, :160]
    stack = (200 * np.exp(-((y - 20 - slope * z) ** 2 + 0 * x) / 18)).astype(np.float32)
    return stack + np.random.default_rng(0).normal(0, 2, stack.shape).astype(np.float32)


@pytest.mark.parametrize("slope", [1.0, 2.2])
def test_an_oblique_dendrite_does_not_pull_the_slices_along(slope):
    assert np.abs(register(oblique(slope), (10, 10)).shifts_px[4:-4]).max() < 2


@pytest.mark.parametrize("slope", [1.0, 2.2])
def test_jitter_of_an_oblique_dendrite_is_taken_out_across_it(slope):
    stack, jitter = shaken(oblique(slope))
    assert left_over(register(stack, (10, 10)).shifts_px[:, :1], jitter[:, :1]) < 0.3


def test_one_misleading_slice_does_not_move_the_others():
    stack, jitter = shaken(specimen((14, 128, 128)))
    # a copy of another place, so that it correlates well at a false shift
    stack[7] = np.roll(stack[6], (6, -7), axis=(0, 1))
    others = np.arange(14) != 7
    assert left_over(register(stack, (10, 10)).shifts_px[others], jitter[others]) < 0.3


def test_empty_slices_stay_where_they_are():
    stack, _ = shaken(specimen((20, 96, 96)))
    stack[9:11] = 0
    result = register(stack, (8, 8))
    assert np.isfinite(result.shifts_px).all()
    assert (result.quality[9:11] == 0).all()


def test_a_long_gap_parts_the_stack():
    stack, jitter = shaken(specimen((26, 96, 96)))
    stack[11:16] = 0
    shifts = register(stack, (8, 8)).shifts_px
    assert np.ptp(shifts[11:16], axis=0) == pytest.approx(0)
    for run in (slice(0, 11), slice(16, 26)):
        assert left_over(shifts[run], jitter[run]) < 0.3


def test_few_slices_are_left_alone():
    stack = specimen((2, 40, 40))
    np.testing.assert_array_equal(register(stack, (5, 5)).stack, stack)


def turned(stack, degrees, seed=5):
    """Slices turned about their centre and moved, with the angles and shifts that put them back."""
    rng = np.random.default_rng(seed)
    angles = rng.normal(0, degrees, len(stack))
    shifts = rng.normal(0, 1.5, (len(stack), 2))
    moved = [place(image, shift, angle) for image, shift, angle in zip(stack, shifts, angles)]
    return rng.poisson(np.stack(moved)).astype(np.float32), angles


@pytest.mark.parametrize("shape", [(10, 256, 256), (10, 160, 320)])
def test_rotation_is_taken_out_to_a_quarter_pixel_at_half_the_width(shape):
    stack, angles = turned(specimen(shape), 0.4)
    left = register(stack, (10, 10), max_angle_deg=2).angles_deg + angles
    half = max(shape) / 2 * np.pi / 180
    assert (left - left.mean()).std() * half < 0.25 < 2 * angles.std() * half


def test_turned_slices_are_put_over_each_other():
    stack, _ = turned(specimen((10, 200, 200)), 1.0)
    middle = (slice(None), slice(20, -20), slice(20, -20))

    def likeness(placed):
        return np.mean([np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in itertools.pairwise(placed)])

    shifted, turned_too = (register(stack, (10, 10), max_angle_deg=most).stack[middle] for most in (0, 3))
    assert likeness(turned_too) > likeness(shifted) + 0.03


def test_slices_that_were_not_turned_stay():
    for stack in (shaken(specimen((12, 160, 160)))[0], oblique(1.0)):
        found = register(np.maximum(stack, 0), (10, 10), max_angle_deg=2)
        assert np.abs(found.angles_deg).max() < 0.02


def test_empty_slices_are_not_turned():
    stack, angles = turned(specimen((16, 160, 160)), 0.6)
    stack[7:9] = 0
    found = register(stack, (8, 8), max_angle_deg=2).angles_deg
    assert not found[7:9].any()
    others = np.delete(found + angles, [7, 8])
    assert (others - others.mean()).std() < 0.5 * angles.std()


def test_a_slice_is_turned_in_length_and_not_in_pixels():
    image = np.zeros((41, 81), np.float32)
    image[20, 60] = 1
    # 20 pixels of 0.1 along x become 10 of 0.2 along y
    place_of = np.unravel_index(place(image, np.zeros(2), 90.0, (0.2, 0.1)).argmax(), image.shape)
    assert place_of == (30, 40)


def test_values_go_back_to_the_file_s_type():
    values = np.array([[[-3.2, 7.6, 300.0]]])
    np.testing.assert_array_equal(as_stored(values, np.dtype(np.uint8)), [[[0, 8, 255]]])
    assert as_stored(values, np.dtype(np.float64)).dtype == np.float32
