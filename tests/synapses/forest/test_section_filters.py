"""Operations within a section, against slow ones that everyone knows."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter
from skimage.morphology import disk

from spinome.synapses.forest.section_filters import coherence, dilate, gradients, odd_box, to_pixels


def test_boxes_of_the_published_program_at_its_voxel_size():
    voxel_nm = (45.0, 8.0, 8.0)
    assert odd_box((45.0, 40.0, 40.0), voxel_nm) == (1, 5, 5)
    assert odd_box((135.0, 120.0, 120.0), voxel_nm) == (3, 15, 15)
    assert odd_box((225.0, 200.0, 200.0), voxel_nm) == (5, 25, 25)
    assert to_pixels(40.0, voxel_nm) == 5


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_dilation_by_a_disc(radius):
    mask = np.random.default_rng(0).random((3, 30, 40)) > 0.98
    expected = np.stack([binary_dilation(section, disk(radius)) for section in mask])
    np.testing.assert_array_equal(dilate(mask, radius), expected)


@pytest.mark.parametrize("shape", [(2, 40, 50), (1, 3, 2)])
def test_coherence_of_the_smoothed_structure_tensor(shape):
    levels = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)
    along_y, along_x = gradients(levels, 1)
    for section, found in zip(range(shape[0]), coherence(along_y, along_x, 1.0)):
        y, x = along_y[section].astype(float), along_x[section].astype(float)
        yy, xx, yx = (gaussian_filter(part, 1.0, truncate=3, mode="nearest") for part in (y * y, x * x, y * x))
        expected = ((yy - xx) ** 2 + 4 * yx**2) / np.maximum(yy + xx, 1e-9) ** 2
        np.testing.assert_allclose(found / 10000, expected, atol=2e-4)


def test_stripes_are_coherent_and_noise_is_not():
    stripes = np.tile((np.arange(64) // 4 % 2 * 200).astype(np.uint8), (1, 64, 1))
    noise = np.random.default_rng(2).integers(0, 255, (1, 64, 64)).astype(np.uint8)
    assert coherence(*gradients(stripes, 1), 1.0)[0, 8:-8, 8:-8].min() > 9900
    assert coherence(*gradients(noise, 1), 1.0).mean() < 5000
    assert not coherence(*gradients(np.zeros((1, 9, 9), np.uint8), 1), 1.0).any()
