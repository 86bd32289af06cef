"""The heat kernel as a sum of resolvents: exp(-t lambda) = sum_j w_j(t) / (lambda + p_j), for all times at once.

Real poles between the slowest and the fastest time serve every time, so that the heat kernel signature of a mesh needs
the diagonal of (L + p M)^-1 at two dozen p, and no eigenvector.
"""

from __future__ import annotations

import numpy as np

POLES = 24
# the fastest time needs poles beyond its own rate
BEYOND = 30.0
# eigenvalues at which the sum is fitted, and how far these reach below and above the rates of the times
SAMPLES, BELOW, ABOVE = 600, 1e-4, 1e5


def heat_poles(times: np.ndarray, count: int = POLES) -> tuple[np.ndarray, np.ndarray]:
    """Poles and weights of the heat kernel.

    Each column of weights is one least-squares fit over eigenvalues from 0 on. What counts is the relative error of
    a signature, which on a surface has as many eigenvalues up to lambda as lambda itself (Weyl's law), so that an
    error weighs 1 + t lambda. Against dense eigendecompositions of dendrites, 24 poles leave an error of the log HKS
    of 1e-5 in the median and 2e-4 at the 99th percentile, 16 of 5e-4 and 7e-3.

    Parameters
    ----------
    times : (T,) nm^2, ascending
    count : poles

    Returns
    -------
    poles (count,) in nm^-2, weights (count, T) in nm^-2
    """
    poles = np.geomspace(1 / times[-1], BEYOND / times[0], count)
    values = np.r_[0, np.geomspace(BELOW / times[-1], ABOVE / times[0], SAMPLES)]
    # the constant eigenvector alone is there to the end
    emphasis = np.where(values == 0, 30.0, 1.0)
    resolvents = poles / (values[:, None] + poles)
    weights = np.empty((count, len(times)))
    for column, time in enumerate(times):
        weight = (emphasis * (1 + time * values))[:, None]
        weights[:, column] = np.linalg.lstsq(weight * resolvents, weight[:, 0] * np.exp(-time * values), rcond=1e-15)[0]
    return poles, weights * poles[:, None]
