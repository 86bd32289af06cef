"""Synaptic vesicles: small dark rings, in clusters.

As in VESICLE (Roncal et al. 2015): within each section the normalised cross-correlation with the template of a mean
vesicle plus a Laplacian of Gaussian of the inverted image, a threshold, and only vesicles with enough neighbours close
by. The Laplacian's share is limited, since membranes have far more of it than any vesicle. The template is
the mean profile of a vesicle over all directions, made up or measured at marked vesicles, and drawn at the volume's own
voxel size; neighbours are counted in nanometres, so the same settings hold for any volume. All of it looks no further
than `reach_nm`.
"""

from __future__ import annotations

import numba
import numpy as np
from scipy.spatial import cKDTree

from spinome.io.units import VoxelSize
from spinome.synapses.forest.box_sums import box_sum
from spinome.synapses.forest.section_filters import dilate, to_pixels
from spinome.synapses.grey import SPREAD

DIAMETER_NM, RIM_NM = 40.0, 8.0
NEIGHBOURS, NEIGHBOURHOOD_NM = 3, 120.0
DISC_NM = 32.0
BLOB_LIMIT = 0.5


def reach_nm(voxel_nm: VoxelSize) -> tuple[float, float, float]:
    """How far (z, y, x) in nm the mask at a voxel depends on the image."""
    template = (len(mean_template(voxel_nm)) // 2 + 2) * voxel_nm[2]
    plane = template + NEIGHBOURHOOD_NM + DISC_NM + 2 * voxel_nm[2]
    return NEIGHBOURHOOD_NM, plane, plane


def mean_template(voxel_nm: VoxelSize, profile: np.ndarray | None = None) -> np.ndarray:
    """A mean vesicle and its surround: (n, n) float32, zero mean.

    Parameters
    ----------
    profile : (N, 2) distance from the centre in nm, ascending, and level there, as measured by
        `spinome.synapses.forest.vesicle_profile`; None is a vesicle 40 nm across with a dark rim of 8 nm
    """
    pixel = voxel_nm[2]
    radius = int(np.ceil((DIAMETER_NM / 2 + RIM_NM) / pixel))
    # drawn five times finer and averaged, since a rim is about as wide as a pixel
    fine = (np.arange(5 * (2 * radius + 1)) + 0.5) / 5 - (radius + 0.5)
    distance = np.hypot(fine[:, None], fine[None, :]) * pixel
    if profile is None:
        drawn = -np.exp(-0.5 * ((distance - (DIAMETER_NM - RIM_NM) / 2) / (RIM_NM / 2)) ** 2)
    else:
        drawn = np.interp(distance, *profile.T)
    template = drawn.reshape(2 * radius + 1, 5, 2 * radius + 1, 5).mean(axis=(1, 3))
    return (template - template.mean()).astype(np.float32)


def detect_vesicles(
    levels: np.ndarray, voxel_nm: VoxelSize, threshold: float, profile: np.ndarray | None = None
) -> np.ndarray:
    """Mask of clustered vesicles.

    Parameters
    ----------
    levels : (Z, Y, X) uint8 from `Grey.levels`
    threshold : least score, see `vesicle_score`
    profile : profile of a vesicle, see `mean_template`

    Returns
    -------
    (Z, Y, X) bool
    """
    scores = vesicle_score(levels, voxel_nm, profile)
    peaks = _peaks(scores, np.float32(threshold))
    positions = peaks * np.asarray(voxel_nm)
    if len(peaks):
        # a hair more, since the last digit of a distance depends on where the array begins; a peak finds itself too
        near = cKDTree(positions).query_ball_point(positions, NEIGHBOURHOOD_NM * (1 + 1e-9), return_length=True)
        peaks = peaks[near > NEIGHBOURS]
    mask = np.zeros(levels.shape, bool)
    mask[tuple(peaks.T)] = True
    return dilate(mask, to_pixels(DISC_NM, voxel_nm))


def vesicle_score(levels: np.ndarray, voxel_nm: VoxelSize, profile: np.ndarray | None = None) -> np.ndarray:
    """Correlation with the mean vesicle (-1 to 1) plus its response as a dark blob (-0.5 to 0.5): (Z, Y, X) float32.

    The response is one for a blob that is darker than its surround by a standard deviation of the volume.
    """
    template = mean_template(voxel_nm, profile)
    size = len(template)
    values = levels.astype(np.int32)
    total = box_sum(values, (1, size, size))
    squares = box_sum(values * values, (1, size, size))
    blob = _blob_template(size, DIAMETER_NM / 2 / voxel_nm[2]) / np.float32(SPREAD)
    norm = np.sqrt((template.astype(np.float64) ** 2).sum())
    return _score(np.ascontiguousarray(levels), (template / norm).astype(np.float32), blob, total, squares)


def _blob_template(size: int, radius: float) -> np.ndarray:
    """Laplacian of a Gaussian with its zero at the radius, for a dark blob; weights of the blob sum to minus one."""
    sigma = radius / np.sqrt(2)
    axis = np.arange(size) - size // 2
    square = axis[:, None] ** 2 + axis[None, :] ** 2
    weights = (1 - square / (2 * sigma**2)) * np.exp(-square / (2 * sigma**2))
    weights -= weights.mean()
    return (-weights / weights[weights > 0].sum()).astype(np.float32)


@numba.njit(cache=True)
def _score(levels, template, blob, total, squares):
    # both templates are their own mirror images, so opposite rows and opposite columns are added first
    depth, height, width = levels.shape
    reach = len(template) // 2
    count = len(template) ** 2
    inside = width - 2 * reach
    scores = np.zeros((depth, height, width), np.float32)
    if inside < 1:
        return scores
    rows = np.empty(width, np.float32)
    correlation, response = np.empty(inside, np.float32), np.empty(inside, np.float32)
    for z in range(depth):
        for y in range(reach, height - reach):
            correlation[:] = 0
            response[:] = 0
            for row in range(reach + 1):
                above, below = levels[z, y - row], levels[z, y + row]
                share = np.float32(1 if row else 0.5)
                for x in range(width):
                    rows[x] = share * (np.float32(above[x]) + np.float32(below[x]))
                for column in range(reach + 1):
                    left, right = rows[reach - column :], rows[reach + column :]
                    half = np.float32(1 if column else 0.5)
                    weight, other = (
                        half * template[reach + row, reach + column],
                        half * blob[reach + row, reach + column],
                    )
                    for x in range(inside):
                        pair = left[x] + right[x]
                        correlation[x] += weight * pair
                        response[x] += other * pair
            for x in range(inside):
                mean = np.float64(total[z, y, x + reach])
                # at least one level of noise, so that nothing is found where the image is blank
                variation = np.sqrt(
                    max(count * np.float64(squares[z, y, x + reach]) - mean * mean, count * count) / count
                )
                scores[z, y, x + reach] = correlation[x] / variation + min(max(response[x], -BLOB_LIMIT), BLOB_LIMIT)
    return scores


@numba.njit(cache=True)
def _peaks(scores, threshold):
    depth, height, width = scores.shape
    found = []
    for z in range(depth):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                value = scores[z, y, x]
                if value < threshold:
                    continue
                # among equal neighbours the first in raster order counts
                if (
                    value > scores[z, y - 1, x - 1]
                    and value > scores[z, y - 1, x]
                    and value > scores[z, y - 1, x + 1]
                    and value > scores[z, y, x - 1]
                    and value >= scores[z, y, x + 1]
                    and value >= scores[z, y + 1, x - 1]
                    and value >= scores[z, y + 1, x]
                    and value >= scores[z, y + 1, x + 1]
                ):
                    found.append((z, y, x))
    peaks = np.empty((len(found), 3), np.int64)
    for index in range(len(found)):
        peaks[index, 0], peaks[index, 1], peaks[index, 2] = found[index]
    return peaks
