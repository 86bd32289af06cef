"""Stubs: what a lost neck leaves on a shaft, a short protrusion that nothing carries on.

What lies far from the core of a candidate, on the way through it, hangs on its trunk (see `protrusions`). Small ones of
these are stubs.
"""

from __future__ import annotations

from typing import NamedTuple

import cc3d
import numpy as np
from numba import njit

from spinome.linking.protrusions import CORE_EXTENT_NM, OPENING_NM, SHAFT_FACTOR

STUB_UM3 = 0.05
FOOT_NM = 100.0  # what is less far out is a bump of the trunk, and as much farther away


class Stubs(NamedTuple):
    """Trunks and stubs of the candidates in a window.

    out_nm : (Z, Y, X) float32, way from the surface of the trunk, negative within, inf where a candidate has none
    stub : (Z, Y, X) bool, what is a stub
    """

    out_nm: np.ndarray
    stub: np.ndarray


def find_stubs(target: np.ndarray, depth: np.ndarray, size: np.ndarray) -> Stubs:
    """Find the trunks and stubs of all candidates.

    Parameters
    ----------
    target : (Z, Y, X) int32, number of the candidate of each voxel, -1 elsewhere
    depth : (Z, Y, X) distance of each voxel to the surface of its label, nm
    size : size of a voxel (z, y, x), nm
    """
    cores = cc3d.connected_components(np.where(depth > OPENING_NM, target + 1, 0), connectivity=26)
    boxes = cc3d.statistics(cores)["bounding_boxes"]
    extent = np.array([np.linalg.norm([(s.stop - s.start) for s in box] * size) if box else 0.0 for box in boxes])
    long = extent >= CORE_EXTENT_NM
    long[0] = False
    out = _ways_out(target, long[cores], size) - np.float32(SHAFT_FACTOR * OPENING_NM)
    number = cc3d.connected_components(np.where(np.isfinite(out) & (out > 0), target + 1, 0), connectivity=6)
    voxels = np.bincount(number.ravel())
    small = voxels * np.prod(size) / 1e9 < STUB_UM3
    small[0] = False
    return Stubs(out, small[number])


@njit(cache=True)
def _ways_out(target, core, size):
    """Way (Z, Y, X) float32 from the nearest core of the same candidate, over 26 neighbours, by buckets."""
    depth, height, width = target.shape
    unit = min(size[0], min(size[1], size[2])) / 8
    way = np.full(target.shape, np.float32(np.inf))
    longest = np.sqrt(size[0] ** 2 + size[1] ** 2 + size[2] ** 2)
    ring = int(longest / unit) + 3
    head = np.full(ring, -1, np.int64)
    # an entry a visit: place and the entry below it in its bucket
    places, below = [0], [np.int64(-1)]
    waiting = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if not core[z, y, x]:
                    continue
                way[z, y, x] = 0
                border = False
                for dz in range(-1, 2):
                    for dy in range(-1, 2):
                        for dx in range(-1, 2):
                            a, b, c = z + dz, y + dy, x + dx
                            if not (0 <= a < depth and 0 <= b < height and 0 <= c < width):
                                continue
                            border = border or (not core[a, b, c] and target[a, b, c] == target[z, y, x])
                if border:
                    places.append((z * height + y) * width + x)
                    below.append(head[0])
                    head[0] = len(places) - 1
                    waiting += 1
    current = 0
    while waiting > 0:
        bucket = current % ring
        entry = head[bucket]
        if entry < 0:
            current += 1
            continue
        head[bucket] = below[entry]
        waiting -= 1
        place = places[entry]
        z, y, x = place // (height * width), place // width % height, place % width
        reached = way[z, y, x]
        if int(reached / unit) < current:
            continue
        for dz in range(-1, 2):
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    a, b, c = z + dz, y + dy, x + dx
                    if not (0 <= a < depth and 0 <= b < height and 0 <= c < width):
                        continue
                    if target[a, b, c] != target[z, y, x]:
                        continue
                    step = np.sqrt((dz * size[0]) ** 2 + (dy * size[1]) ** 2 + (dx * size[2]) ** 2)
                    further = np.float32(reached + step)
                    if further < way[a, b, c]:
                        way[a, b, c] = further
                        slot = int(further / unit) % ring
                        places.append((a * height + b) * width + c)
                        below.append(head[slot])
                        head[slot] = len(places) - 1
                        waiting += 1
    return way


@njit(cache=True)
def ahead(target, stubs, out, count, point, course, size, foot):
    """Of each candidate: least distance of a stub ahead of a point, how far that one is out, and least distance of its
    trunk; distances are longer where they are not straight ahead, d (2 - cos)."""
    stub, length, trunk = np.full(count, np.inf), np.zeros(count), np.full(count, np.inf)
    for z in range(target.shape[0]):
        for y in range(target.shape[1]):
            for x in range(target.shape[2]):
                mine = target[z, y, x]
                if mine < 0 or not np.isfinite(out[z, y, x]):
                    continue
                inner = out[z, y, x] <= 0
                if not inner and not stubs[z, y, x]:
                    continue
                dz, dy, dx = (
                    (z + 0.5) * size[0] - point[0],
                    (y + 0.5) * size[1] - point[1],
                    (x + 0.5) * size[2] - point[2],
                )
                far = max(np.sqrt(dz * dz + dy * dy + dx * dx), 1.0)
                weighed = far * (2 - (dz * course[0] + dy * course[1] + dx * course[2]) / far)
                if inner:
                    trunk[mine] = min(trunk[mine], weighed)
                    continue
                # a bump on the trunk is not yet a stub
                weighed += max(foot - out[z, y, x], 0.0)
                if weighed < stub[mine]:
                    stub[mine] = weighed
                    length[mine] = out[z, y, x]
    return stub, length, trunk
