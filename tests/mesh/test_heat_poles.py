import numpy as np
import pytest

from spinome.mesh.heat_poles import heat_poles, truncated_poles
from spinome.mesh.hks import TIMES_NM2


@pytest.mark.parametrize(("count", "error"), [(16, 5e-3), (24, 1e-4), (32, 2e-5)])
def test_the_sum_of_resolvents_is_the_heat_kernel(count, error):
    poles, weights = heat_poles(TIMES_NM2, count)
    values = np.r_[0, np.geomspace(1e-10, 1e-1, 5000)]
    found = (1 / (values[:, None] + poles)) @ weights
    assert (poles > 0).all()
    assert np.abs(found - np.exp(-np.outer(values, TIMES_NM2))).max() < error


def test_times_of_other_spans_are_served_as_well():
    times = np.geomspace(1e3, 1e5, 8)
    poles, weights = heat_poles(times)
    values = np.geomspace(1e-8, 1e-1, 2000)
    assert np.abs((1 / (values[:, None] + poles)) @ weights - np.exp(-np.outer(values, times))).max() < 1e-4


@pytest.mark.parametrize("cutoff", [1e-6, 1e-5, 1e-4])
def test_the_truncated_kernel_ends_at_the_cutoff(cutoff):
    parts = truncated_poles(TIMES_NM2, cutoff)
    values = np.r_[0, np.geomspace(1e-10, 1e-1, 5000), cutoff * (1 - 2e-4), cutoff * (1 + 2e-4)]
    found = sum((1 / (values[:, None] + poles) @ weights).real for poles, weights in parts)
    kernel = np.where(values[:, None] < cutoff, np.exp(-np.outer(values, TIMES_NM2)), 0)
    clear = np.abs(values / cutoff - 1) > 1e-4
    assert np.abs(found - kernel)[clear].max() < 2e-3
    assert np.median(np.abs(found - kernel)) < 1e-6
