"""Sums over sliding boxes, in integers, so that a sum does not depend on where an array begins.

Running sums in floating point carry the rounding of everything before them, so two cuboids would disagree in
the last digit about a voxel they share, and with it about which side of a threshold it is on.
"""

from __future__ import annotations

import numba
import numpy as np

Shape = tuple[int, int, int]


def box_sum(values: np.ndarray, size: Shape) -> np.ndarray:
    """Sum over a box around each voxel; what the box covers outside of the array counts as zero.

    Parameters
    ----------
    values : (Z, Y, X) integers whose sums fit into 32 bits
    size : size of the box, odd numbers of voxels (z, y, x)

    Returns
    -------
    (Z, Y, X) int32
    """
    if any(length % 2 == 0 for length in size):
        raise ValueError(f"a box has an odd number of voxels along each axis, not {size}")
    reach_z, reach_y, reach_x = (length // 2 for length in size)
    total = np.ascontiguousarray(values)
    # the first pass widens what it reads
    total = _sum_along_x(total, reach_x) if reach_x else total.astype(np.int32)
    if reach_y:
        total = _sum_along_rows(total, reach_y)
    if reach_z:
        depth, height, width = total.shape
        total = _sum_along_rows(total.reshape(1, depth, height * width), reach_z).reshape(depth, height, width)
    return total


def box_count(shape: Shape, size: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many voxels of a box lie within an array, an int32 vector for each axis; their product is the count."""
    counts = []
    for length, extent in zip(shape, size):
        position, reach = np.arange(length), extent // 2
        inside = np.minimum(position + reach, length - 1) - np.maximum(position - reach, 0) + 1
        counts.append(inside.astype(np.int32))
    return tuple(counts)


@numba.njit(cache=True)
def _sum_along_x(values, reach):
    depth, height, width = values.shape
    total = np.empty((depth, height, width), np.int32)
    for z in range(depth):
        for y in range(height):
            row = values[z, y]
            running = np.int32(0)
            for x in range(min(reach, width)):
                running += row[x]
            for x in range(width):
                if x + reach < width:
                    running += row[x + reach]
                if x - reach - 1 >= 0:
                    running -= row[x - reach - 1]
                total[z, y, x] = running
    return total


@numba.njit(cache=True)
def _sum_along_rows(values, reach):
    depth, height, width = values.shape
    total = np.empty((depth, height, width), np.int32)
    running = np.empty(width, np.int32)
    for z in range(depth):
        running[:] = 0
        for y in range(min(reach, height)):
            for x in range(width):
                running[x] += values[z, y, x]
        for y in range(height):
            if y + reach < height:
                for x in range(width):
                    running[x] += values[z, y + reach, x]
            if y - reach - 1 >= 0:
                for x in range(width):
                    running[x] -= values[z, y - reach - 1, x]
            for x in range(width):
                total[z, y, x] = running[x]
    return total
