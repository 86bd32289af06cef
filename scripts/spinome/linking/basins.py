"""Basins: what can be said of the watershed of a volume from one cuboid of it.

Voxels are the nodes of a graph, shared faces its edges, and the higher of its two voxels is the height of an edge;
ties are settled by where the voxels lie in the volume, so that no two edges are equal. The watershed is the minimum
spanning forest rooted in the seeds (watershed cuts, Cousty et al. 2009), which is unique. Whatever is known to belong
to it can therefore be joined anywhere: every voxel with its lowest neighbour, and every basin without a seed that
does not reach the surface of its cuboid with the basin behind its lowest pass. What is left of a cuboid are its seeds,
the basins at its surface and the passes between them, which `spinome.linking.watershed` joins in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from spinome.cuboids import Cuboid, Shape
from spinome.linking.contacts import find_slot, touching
from spinome.union_find import find_root

# a way from one voxel to another: how high the higher and the lower one lie, and their numbers in the volume; two seeds
# are one if they touch, so that a pass between them is infinitely low
PASS = np.dtype([("height", np.float32), ("above", np.int64), ("floor", np.float32), ("below", np.int64)])


@dataclass(frozen=True)
class Basins:
    """What is left of a cuboid to be flooded: N basins.

    Attributes
    ----------
    first : (N,) int64, number in the volume of each basin's first voxel
    seeded : (N,) bool
    sides : (P, 2) int32, two basins that touch
    passes : (P,) of PASS, the lowest between them
    exits : (C,) int32, the basin of the voxel in the core for each way out of it
    crossings : (C,) of PASS, these ways
    """

    first: np.ndarray
    seeded: np.ndarray
    sides: np.ndarray
    passes: np.ndarray
    exits: np.ndarray
    crossings: np.ndarray


def basins(height: np.ndarray, seed: np.ndarray, cuboid: Cuboid, shape: Shape) -> tuple[np.ndarray, Basins]:
    """The basins of a cuboid's core, joined as far as can be told from the core and one voxel around it.

    Parameters
    ----------
    height, seed : (Z, Y, X) of the padded cuboid, right in the core and one voxel around it
    cuboid : place of the cuboid, with a halo of at least one voxel
    shape : voxels of the volume (z, y, x)

    Returns
    -------
    basin 0..N-1 of each voxel of the core, (Z, Y, X) int32, -1 outside the mask; and what is left to be flooded
    """
    height, seed = (_with_rim(values, cuboid, fill) for values, fill in ((height, np.inf), (seed, False)))
    parent = _descend(height, seed)
    basin, first = _number(parent, height.shape)
    pairs, slots = touching(basin, len(first))
    passes = np.empty(len(pairs), PASS)
    passes["height"] = np.inf
    _lowest_passes(basin, height, slots, np.array(cuboid.start), np.array(shape), passes)
    exits, crossings = _crossings(basin, height, seed, cuboid, shape)
    seeded = np.zeros(len(first), bool)
    seeded[basin[seed[1:-1, 1:-1, 1:-1]]] = True
    surface = np.zeros(len(first), bool)
    surface[exits] = True
    rising = by_height(passes)
    root = join(pairs[rising], passes["height"][rising], seeded, surface)
    number, first, seeded = unite(root, _in_volume(first, cuboid, shape), seeded)
    sides, passes = _between(number[pairs[rising]], passes[rising])
    return paint(basin, number, -1), Basins(first, seeded, sides, passes, number[exits], crossings)


def by_height(passes: np.ndarray) -> np.ndarray:
    """Order of passes from the lowest to the highest; no two are equal."""
    return np.lexsort([passes[name] for name in reversed(PASS.names)])


def paint(basin: np.ndarray, labels: np.ndarray, outside: int = 0) -> np.ndarray:
    """The label of each voxel's basin, `outside` where there is none."""
    return np.append(labels, labels.dtype.type(outside))[basin]


