"""The heat kernel as a sum of resolvents: exp(-t lambda) = sum_j w_j(t) / (lambda + p_j), for all times at once.

The published features end at a largest eigenvalue; such a step needs complex poles beside it as well.

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
# of a truncated kernel: complex poles at the cutoff, how near to and far from it they lie, and the distance from it
# within which an eigenvalue counts in part, relative to the cutoff
CUT_POLES, NEAREST, FARTHEST, GAP = 16, 1e-4, 3.0, 1e-4


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


def truncated_poles(
    times: np.ndarray, cutoff: float, count: int = POLES
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Poles and weights of exp(-t lambda) up to an eigenvalue, and of 0 beyond it.

    The real poles are joined by complex ones that crowd toward the cutoff, as the poles of the best rational
    approximations of a jump do (Gopal and Trefethen 2019); the weights are one least-squares fit for each time, with
    errors weighed as by `heat_poles`. Against dense eigendecompositions of tubes, a sphere and a dendrite, cut at
    1e-5 nm^-2, the error of the log HKS is 1e-6 in the median and 5e-5 at the 99th percentile. An eigenvalue nearer
    to the cutoff than one part in 10^4 counts in part only: in a surface of 1,000 um^2 there is one such in about six.
    The signatures of 32 thousand vertices take 0.8 CPU-s, of the full spectrum 0.4, by bands 7.9.

    Parameters
    ----------
    times : (T,) nm^2, ascending
    cutoff : largest eigenvalue that counts, nm^-2
    count : real poles

    Returns
    -------
    real poles (count,) and their weights (count, T), complex poles (`CUT_POLES`,) and their weights: the kernel is
    the real part of sum_j w_j / (lambda + p_j) over both
    """
    top = min(3 * cutoff, BEYOND / times[0])
    real = np.geomspace(min(1 / times[-1], top / 10), top, count)
    offsets = cutoff * np.geomspace(NEAREST, FARTHEST, CUT_POLES)
    steps = cutoff * np.geomspace(GAP, 1, SAMPLES // 2)
    values = np.geomspace(BELOW * min(1 / times[-1], cutoff), ABOVE * max(1 / times[0], cutoff), SAMPLES)
    values = np.r_[0, values[np.abs(values - cutoff) > steps[0]], cutoff - steps, cutoff + steps]
    beyond = values - cutoff
    circle = beyond[:, None] ** 2 + offsets**2
    terms = np.hstack([real / (values[:, None] + real), beyond[:, None] * offsets / circle, offsets**2 / circle])
    emphasis = np.where(values == 0, 30.0, 1.0)
    weights = np.empty((terms.shape[1], len(times)))
    for column, time in enumerate(times):
        weight = (emphasis * (1 + max(time, 1 / cutoff) * values))[:, None]
        weighted = weight * terms
        size = np.linalg.norm(weighted, axis=0)
        kernel = weight[:, 0] * np.where(values < cutoff, np.exp(-time * values), 0)
        weights[:, column] = np.linalg.lstsq(weighted / size, kernel, rcond=1e-14)[0] / size
    ours, rising, falling = np.split(weights, [count, count + CUT_POLES])
    return (real, ours * real[:, None]), (-cutoff - 1j * offsets, (rising - 1j * falling) * offsets[:, None])
