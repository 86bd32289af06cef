"""Sliding sums equal slow convolution, and do not depend on where an array begins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve1d

from spinome.synapses.forest.box_sums import box_count, box_sum

odd = st.sampled_from([1, 3, 5, 9])


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(odd, odd, odd),
    dtype=st.sampled_from([bool, np.uint8, np.int16, np.int64]),
    seed=st.integers(0, 10**6),
)
def test_sum_equals_convolution(shape, size, dtype, seed):
    """Draws volumes down to a voxel, boxes that may be larger than they, and values of the types that are summed."""
    values = np.random.default_rng(seed).integers(-500, 500, shape).astype(dtype)
    expected, inside = values.astype(int), np.ones(shape, int)
    for axis, length in enumerate(size):
        expected = convolve1d(expected, np.ones(length, int), axis=axis, mode="constant")
        inside = convolve1d(inside, np.ones(length, int), axis=axis, mode="constant")
    np.testing.assert_array_equal(box_sum(values, size), expected)
    along_z, along_y, along_x = box_count(shape, size)
    np.testing.assert_array_equal(along_z[:, None, None] * along_y[:, None] * along_x, inside)


def test_even_boxes_are_refused():
    with pytest.raises(ValueError, match="odd number"):
        box_sum(np.ones((3, 3, 3), int), (1, 2, 3))
