"""Where each spine of one session is expected in another: a coarse shift, then a local displacement field.

The field is that of the image around each spine and of the spines about it together: images do not mind missed and
spurious spines, and spines do not mind a day of poor image.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import fft, ndimage
from scipy.optimize import linear_sum_assignment
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree

from spinome.columns import POSITION

SHIFT_COLUMNS = ["session", "other", *POSITION, "correlation", "turned", "other_turned", "sharpness"]
NEIGHBOURS = 8
# widths of the band that session projections are compared in, um
FINE_UM, COARSE_UM = 0.25, 1.5
# widths of the bands of fine and of coarse detail whose shares say how sharp a projection is, um
SHARP_UM = (0.2, 0.4, 1.2)
# half the side of the block of image compared around a spine, how far it may have moved beyond the coarse shift, and
# the least correlation that counts
BLOCK_UM, BLOCK_REACH_UM, BLOCK_CORRELATION = 2.5, 2.0, 0.5
# how near in the plane points lie over each other, and the largest shift along z, um
AXIAL_REACH_UM, AXIAL_SHIFT_UM = 2.0, 15.0
# points that agree in depth, either way, below which nothing is said of which way z runs, and how much likelier
# (natural logarithm, all sessions together) the other way has to be
LEAST_PAIRS, TURNED = 10, 0.3
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
    for band in (_band(first, pixel_um), _band(second, pixel_um)):
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


def block_displacements(
    first: np.ndarray, second: np.ndarray, points_um: np.ndarray, shift_um: np.ndarray, pixel_um: tuple[float, float]
) -> np.ndarray:
    """Displacement of the image around each point from one projection to the other.

    Band-passed normalised cross-correlation of a Gaussian-weighted block around the point with what lies within
    `BLOCK_REACH_UM` of where the coarse shift puts it.

    Parameters
    ----------
    first, second : (Y, X) projections of one pixel size; shapes may differ
    points_um : (N, 2) y x in the first
    shift_um : (2,) the coarse shift
    pixel_um : pixel (y, x)

    Returns
    -------
    (N, 2) y x in um, not a number where a block has no counterpart or its centre leaves the images
    """
    pixel = np.asarray(pixel_um)
    half, reach = (np.ceil(width / pixel).astype(int) for width in (BLOCK_UM, BLOCK_REACH_UM))
    sigma = 0.6 * half
    weight = np.outer(*(np.exp(-0.5 * (np.arange(-h, h + 1) / s) ** 2) for h, s in zip(half, sigma)))
    weight /= weight.sum()
    # beyond the edges the band-passed image is 0
    border = half + reach
    one, other = (np.pad(_band(image, pixel_um), np.column_stack([border, border])) for image in (first, second))
    mean, square = (ndimage.gaussian_filter(image, sigma, radius=half) for image in (other, other**2))
    spread = np.sqrt(np.maximum(square - mean**2, 1e-9))
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1)
    near = np.linalg.norm(steps * pixel, axis=-1) <= BLOCK_REACH_UM
    out = np.full((len(points_um), 2), np.nan)
    offset = np.rint(np.asarray(shift_um) / pixel).astype(int)
    for row, centre in enumerate(np.rint(np.asarray(points_um) / pixel).astype(int) + border):
        there = centre + offset
        inside = [
            (c >= border).all() and (c < np.array(i.shape) - border).all() for c, i in ((centre, one), (there, other))
        ]
        if not all(inside):
            continue
        block = one[tuple(slice(c - h, c + h + 1) for c, h in zip(centre, half))]
        block = block - (weight * block).sum()
        size = np.sqrt((weight * block**2).sum())
        if not size > 0:
            continue
        search = other[tuple(slice(c - h - r, c + h + r + 1) for c, h, r in zip(there, half, reach))]
        product = fftconvolve(search, (weight * block)[::-1, ::-1], mode="valid")
        here = spread[tuple(slice(c - r, c + r + 1) for c, r in zip(there, reach))]
        correlation = np.where(near, product / (size * here), -1)
        best = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
        if correlation[best] >= BLOCK_CORRELATION:
            out[row] = (offset + steps[best]) * pixel
    return out


def axial_shift(first: np.ndarray, second: np.ndarray) -> float:
    """Shift along z between two clouds of points (N, 3) that lie over each other: the densest difference, in um."""
    return _densest(first, second)[0]


def turned_sessions(places: list[np.ndarray], lateral_um: dict[tuple[int, int], np.ndarray]) -> list[bool]:
    """Which sessions were taken with z running the other way than in most.

    Points that lie over each other differ by one shift along z; in a turned session their depths have one sum.

    Parameters
    ----------
    places : for each session, its spines (N, 3) z y x in um
    lateral_um : for sessions (i, j), i < j, the shift (y, x) of j against i

    Returns
    -------
    for each session; one with too few points, or all at one depth, is taken to run as most do
    """
    # against the first session; what cannot be told is left open
    turned: list[bool | None] = [False] + [None] * (len(places) - 1)
    for j in range(1, len(places)):
        evidence = 0.0
        for i in range(j):
            if (i, j) in lateral_um and turned[i] is not None:
                moved = places[i] + [0, *lateral_um[i, j]]
                same, other = (_densest(moved, place)[1] for place in (places[j], mirrored(places[j])))
                if same + other >= LEAST_PAIRS:
                    evidence += float(np.log(same / other)) * (-1 if turned[i] else 1)
        turned[j] = evidence < 0 if abs(evidence) > TURNED else None
    most = sum(own is True for own in turned) > sum(own is False for own in turned)
    return [own is not None and own != most for own in turned]


def mirrored(place: np.ndarray, about: np.ndarray | None = None) -> np.ndarray:
    """Points (N, 3) with z running the other way, about the median depth of `about`, by default their own."""
    about = place if about is None else about
    if not len(about):
        return place
    return np.column_stack([2 * np.median(about[:, 0]) - place[:, 0], place[:, 1:]])


def _densest(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The commonest difference along z (um) of points that lie over each other, and how many pairs have about it."""
    if not len(first) or not len(second):
        return 0.0, 0.0
    pairs = cKDTree(first[:, 1:]).query_ball_tree(cKDTree(second[:, 1:]), AXIAL_REACH_UM)
    differences = np.array([second[j, 0] - first[i, 0] for i, partners in enumerate(pairs) for j in partners])
    differences = differences[np.abs(differences) <= AXIAL_SHIFT_UM]
    if not len(differences):
        return 0.0, 0.0
    grid = np.arange(-AXIAL_SHIFT_UM, AXIAL_SHIFT_UM + 0.25, 0.25)
    density = np.exp(-0.5 * (grid[:, None] - differences[None]) ** 2).sum(axis=1)
    best = int(np.argmax(density - 1e-6 * np.abs(grid)))
    return float(grid[best]), float(density[best])


