"""Where each spine of one session is expected in another: a coarse shift, then a local displacement field."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import fft, ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

POSITION = ["z_um", "y_um", "x_um"]
NEIGHBOURS = 8
# widths of the band that session projections are compared in, um
FINE_UM, COARSE_UM = 0.25, 1.5
# an error along z counts this much of one in the plane
Z_WEIGHT = 0.3


@dataclass(frozen=True)
class Correspondence:
    """`expected_um` (N, 3): where the points of one session should lie in the other; `coarse_um` (3,) the shift
    taken before points were used; `support` (N,): share of a point's neighbours that found a partner."""

    expected_um: np.ndarray
    coarse_um: np.ndarray
    support: np.ndarray


def coarse_shift(
    first: np.ndarray, second: np.ndarray, pixel_um: tuple[float, float], max_shift_um: float
) -> tuple[np.ndarray, float]:
    """Shift of the second projection against the first by band-passed normalised cross-correlation.

    Bounded, since a straight dendrite looks the same anywhere along itself: unbounded phase correlation slips.

    Parameters
    ----------
    first, second : (Y, X) projections of one pixel size; shapes may differ
    pixel_um : pixel (y, x)

    Returns
    -------
    what to add to a position in the first to find it in the second, (y, x) in um, and the correlation there
    """
    shape = [fft.next_fast_len(a + b, real=True) for a, b in zip(first.shape, second.shape)]
    spectra, energies = [], []
    for image in (first, second):
        image = np.log1p(np.maximum(image.astype(np.float32) - np.median(image), 0))
        fine, coarse = ([width / size for size in pixel_um] for width in (FINE_UM, COARSE_UM))
        band = ndimage.gaussian_filter(image, fine) - ndimage.gaussian_filter(image, coarse)
        spectra.append(fft.rfft2(band, shape))
        energies.append((fft.rfft2(band**2, shape), fft.rfft2(np.ones_like(band), shape)))
    product = fft.irfft2(np.conj(spectra[0]) * spectra[1], shape)
    # only what overlaps at a shift counts for it
    first_energy = fft.irfft2(np.conj(energies[0][0]) * energies[1][1], shape)
    second_energy = fft.irfft2(np.conj(energies[0][1]) * energies[1][0], shape)
    correlation = product / np.sqrt(np.maximum(first_energy * second_energy, 1e-12))
    reach = [min(int(max_shift_um / size), min(a, b) // 2) for size, a, b in zip(pixel_um, first.shape, second.shape)]
    rows, columns = (np.arange(-r, r + 1) for r in reach)
    near = correlation[np.ix_(rows, columns)]
    best = np.unravel_index(int(np.argmax(near)), near.shape)
    shift = np.array([rows[best[0]] * pixel_um[0], columns[best[1]] * pixel_um[1]])
    return shift, float(near[best])


def axial_shift(first: np.ndarray, second: np.ndarray, reach_um: float = 2.0, max_shift_um: float = 15.0) -> float:
    """Shift along z between two clouds of points (N, 3) that lie over each other: the densest difference, in um."""
    if not len(first) or not len(second):
        return 0.0
    pairs = cKDTree(first[:, 1:]).query_ball_tree(cKDTree(second[:, 1:]), reach_um)
    differences = np.array([second[j, 0] - first[i, 0] for i, partners in enumerate(pairs) for j in partners])
    differences = differences[np.abs(differences) <= max_shift_um]
    if not len(differences):
        return 0.0
    grid = np.arange(-max_shift_um, max_shift_um + 0.25, 0.25)
    density = np.exp(-0.5 * (grid[:, None] - differences[None]) ** 2).sum(axis=1)
    return float(grid[int(np.argmax(density - 1e-6 * np.abs(grid)))])


def local_field(first: np.ndarray, second: np.ndarray, coarse_um: np.ndarray, gate_um: float) -> Correspondence:
    """Displace each point by the median of what its neighbours that found a partner were displaced by, annealed.

    Parameters
    ----------
    first, second : (N, 3) and (M, 3) points, z y x in um
    coarse_um : (3,) displacement to begin with
    gate_um : reach of a match in the last round; earlier rounds reach farther
    """
    displacement = np.tile(np.asarray(coarse_um, float), (len(first), 1))
    support = np.zeros(len(first))
    if not len(first) or not len(second):
        return Correspondence(first + displacement, np.asarray(coarse_um, float), support)
    tree = cKDTree(first)
    count = min(NEIGHBOURS + 1, len(first))
    near = np.atleast_2d(tree.query(first, count)[1].reshape(len(first), count))
    for gate in gate_um * np.array([3.0, 2.5, 2.0, 1.6, 1.3, 1.0, 1.0]):
        rows, columns = match(first + displacement, second, gate)
        moved = np.full_like(displacement, np.nan)
        moved[rows] = second[columns] - first[rows]
        matched = np.isfinite(moved[near, 0])
        support = matched.mean(axis=1)
        for point in np.flatnonzero(matched.sum(axis=1) >= min(3, count)):
            displacement[point] = np.median(moved[near[point]][matched[point]], axis=0)
    return Correspondence(first + displacement, np.asarray(coarse_um, float), support)


def match(expected: np.ndarray, second: np.ndarray, gate_um: float) -> tuple[np.ndarray, np.ndarray]:
    """One-to-one pairs within a gate, at the least total distance, with z counting less."""
    distance = weighted_distance(expected, second)
    rows, columns = linear_sum_assignment(np.minimum(distance, gate_um))
    kept = distance[rows, columns] < gate_um
    return rows[kept], columns[kept]


def weighted_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances (N, M) between points z y x in um, with z counting less, as it is known less well."""
    difference = first[:, None] - second[None]
    return np.sqrt((Z_WEIGHT * difference[..., 0]) ** 2 + difference[..., 1] ** 2 + difference[..., 2] ** 2)


def correspond_series(
    places: list[np.ndarray],
    projections: list[np.ndarray],
    voxels_um: list[tuple[float, float, float]],
    max_shift_um: float,
    gate_um: float,
    gap_sessions: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correspond each session of a series with those up to `gap_sessions` beyond its neighbours, both ways.

    Parameters
    ----------
    places : for each session in order, its spines (N, 3) z y x in um
    projections : for each session (Y, X)
    voxels_um : for each session, voxel (z, y, x); sessions may differ

    Returns
    -------
    expected : `session other row z_um y_um x_um support`, `row` counting the spines of `session`
    shifts : `session other z_um y_um x_um correlation`, the coarse shifts
    """
    expected, shifts = [], []
    for i, j in itertools.permutations(range(len(places)), 2):
        if abs(i - j) > 1 + gap_sessions:
            continue
        other = _at_pixel(projections[j], voxels_um[j][1:], voxels_um[i][1:])
        lateral, correlation = coarse_shift(projections[i], other, voxels_um[i][1:], max_shift_um)
        axial = axial_shift(places[i] + [0, *lateral], places[j])
        coarse = np.array([axial, *lateral])
        found = local_field(places[i], places[j], coarse, gate_um)
        shifts.append([i, j, *coarse, correlation])
        rows = np.arange(len(places[i]))
        columns = [np.full(len(rows), i), np.full(len(rows), j), rows, found.expected_um, found.support]
        expected.append(np.column_stack(columns))
    table = pd.DataFrame(
        np.concatenate(expected) if expected else np.zeros((0, 7)),
        columns=["session", "other", "row", *POSITION, "support"],
    )
    table = table.astype({"session": int, "other": int, "row": int})
    return table, pd.DataFrame(shifts, columns=["session", "other", *POSITION, "correlation"])


def _at_pixel(image: np.ndarray, pixel_um: tuple[float, float], wanted_um: tuple[float, float]) -> np.ndarray:
    if np.allclose(pixel_um, wanted_um, rtol=1e-3):
        return image
    return ndimage.zoom(image.astype(np.float32), np.divide(pixel_um, wanted_um), order=1)
