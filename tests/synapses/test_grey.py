"""What grey values mean."""

import numpy as np

from spinome.synapses.grey import MIDDLE, SPREAD, Grey


def test_what_is_not_finite_is_as_grey_as_the_median():
    image = np.array([[[120, 140, np.nan, np.inf, -np.inf]]], np.float32)
    assert Grey(120.0, 20.0).levels(image).tolist() == [[[MIDDLE, MIDDLE + SPREAD, MIDDLE, MIDDLE, MIDDLE]]]