def local_field(
    first: np.ndarray, second: np.ndarray, coarse_um: np.ndarray, gate_um: float, image_um: np.ndarray | None = None
) -> Correspondence:
    """Displace each point by the median of what its neighbours and the image around them were displaced by, annealed.

    Parameters
    ----------
    first, second : (N, 3) and (M, 3) points, z y x in um
    coarse_um : (3,) displacement to begin with
    gate_um : reach of a match in the last round; earlier rounds reach farther
    image_um : (N, 2) displacement of the image around each point, not a number where unknown; none without images
    """
    displacement = np.tile(np.asarray(coarse_um, float), (len(first), 1))
    support = np.zeros(len(first))
    if not len(first):
        return Correspondence(first + displacement, np.asarray(coarse_um, float), support)
    count = min(NEIGHBOURS + 1, len(first))
    near = cKDTree(first).query(first, count)[1].reshape(len(first), count)
    votes = np.full((len(first), 2), np.nan) if image_um is None else image_um
    displacement[:, 1:] = _medians(votes[near], displacement[:, 1:])
    if not len(second):
        return Correspondence(first + displacement, np.asarray(coarse_um, float), support)
    for gate in gate_um * np.array([3.0, 2.5, 2.0, 1.6, 1.3, 1.0, 1.0]):
        rows, columns = match(first + displacement, second, gate)
        moved = np.full_like(displacement, np.nan)
        moved[rows] = second[columns] - first[rows]
        support = np.isfinite(moved[near, 0]).mean(axis=1)
        displacement[:, :1] = _medians(moved[near, :1], displacement[:, :1])
        both = np.concatenate([moved[near, 1:], votes[near]], axis=1)
        displacement[:, 1:] = _medians(both, displacement[:, 1:])
    return Correspondence(first + displacement, np.asarray(coarse_um, float), support)


