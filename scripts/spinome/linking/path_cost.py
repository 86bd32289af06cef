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
    cost, start, stop = _search(source, target, targets, membrane, steps, MEMBRANE_WEIGHT, through)
    return Paths(np.where(cost < 0, np.inf, cost * unit / 8), start, stop)


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
def _search(source, target, targets, membrane, steps, weight, through):
    depth, height, width = source.shape
    plane = height * width
    start_at, target_at, membrane_at = source.ravel(), target.ravel(), membrane.ravel()
    size = source.size
    ring = int((1 + weight) * max(steps[0], max(steps[1], steps[2]))) + 2
    head = np.full(ring, -1, dtype=np.int32)
    before = np.full(size, -1, dtype=np.int32)
    after = np.full(size, -1, dtype=np.int32)
    distance = np.full(size, -1, dtype=np.int32)
    closed = np.zeros(size, dtype=np.bool_)
    origin = np.full(size, -1, dtype=np.int32)
    offsets = np.array([-plane, plane, -width, width, -1, 1])
    waiting = 0
    for voxel in range(size):
        if start_at[voxel]:
            distance[voxel] = 0
            origin[voxel] = voxel
            after[voxel] = head[0]
            if head[0] >= 0:
                before[head[0]] = voxel
            head[0] = voxel
            waiting += 1
    cost = np.full(targets, -1, dtype=np.int64)
    start = np.full((targets, 3), -1, dtype=np.int64)
    stop = np.full((targets, 3), -1, dtype=np.int64)
    reached, current = 0, 0
    while waiting > 0 and reached < targets:
        bucket = current % ring
        voxel = head[bucket]
        if voxel < 0:
            current += 1
            continue
        head[bucket] = after[voxel]
        if head[bucket] >= 0:
            before[head[bucket]] = -1
        waiting -= 1
        closed[voxel] = True
        z, rest = divmod(voxel, plane)
        y, x = divmod(rest, width)
        number = target_at[voxel]
        if number >= 0 and not start_at[voxel]:
            if cost[number] < 0:
                cost[number] = current
                reached += 1
                stop[number, 0], stop[number, 1], stop[number, 2] = z, y, x
                first = origin[voxel]
                start[number, 0] = first // plane
                start[number, 1] = first % plane // width
                start[number, 2] = first % width
            if not through:
                continue
        for side in range(6):
            if (
                (side == 0 and z == 0)
                or (side == 1 and z == depth - 1)
                or (side == 2 and y == 0)
                or (side == 3 and y == height - 1)
                or (side == 4 and x == 0)
                or (side == 5 and x == width - 1)
            ):
                continue
            other = voxel + offsets[side]
            if closed[other]:
                continue
            entering = np.int64(steps[side // 2] * (1 + weight * membrane_at[other]))
            reach = current + entering
            if distance[other] >= 0:
                if distance[other] <= reach:
                    continue
                # move to its new bucket
                old = distance[other] % ring
                if before[other] >= 0:
                    after[before[other]] = after[other]
                else:
                    head[old] = after[other]
                if after[other] >= 0:
                    before[after[other]] = before[other]
            else:
                waiting += 1
            distance[other] = reach
            origin[other] = origin[voxel]
            place = reach % ring
            before[other] = -1
            after[other] = head[place]
            if head[place] >= 0:
                before[head[place]] = other
            head[place] = other
    return cost, start, stop
