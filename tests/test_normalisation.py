"""How far the statistics of a layer have moved; `tests/synapses/network/test_adapt.py` has the rest."""

import numpy as np
import pytest
import torch

from spinome.normalisation import moved


def test_statistics_that_stay_have_not_moved_and_others_have():
    layer = torch.nn.BatchNorm3d(3)
    mean, variance = layer.running_mean.clone(), layer.running_var.clone()
    assert moved(mean, variance, layer) == 0
    layer.running_mean += 0.5
    assert moved(mean, variance, layer) == pytest.approx(0.5)
    layer.running_var *= np.e
    assert moved(mean, variance, layer) == pytest.approx(1.5)
