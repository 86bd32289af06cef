"""Protrusions of dendrites: what an opening takes off the shaft, and how far each voxel of it is out.

Works on labels alone. The core of a shaft is what lies deeper than `opening_nm` below the surface and is long; the
shaft is what lies near the core; the rest hangs on it.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import cc3d
import edt
import numpy as np
import pandas as pd
from numba import njit

from spinome.io.units import VoxelSize

OPENING_NM = 150.0  # half of what a shaft is thick at least: what is thinner comes off
CORE_EXTENT_NM = 1500.0  # cores shorter than this are spine heads and boutons
# ways through voxels are longer than straight ones, and the foot of a spine flares
SHAFT_FACTOR = 1.4


class Protrusions(NamedTuple):
    """What hangs on shafts.

    number : (Z, Y, X) int32, the protrusion of each voxel, 0 where none
    out_nm : (Z, Y, X) float32, way from the shaft's surface within the label, negative in the shaft, inf off it
    table : `protrusion shaft volume_um3 reach_nm feet on_edge z0 z1 y0 y1 x0 x1`; `feet` counts the places where it
        hangs on the shaft
    """

    number: np.ndarray
    out_nm: np.ndarray
    table: pd.DataFrame


def find_protrusions(labels: np.ndarray, voxel_nm: VoxelSize) -> Protrusions:
    """Find the protrusions of all labels.

    Parameters
    ----------
    labels : (Z, Y, X) unsigned int, labels of dendrites; 0 elsewhere
    voxel_nm : size of a voxel (z, y, x); about 30 nm is fine enough
    """
    size = np.asarray(voxel_nm, dtype=np.float64)
    depth = edt.edt(labels, anisotropy=tuple(size), black_border=False, parallel=1)
    cores = cc3d.connected_components(np.where(depth > OPENING_NM, labels, 0), connectivity=26)
    boxes = cc3d.statistics(cores)["bounding_boxes"]
    extent = np.array([np.linalg.norm([(s.stop - s.start) for s in box] * size) if box else 0.0 for box in boxes])
    long = extent >= CORE_EXTENT_NM
    long[0] = False
    out = geodesic(labels, long[cores], size) - np.float32(SHAFT_FACTOR * OPENING_NM)
    number = cc3d.connected_components(np.where(np.isfinite(out) & (out > 0), labels, 0), connectivity=6)
    return Protrusions(number, out, _describe(labels, number, out, size))


def _describe(labels: np.ndarray, number: np.ndarray, out: np.ndarray, size: np.ndarray) -> pd.DataFrame:
    statistics = cc3d.statistics(number)
    foot = cc3d.connected_components(np.where(out <= size.max(), number, 0), connectivity=26)
    owner = np.zeros(int(foot.max()) + 1, dtype=np.int64)
    owner[foot.ravel()] = number.ravel()
    feet = np.bincount(owner[1:], minlength=len(statistics["voxel_counts"]))
    rows = []
    for protrusion, box in enumerate(statistics["bounding_boxes"]):
        if protrusion == 0 or box is None:
            continue
        mine = number[box] == protrusion
        span = [side for axis in box for side in (axis.start, axis.stop)]
        rows.append(
            (
                protrusion,
                int(labels[box][mine][0]),
                float(mine.sum() * np.prod(size) / 1e9),
                float(out[box][mine].max()),
                int(feet[protrusion]),
                any(axis.start == 0 or axis.stop == length for axis, length in zip(box, labels.shape)),
                *span,
            )
        )
    names = ["protrusion", "shaft", "volume_um3", "reach_nm", "feet", "on_edge", "z0", "z1", "y0", "y1", "x0", "x1"]
    return pd.DataFrame(rows, columns=names)


@njit(cache=True)
def geodesic(labels, seed, size):
    """Way (Z, Y, X) float32 in nm from the nearest seed within the same label (Dijkstra over 26 neighbours)."""
    depth, height, width = labels.shape
    way = np.full(labels.shape, np.float32(np.inf))
    heap = [(np.float32(0), 0)]
    heap.pop()
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if seed[z, y, x] and labels[z, y, x] != 0:
                    way[z, y, x] = 0
                    heap.append((np.float32(0), (z * height + y) * width + x))
    while len(heap):
        reached, place = heapq.heappop(heap)
        z, y, x = place // (height * width), place // width % height, place % width
        if reached > way[z, y, x]:
            continue
        for dz in range(-1, 2):
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    a, b, c = z + dz, y + dy, x + dx
                    if not (0 <= a < depth and 0 <= b < height and 0 <= c < width):
                        continue
                    if labels[a, b, c] != labels[z, y, x]:
                        continue
                    step = np.sqrt((dz * size[0]) ** 2 + (dy * size[1]) ** 2 + (dx * size[2]) ** 2)
                    further = np.float32(reached + step)
                    if further < way[a, b, c]:
                        way[a, b, c] = further
                        heapq.heappush(heap, (further, (a * height + b) * width + c))
    return way
