"""What the agglomeration forest sees of two regions in contact, from mergeable statistics alone.

The families are those of Gala's paper_em set (Nunez-Iglesias et al. 2014): moments and percentiles of the boundary
and of the smaller and the larger region, their differences, the share of the surface in contact, and the graph.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from spinome.linking.contacts import BINS

_SHAPE = ["mean", "deviation", "skewness", "kurtosis", "p10", "p50", "p90"]
_PERCENTILES = (0.1, 0.5, 0.9)
SHAPES = len(_SHAPE)
FEATURES = [
    "boundary_log_area_um2",
    *[f"boundary_{name}" for name in _SHAPE],
    "small_log_volume_um3",
    *[f"small_{name}" for name in _SHAPE],
    "large_log_volume_um3",
    *[f"large_{name}" for name in _SHAPE],
    "difference_mean",
    "difference_divergence",
    "boundary_minus_small",
    "boundary_minus_large",
    "contact_small",
    "contact_large",
    "contact_compactness",
    "degree_small",
    "degree_large",
    "common_neighbours",
    *[f"boundary_share_{number}" for number in range(5)],
]
WIDTH = len(FEATURES)


@njit(cache=True)
def quantile(histogram, fraction):
    """Quantile of a histogram over [0, 1], linear within a bin; 0 for an empty one."""
    total = 0.0
    for number in range(BINS):
        total += histogram[number]
    if total <= 0:
        return 0.0
    wanted, passed = fraction * total, 0.0
    for number in range(BINS):
        here = histogram[number]
        if passed + here >= wanted and here > 0:
            return (number + (wanted - passed) / here) / BINS
        passed += here
    return 1.0


@njit(cache=True)
def shape_of(moments, histogram, out, start):
    """Fill `out` from `start` on with the shape of a distribution, SHAPES values."""
    total = moments[0]
    mean = moments[1] / total
    m2 = moments[2] / total
    m3 = moments[3] / total
    m4 = moments[4] / total
    variance = max(m2 - mean * mean, 0.0)
    out[start] = mean
    out[start + 1] = np.sqrt(variance)
    if variance > 1e-8:
        third = m3 - 3 * mean * m2 + 2 * mean**3
        fourth = m4 - 4 * mean * m3 + 6 * mean * mean * m2 - 3 * mean**4
        out[start + 2] = third / variance**1.5
        out[start + 3] = fourth / variance**2
    else:
        out[start + 2] = 0.0
        out[start + 3] = 0.0
    # as `quantile`, all of them in one go
    weight = 0.0
    for number in range(BINS):
        weight += histogram[number]
    place, passed = 0, 0.0
    for number in range(BINS):
        here = histogram[number]
        while place < len(_PERCENTILES) and here > 0 and passed + here >= _PERCENTILES[place] * weight:
            out[start + 4 + place] = (number + (_PERCENTILES[place] * weight - passed) / here) / BINS
            place += 1
        passed += here
    for later in range(place, len(_PERCENTILES)):
        out[start + 4 + later] = 1.0 if weight > 0 else 0.0


@njit(cache=True)
def _divergence(first, second):
    """Jensen-Shannon divergence of two histograms in bits."""
    total_first, total_second = 0.0, 0.0
    for number in range(BINS):
        total_first += first[number]
        total_second += second[number]
    value = 0.0
    for number in range(BINS):
        a, b = first[number] / total_first, second[number] / total_second
        middle = (a + b) / 2
        if a > 0:
            value += a * np.log2(a / middle) / 2
        if b > 0:
            value += b * np.log2(b / middle) / 2
    return value


@njit(cache=True)
def edge_features(
    edge_m, edge_h, voxels, small_h, large_h, small_s, large_s, small_um2, large_um2, degrees, common, voxel_um3, out
):
    """Fill `out` (len(FEATURES),) float32 for one edge.

    Of the smaller and the larger region: `voxels`, `*_h` and `*_s` their histograms and what `shape_of` says of them,
    `*_um2` their whole contact areas.
    """
    out[0] = np.log10(edge_m[0])
    shape_of(edge_m, edge_h, out, 1)
    out[8] = np.log10(voxels[0] * voxel_um3)
    out[16] = np.log10(voxels[1] * voxel_um3)
    for number in range(SHAPES):
        out[9 + number] = small_s[number]
        out[17 + number] = large_s[number]
    out[24] = abs(out[9] - out[17])
    out[25] = _divergence(small_h, large_h)
    out[26] = out[1] - out[9]
    out[27] = out[1] - out[17]
    out[28] = edge_m[0] / small_um2
    out[29] = edge_m[0] / large_um2
    out[30] = edge_m[0] / (voxels[0] * voxel_um3) ** (2 / 3)
    out[31] = degrees[0]
    out[32] = degrees[1]
    out[33] = common
    fifth = BINS // 5
    for number in range(5):
        share = 0.0
        for bin_ in range(number * fifth, (number + 1) * fifth):
            share += edge_h[bin_]
        out[34 + number] = share / edge_m[0]
