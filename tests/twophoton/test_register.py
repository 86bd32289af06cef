import numpy as np
import pytest
from scipy import ndimage

from spinome.twophoton.register import as_stored, register


def specimen(shape, seed=0):
    """Texture that changes slowly from slice to slice, as focus does."""
    rng = np.random.default_rng(seed)
    texture = ndimage.gaussian_filter(rng.standard_normal(shape), (2.0, 2.0, 2.0))
    return (100 + 400 * np.maximum(texture / texture.std(), 0)).astype(np.float32)


def shaken(stack, seed=3, width=1.5):
    jitter = np.random.default_rng(seed).normal(0, width, (len(stack), 2))
    return np.stack([ndimage.shift(image, step, order=3, mode="nearest") for image, step in zip(stack, jitter)]), jitter


@pytest.mark.parametrize("shape", [(24, 128, 128), (24, 80, 190)])
def test_jitter_is_taken_out_whatever_the_aspect(shape):
    stack, jitter = shaken(specimen(shape))
    result = register(stack, (8, 8))
    left = result.shifts_px + jitter
    # what is common to neighbouring slices cannot be told from the specimen's own course
    rough = left - ndimage.gaussian_filter1d(left, 4, axis=0)
    assert np.sqrt((rough**2).mean()) < 0.3
    assert np.median(result.quality) > 0.5


def test_an_oblique_dendrite_does_not_pull_the_slices_along():
    z, y, x = np.mgrid[:24, :100, :160]
    stack = (200 * np.exp(-((y - 20 - 2.2 * z) ** 2 + 0 * x) / 18)).astype(np.float32)
    stack += np.random.default_rng(0).normal(0, 2, stack.shape)
    assert np.abs(register(stack, (10, 10)).shifts_px[4:-4]).max() < 2


def test_empty_slices_stay_where_they_are():
    stack, _ = shaken(specimen((20, 96, 96)))
    stack[9:11] = 0
    result = register(stack, (8, 8))
    assert np.isfinite(result.shifts_px).all()
    assert (result.quality[9:11] == 0).all()


def test_few_slices_are_left_alone():
    stack = specimen((2, 40, 40))
    np.testing.assert_array_equal(register(stack, (5, 5)).stack, stack)


def test_values_go_back_to_the_file_s_type():
    values = np.array([[[-3.2, 7.6, 300.0]]])
    np.testing.assert_array_equal(as_stored(values, np.dtype(np.uint8)), [[[0, 8, 255]]])
    assert as_stored(values, np.dtype(np.float64)).dtype == np.float32
