"""Operations within a section: lengths in voxels, discs, gradients, orientation.

Sections are far apart next to the size of a voxel, so these never look across them. All of them look no further
than a fixed number of voxels and give the same value wherever the array begins.
"""

from __future__ import annotations

import numba
import numpy as np

from spinome.io.units import VoxelSize


def odd_box(size_nm: VoxelSize, voxel_nm: VoxelSize) -> tuple[int, int, int]:
    """The box of odd numbers of voxels that is nearest to a size in nm (z, y, x)."""
    return tuple(2 * round((size / step - 1) / 2) + 1 if size > step else 1 for size, step in zip(size_nm, voxel_nm))


def to_pixels(length_nm: float, voxel_nm: VoxelSize) -> int:
    """A length within a section in whole pixels, at least one."""
    return max(1, round(length_nm / voxel_nm[2]))


def dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """Dilate every section of a mask by a disc.

    Parameters
    ----------
    mask : (Z, Y, X) bool
    radius : pixels

    Returns
    -------
    (Z, Y, X) bool
    """
    return _dilate(np.ascontiguousarray(mask, bool), radius)


def gradients(levels: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of grey levels over `2 * step` pixels along y and x, the edge repeated outside.

    Returns
    -------
    two (Z, Y, X) int16 arrays
    """
    return _gradients(np.ascontiguousarray(levels, np.uint8), step)


def coherence(along_y: np.ndarray, along_x: np.ndarray, sigma: float, original: bool = False) -> np.ndarray:
    """Coherence ((l1 - l2) / (l1 + l2))^2 of the structure tensor within sections, in units of 1/10000.

    The tensor is smoothed by a Gaussian whose weights fall with the distance, or rise with it where `original`: the
    published program has that sign error. Where there is no gradient the coherence is zero.

    Parameters
    ----------
    along_y, along_x : (Z, Y, X) int16 gradients
    sigma : pixels

    Returns
    -------
    (Z, Y, X) int32
    """
    reach = int(np.ceil(3 * sigma))
    weights = np.exp((0.5 if original else -0.5) * (np.arange(reach + 1) / sigma) ** 2)
    weights = (weights / (weights[0] + 2 * weights[1:].sum())).astype(np.float32)
    return _coherence(along_y, along_x, weights)


@numba.njit(cache=True)
def _dilate(mask, radius):
    depth, height, width = mask.shape
    half_width = np.empty(radius + 1, np.int32)
    for offset in range(radius + 1):
        half_width[offset] = int(np.sqrt(float(radius * radius - offset * offset)))
    far = np.int32(radius + 1)
    distance = np.empty((height, width), np.int32)
    dilated = np.zeros((depth, height, width), np.bool_)
    for z in range(depth):
        for y in range(height):
            since = far
            for x in range(width):
                since = np.int32(0) if mask[z, y, x] else min(far, since + np.int32(1))
                distance[y, x] = since
            since = far
            for x in range(width - 1, -1, -1):
                since = np.int32(0) if mask[z, y, x] else min(far, since + np.int32(1))
                distance[y, x] = min(distance[y, x], since)
        for y in range(height):
            for offset in range(-radius, radius + 1):
                if 0 <= y + offset < height:
                    reach = half_width[abs(offset)]
                    for x in range(width):
                        dilated[z, y, x] |= distance[y + offset, x] <= reach
    return dilated


@numba.njit(cache=True)
def _gradients(levels, step):
    depth, height, width = levels.shape
    along_y = np.empty((depth, height, width), np.int16)
    along_x = np.empty((depth, height, width), np.int16)
    for z in range(depth):
        for y in range(height):
            below, above = max(y - step, 0), min(y + step, height - 1)
            for x in range(width):
                along_y[z, y, x] = np.int16(levels[z, above, x]) - np.int16(levels[z, below, x])
            for x in range(width):
                left, right = max(x - step, 0), min(x + step, width - 1)
                along_x[z, y, x] = np.int16(levels[z, y, right]) - np.int16(levels[z, y, left])
    return along_y, along_x


@numba.njit(cache=True)
def _coherence(along_y, along_x, weights):
    depth, height, width = along_y.shape
    reach = len(weights) - 1
    result = np.empty((depth, height, width), np.int32)
    tensor = np.empty((3, height, width), np.float32)
    rows = np.empty((3, height, width), np.float32)
    smooth = np.empty((3, width), np.float32)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                gradient_y, gradient_x = np.float32(along_y[z, y, x]), np.float32(along_x[z, y, x])
                tensor[0, y, x] = gradient_y * gradient_y
                tensor[1, y, x] = gradient_x * gradient_x
                tensor[2, y, x] = gradient_y * gradient_x
        for y in range(height):
            for part in range(3):
                for x in range(width):
                    rows[part, y, x] = weights[0] * tensor[part, y, x]
                for offset in range(1, reach + 1):
                    below, above = max(y - offset, 0), min(y + offset, height - 1)
                    weight = weights[offset]
                    for x in range(width):
                        rows[part, y, x] += weight * (tensor[part, below, x] + tensor[part, above, x])
        for y in range(height):
            for part in range(3):
                for x in range(width):
                    smooth[part, x] = weights[0] * rows[part, y, x]
                for offset in range(1, reach + 1):
                    weight = weights[offset]
                    for x in range(min(offset, width)):
                        smooth[part, x] += weight * (rows[part, y, 0] + rows[part, y, min(x + offset, width - 1)])
                    for x in range(offset, width - offset):
                        smooth[part, x] += weight * (rows[part, y, x - offset] + rows[part, y, x + offset])
                    for x in range(max(width - offset, offset), width):
                        smooth[part, x] += weight * (rows[part, y, x - offset] + rows[part, y, width - 1])
            for x in range(width):
                trace = smooth[0, x] + smooth[1, x]
                difference = smooth[0, x] - smooth[1, x]
                cross = smooth[2, x]
                if trace > 1e-3:
                    share = (difference * difference + 4 * cross * cross) / (trace * trace)
                    result[z, y, x] = np.int32(10000 * min(share, np.float32(1)) + 0.5)
                else:
                    result[z, y, x] = 0
    return result
