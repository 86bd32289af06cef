from spinome.io.units import working_stride


def test_the_working_stride_comes_near_a_size_from_below():
    assert working_stride((40.0, 8.0, 8.0), 20.0) == (1, 2, 2)
    assert working_stride((20.0, 10.0, 7.0), 20.0) == (1, 2, 2)