def _medians(votes: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Median (N, D) of the votes (N, K, D) that are numbers; `otherwise` where there are fewer than three."""
    out = otherwise.copy()
    known = np.isfinite(votes[..., 0])
    for row in np.flatnonzero(known.sum(axis=1) >= 3):
        out[row] = np.median(votes[row][known[row]], axis=0)
    return out


def match(expected: np.ndarray, second: np.ndarray, gate_um: float) -> tuple[np.ndarray, np.ndarray]:
    """One-to-one pairs within a gate, at the least total distance, with z counting less.

    Unlike `spinome.scores.matching`, a point alone costs no more than the gate: two pairs at the edge of it do not
    outweigh a close one, since each pair moves the field around it.
    """
    distance = weighted_distance(expected, second)
    rows, columns = linear_sum_assignment(np.minimum(distance, gate_um))
    kept = distance[rows, columns] < gate_um
    return rows[kept], columns[kept]


def weighted_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances (N, M) between points z y x in um, with z counting less, as it is known less well."""
    difference = first[:, None] - second[None]
    return np.sqrt((Z_WEIGHT * difference[..., 0]) ** 2 + difference[..., 1] ** 2 + difference[..., 2] ** 2)


def coarse_shifts(
    projections: list[np.ndarray],
    voxels_um: list[tuple[float, float, float]],
    max_shift_um: float,
    gap_sessions: int,
) -> dict[tuple[int, int], tuple[np.ndarray, float]]:
    """`coarse_shift` of each session against those up to `gap_sessions` beyond its neighbours, both ways."""
    return {
        (i, j): coarse_shift(
            projections[i],
            _at_pixel(projections[j], voxels_um[j][1:], voxels_um[i][1:]),
            voxels_um[i][1:],
            max_shift_um,
        )
        for i, j in _pairs(len(projections), gap_sessions)
    }


def correspond_series(
    places: list[np.ndarray],
    projections: list[np.ndarray],
    voxels_um: list[tuple[float, float, float]],
    max_shift_um: float,
    gate_um: float,
    gap_sessions: int,
    coarse: dict[tuple[int, int], tuple[np.ndarray, float]] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correspond each session of a series with those up to `gap_sessions` beyond its neighbours, both ways.

    Parameters
    ----------
    places : for each session in order, its spines (N, 3) z y x in um
    projections : for each session (Y, X)
    voxels_um : for each session, voxel (z, y, x); sessions may differ
    coarse : of `coarse_shifts` for these pairs or more, where the projections have been registered before

    Returns
    -------
    expected : `session other row z_um y_um x_um support`, `row` counting the spines of `session`
    shifts : `SHIFT_COLUMNS`, the coarse shifts, the correlation of the projections there, whether z of either session
        runs the other way than in most (`turned_sessions`); its depths are mirrored for the shift along z; and how
        sharp the projection of `session` is, 1 being as sharp as that of `other`
    """
    pairs = _pairs(len(places), gap_sessions)
    if coarse is None:
        coarse = coarse_shifts(projections, voxels_um, max_shift_um, gap_sessions)
    turned = turned_sessions(places, {(i, j): coarse[i, j][0] for i, j in pairs if i < j})
    upright = [mirrored(place) if own else place for place, own in zip(places, turned)]
    expected, shifts = [], []
    for i, j in pairs:
        lateral, correlation = coarse[i, j]
        shift = np.array([axial_shift(upright[i] + [0, *lateral], upright[j]), *lateral])
        other = _at_pixel(projections[j], voxels_um[j][1:], voxels_um[i][1:])
        image = block_displacements(projections[i], other, places[i][:, 1:], lateral, voxels_um[i][1:])
        found = local_field(upright[i], upright[j], shift, gate_um, image)
        there = mirrored(found.expected_um, places[j]) if turned[j] else found.expected_um
        sharper = _sharper(projections[i], projections[j], voxels_um[i][1:], voxels_um[j][1:])
        shifts.append([i, j, *shift, correlation, turned[i], turned[j], sharper])
        rows = np.arange(len(places[i]))
        columns = [np.full(len(rows), i), np.full(len(rows), j), rows, there, found.support]
        expected.append(np.column_stack(columns))
    table = pd.DataFrame(
        np.concatenate(expected) if expected else np.zeros((0, 7)),
        columns=["session", "other", "row", *POSITION, "support"],
    )
    table = table.astype({"session": int, "other": int, "row": int})
    return table, pd.DataFrame(shifts, columns=SHIFT_COLUMNS).astype({"turned": bool, "other_turned": bool})


def _pairs(count: int, gap_sessions: int) -> list[tuple[int, int]]:
    return [(i, j) for i, j in itertools.permutations(range(count), 2) if abs(i - j) <= 1 + gap_sessions]


def _band(image: np.ndarray, pixel_um: tuple[float, float]) -> np.ndarray:
    """Detail between `FINE_UM` and `COARSE_UM` of the logarithm of an image above its background."""
    image = np.log1p(np.maximum(image.astype(np.float32) - np.median(image), 0))
    fine, coarse = ([width / size for size in pixel_um] for width in (FINE_UM, COARSE_UM))
    return ndimage.gaussian_filter(image, fine) - ndimage.gaussian_filter(image, coarse)


def _sharper(first: np.ndarray, second: np.ndarray, first_um, second_um) -> float:
    """How sharp the first projection is, the second being 1, at the larger of their pixels."""
    pixel = tuple(np.maximum(first_um, second_um))
    one, other = (
        sharpness(_at_pixel(image, own, pixel), pixel) for image, own in ((first, first_um), (second, second_um))
    )
    return one / other if other > 0 else float("nan")


def sharpness(image: np.ndarray, pixel_um: tuple[float, float]) -> float:
    """Fine detail over coarse detail of the logarithm of an image above its background; 0 where there is none."""
    image = np.log1p(np.maximum(image.astype(np.float32) - np.median(image), 0))
    levels = [ndimage.gaussian_filter(image, [width / size for size in pixel_um]) for width in SHARP_UM]
    fine, coarse = ((one - other).std() for one, other in itertools.pairwise(levels))
    return float(fine / coarse) if coarse > 0 else 0.0


def _at_pixel(image: np.ndarray, pixel_um: tuple[float, float], wanted_um: tuple[float, float]) -> np.ndarray:
    if np.allclose(pixel_um, wanted_um, rtol=1e-3):
        return image
    return ndimage.zoom(image.astype(np.float32), np.divide(pixel_um, wanted_um), order=1)
