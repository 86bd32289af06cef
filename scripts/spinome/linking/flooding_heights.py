"""The landscape that superpixels are flooded in: membranes are its ridges, the middles of neurites its valleys.

A voxel's height depends on what lies within `reach` of it alone, to the last bit, so that cuboids with a halo that
wide see the same landscape as the whole volume. The distance to the nearest membrane therefore ends at
`DEEP` times the spacing of seeds: what is deeper is the floor of one valley. The libraries' exact distance transforms
are fast but look through the whole line, and round by where it starts.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import ndimage

from spinome.cuboids import Shape
from spinome.io.units import VoxelSize

DEEP = 5
# standard deviations that the smoothing of the distance reaches
TRUNCATE = 2.0
# how much lower than a membrane of probability 1 the middle of a neurite is, for each spacing it is deep
FALL = 0.275


def reach(voxel_nm: VoxelSize, smoothing_nm: float, spacing_nm: float) -> Shape:
    """Voxels (z, y, x) around a voxel that decide about its height and whether it is a seed.

    Parameters
    ----------
    voxel_nm, smoothing_nm, spacing_nm : see `landscape`
    """
    return tuple(
        int(DEEP * spacing_nm / size) + int(TRUNCATE * smoothing_nm / size + 0.5) + int(spacing_nm / size) + 1
        for size in voxel_nm
    )


def landscape(
    membrane: np.ndarray,
    voxel_nm: VoxelSize,
    *,
    threshold: float,
    smoothing_nm: float,
    spacing_nm: float,
    mask: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Heights and seeds of a volume.

    Parameters
    ----------
    membrane : (Z, Y, X) float in [0, 1]
    voxel_nm : size of a voxel (z, y, x)
    threshold : probability above which a voxel is membrane for the distance
    smoothing_nm : width of the Gaussian that smooths the distance
    spacing_nm : a seed is the highest within this distance along each axis
    mask : (Z, Y, X) bool, valid tissue

    Returns
    -------
    height : (Z, Y, X) float32, infinite outside the mask
    seed : (Z, Y, X) bool, the maxima of the smoothed distance to the nearest membrane in nm along all axes, so that
        anisotropic voxels need no setting of their own
    """
    inside = membrane < threshold
    if mask is not None:
        inside &= mask
    distance = capped_distance(inside, voxel_nm, DEEP * spacing_nm)
    distance = ndimage.gaussian_filter(
        distance, [smoothing_nm / size for size in voxel_nm], mode="nearest", truncate=TRUNCATE
    )
    window = [2 * int(spacing_nm / size) + 1 for size in voxel_nm]
    seed = (ndimage.maximum_filter(distance, window, mode="nearest") == distance) & inside
    distance *= np.float32(-FALL / spacing_nm)
    distance += membrane
    if mask is not None:
        distance[~mask] = np.inf
    return distance, seed


def capped_distance(inside: np.ndarray, voxel_nm: VoxelSize, cap_nm: float) -> np.ndarray:
    """Distance of each voxel of `inside` to the nearest other voxel, at most `cap_nm`; nothing lies beyond the border.

    Parameters
    ----------
    inside : (Z, Y, X) bool
    voxel_nm : size of a voxel (z, y, x)

    Returns
    -------
    (Z, Y, X) float32, nm; the same to the last bit for any cutout with a border of `cap_nm`
    """
    squared = np.empty(inside.shape, np.float32)
    steps = [int(cap_nm / size) for size in voxel_nm]
    _along_x(inside, squared, np.float32(voxel_nm[2]), np.float32(cap_nm) ** 2)
    _along_rows(squared, _squares(steps[1], voxel_nm[1]))
    _along_rows(squared.transpose(1, 0, 2), _squares(steps[0], voxel_nm[0]))
    return np.sqrt(squared, out=squared)


def _squares(steps: int, size: float) -> np.ndarray:
    return (np.arange(1, steps + 1) * np.float32(size)).astype(np.float32) ** 2


@njit(cache=True)
def _along_x(inside, squared, size, cap):
    depth, height, width = inside.shape
    for z in range(depth):
        for y in range(height):
            steps = width + 1
            for x in range(width):
                steps = steps + 1 if inside[z, y, x] else 0
                away = np.float32(steps) * size
                squared[z, y, x] = min(away * away, cap) if steps <= width else cap
            steps = width + 1
            for x in range(width - 1, -1, -1):
                steps = steps + 1 if inside[z, y, x] else 0
                away = np.float32(steps) * size
                if steps <= width and away * away < squared[z, y, x]:
                    squared[z, y, x] = away * away


@njit(cache=True)
def _along_rows(squared, squares):
    """Least of `squared` plus the square of the way there, along the middle axis; whole rows at a time."""
    planes, rows, width = squared.shape
    before = np.empty((rows, width), np.float32)
    for plane in range(planes):
        before[...] = squared[plane]
        for row in range(rows):
            target = squared[plane, row]
            highest = target.max()
            for step in range(1, len(squares) + 1):
                square = squares[step - 1]
                if square >= highest:
                    break
                if row >= step:
                    source = before[row - step]
                    for x in range(width):
                        target[x] = min(target[x], source[x] + square)
                if row + step < rows:
                    source = before[row + step]
                    for x in range(width):
                        target[x] = min(target[x], source[x] + square)
