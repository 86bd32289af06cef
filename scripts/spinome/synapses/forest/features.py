"""The ten features of VESICLE (Roncal et al. 2015) at chosen voxels.

Sizes are those of the published program, in nm at its 8 x 8 x 45 nm, so that they mean the same at any voxel size.
Mended here: the structure tensor weighs near neighbours more than far ones, and distances know that sections are thick;
both can be had as published. The distance to a vesicle ends at `DISTANCE_NM`, so that no feature looks further than
`reach_nm` and a voxel's features do not depend on the cuboid it is computed in.
"""

from __future__ import annotations

import numba
import numpy as np

from spinome.io.units import VoxelSize
from spinome.synapses.forest.box_sums import box_count, box_sum
from spinome.synapses.forest.distance import limited_distance
from spinome.synapses.forest.section_filters import coherence, gradients, odd_box, to_pixels

FEATURES = [
    "intensity_40nm",
    "intensity_120nm",
    "local_binary_pattern",
    "gradient_120nm",
    "gradient_200nm",
    "vesicle_distance_nm",
    "vesicle_share_200nm",
    "vesicle_count_400nm",
    "coherence_120nm",
    "coherence_200nm",
]
SMALL_NM, MIDDLE_NM, LARGE_NM = (45.0, 40.0, 40.0), (135.0, 120.0, 120.0), (225.0, 200.0, 200.0)
WINDOW_NM = (45.0, 400.0, 400.0)
DISTANCE_NM = 160.0
PIXEL_NM = 8.0


def reach_nm(voxel_nm: VoxelSize, original: bool = False) -> tuple[float, float, float]:
    """How far (z, y, x) in nm features depend on levels and vesicles."""
    derivative = 6 * max(PIXEL_NM, voxel_nm[2])
    plane = max(LARGE_NM[2] / 2 + derivative, WINDOW_NM[2] / 2, DISTANCE_NM) + 2 * voxel_nm[2]
    # as published, a section counts as a pixel, and so many more of them are looked at
    sections = DISTANCE_NM * (voxel_nm[0] / voxel_nm[2] if original else 1.0)
    return max(LARGE_NM[0] / 2, sections), plane, plane


def compute_features(
    levels: np.ndarray, vesicles: np.ndarray, where: np.ndarray, voxel_nm: VoxelSize, original: bool = False
) -> np.ndarray:
    """The ten features at voxels.

    Parameters
    ----------
    levels : (Z, Y, X) uint8 from `Grey.levels`
    vesicles : (Z, Y, X) bool
    where : (N, 3) int voxels (z, y, x) to compute the features at
    voxel_nm : (z, y, x)
    original : reproduce the sign error of the structure tensor and the distance that takes voxels for cubes

    Returns
    -------
    (N, 10) float32 in the order of `FEATURES`
    """
    result = np.empty((len(where), len(FEATURES)), np.float32)
    at = np.ravel_multi_index(where.T, levels.shape)
    small, middle, large, window = (odd_box(size, voxel_nm) for size in (SMALL_NM, MIDDLE_NM, LARGE_NM, WINDOW_NM))
    counts = {box: _box_counts(levels.shape, box, where) for box in (small, middle, large)}

    def mean(values: np.ndarray, box: tuple[int, int, int]) -> np.ndarray:
        return box_sum(values, box).take(at) / counts[box]

    result[:, 0] = mean(levels, small)
    result[:, 1] = mean(levels, middle)
    result[:, 2] = _local_binary_pattern(levels, where, _ring(to_pixels(2 * PIXEL_NM, voxel_nm)))
    step = to_pixels(PIXEL_NM, voxel_nm)
    along_y, along_x = gradients(levels, step)
    # hundredths of a grey level a pixel of the published voxel size
    magnitude = _magnitude(along_y, along_x, np.float32(100 * PIXEL_NM / (2 * step * voxel_nm[2])))
    result[:, 3] = mean(magnitude, middle) / 100
    result[:, 4] = mean(magnitude, large) / 100
    spacing = (voxel_nm[2],) * 3 if original else voxel_nm
    result[:, 5] = limited_distance(vesicles, spacing, DISTANCE_NM).take(at)
    result[:, 6] = mean(vesicles, large)
    result[:, 7] = box_sum(_euler(vesicles), window).take(at) / 4
    oriented = coherence(along_y, along_x, max(PIXEL_NM / voxel_nm[2], 0.5), original)
    result[:, 8] = mean(oriented, middle) / 10000
    result[:, 9] = mean(oriented, large) / 10000
    return result


def _box_counts(shape: tuple[int, int, int], box: tuple[int, int, int], where: np.ndarray) -> np.ndarray:
    """How many voxels of a box around each of some voxels lie within an array: (N,) int32."""
    along_z, along_y, along_x = box_count(shape, box)
    z, y, x = where.T
    return along_z[z] * along_y[y] * along_x[x]


def _ring(radius: int) -> np.ndarray:
    """Sixteen offsets (y, x) around the border of a square, in order."""
    side = np.array([-2, -1, 0, 1])
    edge = np.full(4, 2)
    steps = np.concatenate([np.stack(pair, 1) for pair in [(-edge, side), (side, edge), (edge, -side), (-side, -edge)]])
    return np.rint(steps * radius / 2).astype(np.int64)


@numba.njit(cache=True)
def _local_binary_pattern(levels, where, ring):
    """Rotation-invariant uniform pattern (Ojala et al. 2002): bright points if they are one arc, else 17."""
    _, height, width = levels.shape
    codes = np.empty(len(where), np.float32)
    for index in range(len(where)):
        z, y, x = where[index]
        centre = levels[z, y, x]
        bright, changes = 0, 0
        last = levels[z, min(max(y + ring[-1, 0], 0), height - 1), min(max(x + ring[-1, 1], 0), width - 1)] >= centre
        for point in range(len(ring)):
            row = min(max(y + ring[point, 0], 0), height - 1)
            column = min(max(x + ring[point, 1], 0), width - 1)
            this = levels[z, row, column] >= centre
            bright += this
            changes += this != last
            last = this
        codes[index] = bright if changes <= 2 else len(ring) + 1
    return codes


@numba.njit(cache=True)
def _magnitude(along_y, along_x, scale):
    depth, height, width = along_y.shape
    result = np.empty((depth, height, width), np.int32)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                gradient_y, gradient_x = np.float32(along_y[z, y, x]), np.float32(along_x[z, y, x])
                result[z, y, x] = np.int32(scale * np.sqrt(gradient_y * gradient_y + gradient_x * gradient_x))
    return result


@numba.njit(cache=True)
def _euler(mask):
    """Four times the share of each voxel in the number of objects less holes of its section (Gray 1971).

    The number of vesicles in a window follows from patterns of two by two voxels, so an object cut by a cuboid's
    border counts the same from either side.
    """
    depth, height, width = mask.shape
    result = np.zeros((depth, height, width), np.int32)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                here = mask[z, y, x]
                left = mask[z, y, x - 1] if x else False
                above = mask[z, y - 1, x] if y else False
                corner = mask[z, y - 1, x - 1] if x and y else False
                count = int(here) + int(left) + int(above) + int(corner)
                if count == 1:
                    result[z, y, x] = 1
                elif count == 3:
                    result[z, y, x] = -1
                elif count == 2 and here == corner:
                    result[z, y, x] = -2
    return result