def unite(root: np.ndarray, first: np.ndarray, seeded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of each basin's union; the first voxel of each union, and whether it has a seed."""
    kept, number = np.unique(root, return_inverse=True)
    number = number.astype(np.int32)
    together = np.full(len(kept), np.iinfo(np.int64).max)
    np.minimum.at(together, number, first)
    holds = np.zeros(len(kept), bool)
    holds[number[seeded]] = True
    return number, together, holds


@njit(cache=True)
def join(sides, height, seeded, surface):
    """Join, from the lowest pass up, what has no seed and does not reach the surface to what lies beyond its pass.

    Such a basin meets its lowest pass first, and that pass is in the forest whatever lies elsewhere. Seeds that touch
    are joined, too. Returns the (N,) basin that stands for the union of each.
    """
    parent = np.arange(len(seeded))
    seeded, surface = seeded.copy(), surface.copy()
    for number in range(len(sides)):
        one, other = find_root(parent, sides[number, 0]), find_root(parent, sides[number, 1])
        if one == other:
            continue
        enclosed = not (seeded[one] or surface[one]) or not (seeded[other] or surface[other])
        if enclosed or height[number] == -np.inf:
            parent[other] = one
            seeded[one] |= seeded[other]
            surface[one] |= surface[other]
    for basin in range(len(parent)):
        parent[basin] = find_root(parent, basin)
    return parent


def _with_rim(values: np.ndarray, cuboid: Cuboid, fill: float) -> np.ndarray:
    """The core with one voxel around it, `fill` where the volume ends."""
    rim = tuple(slice(max(axis.start - 1, 0), axis.stop + 1) for axis in cuboid.inner)
    cut = values[rim]
    before = [int(axis.start == 0) for axis in cuboid.inner]
    after = [length + 2 - have - low for length, have, low in zip(cuboid.shape, cut.shape, before)]
    return np.pad(cut, list(zip(before, after)), constant_values=fill)


def _crossings(
    basin: np.ndarray, height: np.ndarray, seed: np.ndarray, cuboid: Cuboid, shape: Shape
) -> tuple[np.ndarray, np.ndarray]:
    """Every way out of the core into the mask around it, and the basin that it leaves."""
    exits, crossings = [], []
    for axis in range(3):
        for side, way in ((0, -1), (-1, 1)):
            core, rim = (
                tuple(at if other == axis else slice(1, -1) for other in range(3)) for at in (side - way, side)
            )
            grid = [np.arange(part.start, part.stop) for part in cuboid.core]
            grid[axis] = grid[axis][[side]]
            here = np.ravel_multi_index(np.ix_(*grid), shape).squeeze(axis)
            there = here + way * int(np.prod(shape[axis + 1 :]))
            leaves = basin.take(side, axis)
            mine, theirs = height[core], height[rim]
            # the later of two equal voxels is the higher one, as everywhere
            up = (theirs > mine) | ((theirs == mine) & (way > 0))
            top = np.where(seed[core] & seed[rim], np.float32(-np.inf), np.maximum(mine, theirs))
            ways = np.empty(leaves.shape, PASS)
            ways["height"], ways["floor"] = top, np.minimum(mine, theirs)
            ways["above"], ways["below"] = np.where(up, there, here), np.where(up, here, there)
            open_ways = np.isfinite(mine) & np.isfinite(theirs)
            exits.append(leaves[open_ways])
            crossings.append(ways[open_ways])
    return np.concatenate(exits), np.concatenate(crossings)


def _in_volume(voxel: np.ndarray, cuboid: Cuboid, shape: Shape) -> np.ndarray:
    """Number in the volume of voxels that are numbered in the core."""
    place = np.unravel_index(voxel, cuboid.shape)
    return np.ravel_multi_index([axis + low for axis, low in zip(place, cuboid.start)], shape)


def _between(sides: np.ndarray, passes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of passes from low to high the first between every two different basins."""
    ends = np.sort(sides, axis=1).astype(np.int64)
    between = np.flatnonzero(ends[:, 0] != ends[:, 1])
    keys = ends[between, 0] << 32 | ends[between, 1]
    kept = between[np.sort(np.unique(keys, return_index=True)[1])]
    return sides[kept], passes[kept]


@njit(cache=True)
def _descend(height, seed):
    """Union-find over the voxels of the rimmed cuboid: each of the core with its lowest neighbour in it, seeds that
    touch with one another; -1 in the rim and outside the mask."""
    depth, rows, width = height.shape
    heights, seeds = height.ravel(), seed.ravel()
    parent = np.full(heights.size, -1, np.int32)
    # in the order of the volume: of equal voxels the first one is the lower
    neighbours = (-rows * width, -width, -1, 1, width, rows * width)
    for z in range(1, depth - 1):
        for y in range(1, rows - 1):
            for voxel in range((z * rows + y) * width + 1, (z * rows + y) * width + width - 1):
                own = heights[voxel]
                if own == np.inf:
                    continue
                lowest, towards = own, voxel
                if not seeds[voxel]:
                    for offset in neighbours:
                        other = heights[voxel + offset]
                        if other < lowest or (other == lowest and towards == voxel and offset < 0):
                            lowest, towards = other, voxel + offset
                    inner = 0 < towards % width < width - 1 and 0 < towards // width % rows < rows - 1
                    if not inner or not rows * width <= towards < (depth - 1) * rows * width:
                        towards = voxel
                parent[voxel] = towards
    for voxel in range(parent.size):
        if parent[voxel] >= 0 and seeds[voxel]:
            for offset in neighbours[:3]:
                if parent[voxel + offset] >= 0 and seeds[voxel + offset]:
                    parent[find_root(parent, voxel)] = find_root(parent, voxel + offset)
    return parent


@njit(cache=True)
def _number(parent, shape):
    """Basin of each voxel of the core, numbered in the order of their first voxels, which are returned, too."""
    depth, rows, width = shape[0] - 2, shape[1] - 2, shape[2] - 2
    basin = np.full((depth, rows, width), -1, np.int32)
    number = np.full(parent.size, -1, np.int32)
    first = np.empty(parent.size, np.int32)
    count = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(width):
                voxel = ((z + 1) * shape[1] + y + 1) * shape[2] + x + 1
                if parent[voxel] < 0:
                    continue
                root = find_root(parent, voxel)
                if number[root] < 0:
                    number[root] = count
                    first[count] = (z * rows + y) * width + x
                    count += 1
                basin[z, y, x] = number[root]
    return basin, first[:count].copy()


@njit(cache=True)
def _lowest_passes(basin, height, slots, start, shape, passes):
    """Lower `passes`, numbered by `slots`, to the lowest between every two touching basins."""
    depth, rows, width = basin.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    n = np.int64(basin.max()) + 1
    for z in range(depth):
        for y in range(rows):
            for x in range(width):
                one = np.int64(basin[z, y, x])
                if one < 0:
                    continue
                here = ((z + start[0]) * shape[1] + y + start[1]) * shape[2] + x + start[2]
                for axis in range(3):
                    c, b, a = z + (axis == 0), y + (axis == 1), x + (axis == 2)
                    if c == depth or b == rows or a == width:
                        continue
                    other = np.int64(basin[c, b, a])
                    if other < 0 or other == one:
                        continue
                    mine, theirs = height[z + 1, y + 1, x + 1], height[c + 1, b + 1, a + 1]
                    there = here + strides[axis]
                    if mine > theirs:
                        found = (mine, here, theirs, there)
                    else:
                        found = (theirs, there, mine, here)
                    key = one * n + other if one < other else other * n + one
                    known = passes[slots[find_slot(slots, key), 1]]
                    if found < (known.height, known.above, known.floor, known.below):
                        known.height, known.above, known.floor, known.below = found
