"""Any key gives what numpy gives, from boxes that lie within the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinome.io.slicing import read_as_numpy

DATA = np.arange(5 * 4 * 3).reshape(5, 4, 3)
# far beyond the edges on either side, and backwards
ENDS = st.none() | st.integers(-9, 9)
SLICES = st.builds(slice, ENDS, ENDS, st.none() | st.integers(-4, 4).filter(bool))


def read(box):
    for axis, length in zip(box, DATA.shape):
        assert 0 <= axis.start < axis.stop <= length and axis.step > 0
    return DATA[box]


@given(st.tuples(*(SLICES | st.integers(-length, length - 1) for length in DATA.shape)), st.integers(0, 3))
def test_every_key_gives_what_numpy_gives(key, axes):
    for taken in (key, key[:axes], (*key[:axes], ...)):
        found = read_as_numpy(read, DATA.shape, DATA.dtype, taken)
        np.testing.assert_array_equal(found, DATA[taken])
        assert found.dtype == DATA.dtype


def test_a_key_that_is_no_tuple():
    for key in (2, np.int64(-1), slice(1, 99), ...):
        np.testing.assert_array_equal(read_as_numpy(read, DATA.shape, DATA.dtype, key), DATA[key])
    np.testing.assert_array_equal(read_as_numpy(read, DATA.shape, DATA.dtype, (..., 1)), DATA[..., 1])


@pytest.mark.parametrize("key", [5, -6, (0, 4), (0, 0, 0, 0), (..., 0, ...)])
def test_integers_beyond_the_edges_are_an_error(key):
    with pytest.raises(IndexError):
        read_as_numpy(read, DATA.shape, DATA.dtype, key)


@pytest.mark.parametrize("key", [[0, 1], np.array([True] * 5), "z", None, 1.0])
def test_other_keys_are_an_error(key):
    with pytest.raises(TypeError, match="integers and slices"):
        read_as_numpy(read, DATA.shape, DATA.dtype, key)
