"""Cuboids of a volume, and a few of them that stand for all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinome.cuboids import cuboids, evenly_spaced


@settings(max_examples=60)
@given(st.tuples(*[st.integers(1, 24)] * 3), st.tuples(*[st.integers(1, 20)] * 3), st.integers(1, 50))
def test_evenly_spaced_ones_are_those_of_the_whole_tiling(shape, size, most):
    """Shapes of 1 to 24 voxels, cuboids of 1 to 20, and more wanted than there are."""
    grid = list(cuboids(shape, size))
    places = np.unique(np.linspace(0, len(grid) - 1, most).round().astype(int))
    assert evenly_spaced(shape, size, most) == [grid[place] for place in places]


def test_a_few_of_a_volume_of_any_size():
    first, *_, last = evenly_spaced((60_000, 120_000, 110_000), (16, 256, 256), 8)
    assert first.start == (0, 0, 0) and [axis.stop for axis in last.core] == [60_000, 120_000, 110_000]


@pytest.mark.parametrize("size", [(0, 1, 1), (1, 1, -1)])
def test_a_cuboid_has_a_voxel(size):
    with pytest.raises(ValueError, match="at least one voxel an axis"):
        next(cuboids((4, 4, 4), size))
