"""Levels halve what is fine, hold the mean of grey values and the most frequent label, and depend on no chunk."""

from itertools import pairwise

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from spinome.io.pyramid import fill_levels, level_factors
from spinome.io.zarr_arrays import array_to_write, create_array, open_array


@pytest.mark.parametrize(
    ("shape", "voxel_nm", "factors"),
    [
        ((32, 64, 64), (40, 8, 8), [(1, 1, 1)]),
        ((200, 200, 200), (10, 10, 10), [(1, 1, 1), (2, 2, 2), (4, 4, 4)]),
        # sections of 40 nm are thinned out when voxels are 32 nm wide, not before
        ((200, 900, 500), (40, 8, 8), [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8), (4, 16, 16)]),
        # a single section has no depth to halve
        ((1, 200, 65), (1, 8, 8), [(1, 1, 1), (1, 2, 2), (1, 4, 4)]),
    ],
)
def test_levels_become_isotropic_and_end_in_a_thumbnail(shape, voxel_nm, factors):
    assert level_factors(shape, voxel_nm) == factors


@given(st.tuples(*[st.integers(1, 3000)] * 3), st.tuples(*[st.floats(1, 100)] * 3))
def test_levels_end_for_any_volume(shape, voxel_nm):
    factors = level_factors(shape, voxel_nm)
    assert max(-(-length // step) for length, step in zip(shape, factors[-1])) <= 64
    assert all(after // before in (1, 2) for pair in pairwise(factors) for before, after in zip(*pair))


def levels_of(folder, data, method, chunks, factors=((1, 1, 1), (1, 2, 2), (2, 4, 4))):
    group = zarr.open_group(str(folder), mode="w", zarr_format=3)
    folders = [folder / f"{level}" for level in range(len(factors))]
    for path, factor in zip(folders, factors):
        shape = tuple(-(-length // step) for length, step in zip(data.shape, factor))
        create_array(group, path.name, shape, data.dtype, chunks, "zyx")
    array_to_write(folders[0])[:] = data
    fill_levels(folders, factors, method)
    return [np.asarray(open_array(path, zarr.open_array(str(path)))[:]) for path in folders]


def coarser(data, steps, reduce):
    """Each cell reduced by itself; cells at the far edges hold what there is."""
    shape = tuple(-(-length // step) for length, step in zip(data.shape, steps))
    out = np.empty(shape, data.dtype)
    for place in np.ndindex(shape):
        out[place] = reduce(data[tuple(slice(p * s, (p + 1) * s) for p, s in zip(place, steps))])
    return out


@pytest.mark.parametrize("chunks", [(100, 100, 100), (3, 4, 5), (1, 1, 9)])
def test_grey_values_are_averaged(tmp_path, chunks):
    data = np.random.default_rng(0).random((5, 11, 9)).astype(np.float32)
    first, second, third = levels_of(tmp_path, data, "mean", chunks)
    np.testing.assert_array_equal(first, data)
    np.testing.assert_allclose(second, coarser(data, (1, 2, 2), np.mean), rtol=1e-6)
    np.testing.assert_allclose(third, coarser(second, (2, 2, 2), np.mean), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64, np.int64, bool])
def test_of_labels_the_most_frequent_is_taken(tmp_path, dtype):
    top = 1 if dtype is bool else np.iinfo(dtype).max
    # three voxels of four are of one label, so that there is no tie
    few = np.random.default_rng(0).choice(np.array([0, 1, top], dtype), (4, 6, 5))
    data = np.repeat(np.repeat(few, 2, axis=1), 2, axis=2)
    data[:, ::2, ::2] = dtype(0)
    alike = levels_of(tmp_path / "a", data, "mode", (3, 4, 5))
    np.testing.assert_array_equal(alike[1], few)
    assert alike[1].dtype == dtype and set(np.unique(alike[2])) <= set(np.unique(few))
    for mine, other in zip(alike, levels_of(tmp_path / "b", data, "mode", (1, 7, 2))):
        np.testing.assert_array_equal(mine, other)


def test_no_level_is_made_of_a_volume_that_is_not_whole(tmp_path):
    levels_of(tmp_path, np.ones((4, 8, 8), np.uint8), "mean", (2, 4, 4))
    (tmp_path / "0" / "c" / "1" / "0" / "1").unlink()
    with pytest.raises(ValueError, match="NOT_FOUND"):
        fill_levels([tmp_path / "0", tmp_path / "1"], [(1, 1, 1), (1, 2, 2)], "mean")
