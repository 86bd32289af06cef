"""The cheapest way from an orphan to each shaft around it, through a map of membranes.

Dijkstra's search on integer costs with a ring of buckets (Dial 1969); one search reaches all shafts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from spinome.io.units import VoxelSize

# crossing a voxel of full membrane costs as much as this many voxels of cytoplasm
MEMBRANE_WEIGHT = 20.0
THICK_NM = 150.0  # what is deeper below its surface costs as much as full membrane
FAR = np.iinfo(np.int32).max  # of a voxel that no way has come to


class Paths(NamedTuple):
    """For each target: `cost` (T,) float64 in nm of cytoplasm, inf where none; `start` on the orphan and `stop` on
    the target (T, 3) voxels, -1 where none."""

    cost: np.ndarray
    start: np.ndarray
    stop: np.ndarray


def label_membrane(labels: np.ndarray) -> np.ndarray:
    """A map of membranes from labels alone, for volumes without one: 1 on either side of a face between two labels,
    0.5 in the background, 0 within a label. (Z, Y, X) float32"""
    out = np.empty(labels.shape, np.float32)
    _label_membrane(labels, out)
    return out


def thickness(depth: np.ndarray) -> np.ndarray:
    """What it costs to cross a place, in [0, 1], by its depth (Z, Y, X) below the surface of its label, in nm: a lost
    neck is thin, so that nothing thick need be crossed to where it was. (Z, Y, X) float32"""
    return np.minimum(depth / THICK_NM, 1).astype(np.float32) ** 2


def cheapest_paths(
    source: np.ndarray,
    target: np.ndarray,
    targets: int,
    membrane: np.ndarray,
    voxel_nm: VoxelSize,
    through: bool = False,
) -> Paths:
    """Search from a set of voxels to all targets at once.

    Parameters
    ----------
    source : (Z, Y, X) bool, where the search starts at no cost
    target : (Z, Y, X) int32, number 0..T-1 of the target a voxel belongs to, -1 elsewhere; a path ends at the first
        target that it meets
    targets : T
    membrane : (Z, Y, X) float in [0, 1], or what else is to be crossed at MEMBRANE_WEIGHT
    voxel_nm : size of a voxel (z, y, x)
    through : whether a path may cross other targets
    """
    unit = min(voxel_nm)
    # eight steps of cost to the shortest side of a voxel keep rounding below its noise
    steps = np.round(8 * np.asarray(voxel_nm) / unit).astype(np.int64)
    cost, start, stop = _search(
        source, target, targets, membrane, _edges(source.shape), steps, MEMBRANE_WEIGHT, through
    )
    ends = [np.where(cost < 0, -1, np.unravel_index(np.maximum(end, 0), source.shape)).T for end in (start, stop)]
    return Paths(np.where(cost < 0, np.inf, cost * unit / 8), *ends)


def _edges(shape: tuple[int, ...]) -> np.ndarray:
    """Which sides of each voxel are an edge of the window, a bit for each: the first and the last along each axis."""
    edges = np.zeros(shape, np.uint8)
    for axis, along in enumerate(np.moveaxis(edges, axis, 0) for axis in range(3)):
        along[0] |= 1 << 2 * axis
        along[-1] |= 2 << 2 * axis
    return edges


@njit(cache=True)
def _label_membrane(labels, out):
    depth, height, width = labels.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                mine = labels[z, y, x]
                out[z, y, x] = 0.5 if mine == 0 else 0
                for axis in range(3):
                    c, b, a = z - (axis == 0), y - (axis == 1), x - (axis == 2)
                    if c < 0 or b < 0 or a < 0:
                        continue
                    other = labels[c, b, a]
                    if other != mine and other != 0 and mine != 0:
                        out[z, y, x] = 1
                        out[c, b, a] = 1


@njit(cache=True)
def _search(source, target, targets, membrane, edges, steps, weight, through):
    _, height, width = source.shape
    plane = height * width
    start_at, target_at, membrane_at, edge_at = source.ravel(), target.ravel(), membrane.ravel(), edges.ravel()
    size = source.size
    ring = int((1 + weight) * max(steps[0], max(steps[1], steps[2]))) + 2
    head = np.full(ring, -1, dtype=np.int32)
    # an entry a visit, of which a voxel has six at most: its voxel, and the entry below it in its bucket
    visited, below = np.empty(6 * size, dtype=np.int32), np.empty(6 * size, dtype=np.int64)
    distance = np.full(size, FAR, dtype=np.int32)
    origin = np.empty(size, dtype=np.int32)
    here = np.zeros(targets, dtype=np.bool_)
    entries = 0
    for voxel in range(size):
        if start_at[voxel]:
            distance[voxel] = 0
            origin[voxel] = voxel
            visited[entries], below[entries] = voxel, head[0]
            head[0] = entries
            entries += 1
        elif target_at[voxel] >= 0:
            here[target_at[voxel]] = True
    cost = np.full(targets, -1, dtype=np.int64)
    start = np.full(targets, -1, dtype=np.int64)
    stop = np.full(targets, -1, dtype=np.int64)
    # what is not here is not waited for
    left, waiting, current = here.sum(), entries, 0
    offsets = np.array([-plane, plane, -width, width, -1, 1])
    bucket = 0
    while waiting > 0 and left > 0:
        entry = head[bucket]
        if entry < 0:
            current += 1
            bucket = bucket + 1 if bucket + 1 < ring else 0
            continue
        head[bucket] = below[entry]
        waiting -= 1
        voxel = visited[entry]
        if distance[voxel] < current:
            continue
        number = target_at[voxel]
        if number >= 0 and not start_at[voxel]:
            if cost[number] < 0:
                cost[number] = current
                left -= 1
                start[number], stop[number] = origin[voxel], voxel
            if not through:
                continue
        for side in range(6):
            if edge_at[voxel] >> side & 1:
                continue
            other = voxel + offsets[side]
            entering = np.int64(steps[side // 2] * (1 + weight * membrane_at[other]))
            reach = current + entering
            if distance[other] <= reach:
                continue
            distance[other] = reach
            origin[other] = origin[voxel]
            place = bucket + entering if bucket + entering < ring else bucket + entering - ring
            visited[entries], below[entries] = other, head[place]
            head[place] = entries
            entries += 1
            waiting += 1
    return cost, start, stop
