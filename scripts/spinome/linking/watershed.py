"""Superpixels: a seeded watershed of the membrane map, one result for one volume whatever the blocks."""

from __future__ import annotations

import cc3d
import edt
import numpy as np
from numba import njit
from scipy import ndimage

from spinome.io.volumes import VoxelSize


def superpixels(
    membrane: np.ndarray,
    voxel_nm: VoxelSize,
    *,
    threshold: float,
    smoothing_nm: float,
    spacing_nm: float,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Flood the membrane map from the middles of what lies between membranes.

    Seeds are the maxima of the smoothed distance to the nearest membrane, in nm along all axes, so that
    anisotropic voxels need no setting of their own. The flood (Meyer 1994) rises through 256 levels of the
    membrane probability; where it is equal, what is nearer to a membrane comes later.

    Parameters
    ----------
    membrane : (Z, Y, X) float in [0, 1]
    voxel_nm : size of a voxel (z, y, x)
    threshold : probability above which a voxel is membrane for the distance
    smoothing_nm : width of the Gaussian that smooths the distance
    spacing_nm : a seed is the highest within this distance along each axis
    mask : (Z, Y, X) bool, valid tissue; the rest gets label 0

    Returns
    -------
    (Z, Y, X) uint32, superpixels 1..N; a volume without any seed is one superpixel
    """
    inside = membrane < threshold
    if mask is not None:
        inside &= mask
    distance = edt.edt(inside, anisotropy=voxel_nm, black_border=False, parallel=1)
    # without any membrane the distance has no end
    np.minimum(distance, 1e4, out=distance)
    distance = ndimage.gaussian_filter(distance, [smoothing_nm / size for size in voxel_nm], mode="nearest", truncate=2)
    window = [2 * int(spacing_nm / size) + 1 for size in voxel_nm]
    peaks = (ndimage.maximum_filter(distance, window, mode="nearest") == distance) & inside
    seeds = cc3d.connected_components(peaks, connectivity=26, out_dtype=np.uint32)
    del peaks
    level = _levels(membrane, distance, np.float32(spacing_nm))
    if mask is not None and not mask.all():
        valid = np.ascontiguousarray(mask)
    else:
        valid = np.ones((1, 1, 1), dtype=bool)
    if not seeds.any():
        return np.ones(membrane.shape, np.uint32) if mask is None else mask.astype(np.uint32)
    flood(seeds, level, valid)
    return seeds


@njit(cache=True)
def _levels(membrane, distance, reach):
    """Height of the landscape in 256 steps: mostly the membrane, the distance to it where there is none."""
    out = np.empty(membrane.shape, dtype=np.uint8)
    for z in range(membrane.shape[0]):
        for y in range(membrane.shape[1]):
            for x in range(membrane.shape[2]):
                far = min(distance[z, y, x] / reach, 1.0)
                out[z, y, x] = np.uint8(200 * membrane[z, y, x] + 55 * (1 - far))
    return out


@njit(cache=True)
def flood(labels, level, valid):
    """Flood (Z, Y, X) `labels` in place from its nonzero voxels, through 256 levels in first-in-first-out order.

    `valid` is of the same shape, or has one voxel where all are valid.
    """
    depth, height, width = labels.shape
    everywhere = valid.size == 1
    plane = height * width
    flat = labels.ravel()
    heights = level.ravel()
    allowed = valid.ravel()
    follow = np.full(flat.size, -1, dtype=np.int32)
    head = np.full(256, -1, dtype=np.int64)
    tail = np.full(256, -1, dtype=np.int64)
    for voxel in range(flat.size):
        if flat[voxel] != 0:
            bucket = heights[voxel]
            if head[bucket] < 0:
                head[bucket] = voxel
            else:
                follow[tail[bucket]] = voxel
            tail[bucket] = voxel
    current = 0
    while current < 256:
        voxel = head[current]
        if voxel < 0:
            current += 1
            continue
        head[current] = follow[voxel]
        z, rest = divmod(voxel, plane)
        y, x = divmod(rest, width)
        for side in range(6):
            if side == 0 and z > 0:
                other = voxel - plane
            elif side == 1 and z + 1 < depth:
                other = voxel + plane
            elif side == 2 and y > 0:
                other = voxel - width
            elif side == 3 and y + 1 < height:
                other = voxel + width
            elif side == 4 and x > 0:
                other = voxel - 1
            elif side == 5 and x + 1 < width:
                other = voxel + 1
            else:
                continue
            if flat[other] != 0 or not (everywhere or allowed[other]):
                continue
            flat[other] = flat[voxel]
            bucket = max(current, np.int64(heights[other]))
            follow[other] = -1
            if head[bucket] < 0:
                head[bucket] = other
            else:
                follow[tail[bucket]] = other
            tail[bucket] = other
