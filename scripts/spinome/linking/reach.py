"""Distance from one small object in a large window: a third of the time of a general transform (`edt`), and the same.

The squares are whole numbers where voxels measure whole nanometres, and below 2^24 within 4 um, so that float32 holds
them without rounding, in whatever order they are added; of other voxels the last digits differ. The time grows with the
fourth power of the object's extent, so that one of many voxels is left to the general transform.
"""

from __future__ import annotations

import edt
import numpy as np
from numba import njit

from spinome.io.units import VoxelSize

# voxels along the longest side of an object that takes less time here
MOST_VOXELS = 60


def distance_from(mask: np.ndarray, voxel_nm: VoxelSize) -> np.ndarray:
    """Distance (Z, Y, X) float32 in nm of each voxel to the nearest of an object, 0 within it.

    Parameters
    ----------
    mask : (Z, Y, X) bool, with one voxel at least
    """
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in np.nonzero(mask))
    if max(side.stop - side.start for side in box) > MOST_VOXELS:
        return edt.edt(~mask, anisotropy=tuple(voxel_nm), black_border=False, parallel=1)
    return np.sqrt(_from_box(mask[box], *(side.start for side in box), *mask.shape, np.asarray(voxel_nm, np.float32)))


@njit(cache=True)
def _from_box(box, z0, y0, x0, depth, height, width, size):
    """Squared distance to the voxels of a box that begins at z0, y0, x0."""
    inf = np.float32(np.inf)
    planes, rows, columns = box.shape
    along = np.full((planes, rows, width), inf, np.float32)
    for z in range(planes):
        for y in range(rows):
            for x in range(columns):
                if box[z, y, x]:
                    for other in range(width):
                        far = (other - x - x0) * size[2]
                        along[z, y, other] = min(along[z, y, other], far * far)
    plane = np.full((planes, height, width), inf, np.float32)
    for z in range(planes):
        for y in range(height):
            for row in range(rows):
                far = (y - row - y0) * size[1]
                square = far * far
                for x in range(width):
                    plane[z, y, x] = min(plane[z, y, x], along[z, row, x] + square)
    out = np.full((depth, height, width), inf, np.float32)
    for z in range(depth):
        for first in range(planes):
            far = (z - first - z0) * size[0]
            square = far * far
            for y in range(height):
                for x in range(width):
                    out[z, y, x] = min(out[z, y, x], plane[first, y, x] + square)
    return out
