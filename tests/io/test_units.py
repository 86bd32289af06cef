import numpy as np

from spinome.io.units import working_stride


def test_the_working_stride_comes_near_a_size_from_below():
    assert working_stride((40.0, 8.0, 8.0), 20.0) == (1, 2, 2)
    assert working_stride((20.0, 10.0, 7.0), 20.0) == (1, 2, 2)
    assert working_stride((30.0, 12.0, 12.0), 32.0) == (1, 2, 2)


def test_a_voxel_that_is_rounded_or_calibrated_counts_as_what_it_nearly_is():
    single = float(np.float32(0.008)) * 1000
    assert single > 8 and working_stride((40.0, single, 8.02), 32.0) == (1, 4, 4)
    assert working_stride((3.2, 1.6, 16.0), 32.0) == (10, 20, 2)
