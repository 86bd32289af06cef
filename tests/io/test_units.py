import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spinome.io.units import working_stride


def test_the_working_stride_comes_nearest_to_a_size():
    assert working_stride((40.0, 8.0, 8.0), 20.0) == (1, 3, 3)
    assert working_stride((20.0, 10.0, 7.0), 20.0) == (1, 2, 3)
    assert working_stride((30.0, 12.0, 12.0), 32.0) == (1, 3, 3)
    assert working_stride((20.0, 23.0, 22.0), 32.0) == (2, 1, 2)


@given(st.floats(0.5, 100), st.floats(1, 500))
def test_no_other_step_comes_nearer_by_ratio(size, wanted):
    step = working_stride((size, size, size), wanted)[0]
    away = [abs(np.log(other * size / wanted)) for other in (step, step + 1, max(1, step - 1))]
    assert away[0] <= min(away) + 1e-9


def test_a_voxel_that_is_rounded_or_calibrated_counts_as_what_it_nearly_is():
    single = float(np.float32(0.008)) * 1000
    assert single > 8 and working_stride((40.0, single, 8.02), 32.0) == (1, 4, 4)
    assert working_stride((3.2, 1.6, 16.0), 32.0) == (10, 20, 2)
