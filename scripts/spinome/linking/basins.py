"""Basins: what can be said of the watershed of a volume from one cuboid of it.

Voxels are the nodes of a graph, shared faces its edges, and the higher of its two voxels is the height of an edge;
ties are settled by where the voxels lie in the volume, so that no two edges are equal. The watershed is the minimum
spanning forest rooted in the seeds (watershed cuts, Cousty et al. 2009), which is unique. Whatever is known to belong
to it can therefore be joined anywhere: every voxel with its lowest neighbour, and every basin without a seed that
does not reach the surface of its cuboid with the basin behind its lowest pass. And what does not belong to the forest
of a part does not belong to that of the whole: a pass whose two sides are linked by lower ones, or both have a seed,
is dropped. What is left of a cuboid are its seeds, the basins at its surface, fewer passes than basins, and the ways
out of it, which `spinome.linking.watershed` joins in the same way.
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

    The three faces where an axis begins, those of z, y and x one after the other, have F voxels in all, and so have
    those where an axis ends; `of_faces` tells them apart.

    Attributes
    ----------
    first : (N,) int64, number in the volume of each basin's first voxel
    seeded : (N,) bool
    sides : (P, 2) int32, two basins that touch
    passes : (P,) of PASS, the lowest between them
    entries, exits : (F,) int32, the basin at each voxel of the faces where axes begin and end, -1 where nobody passes
    ways : (F,) of PASS, the way out of each voxel of the faces where axes end
    """

    first: np.ndarray
    seeded: np.ndarray
    sides: np.ndarray
    passes: np.ndarray
    entries: np.ndarray
    exits: np.ndarray
    ways: np.ndarray


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
    entries, exits, ways = _faces(basin, height, seed, cuboid, shape)
    seeded = np.zeros(len(first), bool)
    seeded[basin[seed[1:-1, 1:-1, 1:-1]]] = True
    surface = np.zeros(len(first), bool)
    for face in (entries, exits):
        surface[face[face >= 0]] = True
    root, left = join_lowest(pairs, passes, seeded, surface)
    kept, number = np.unique(root, return_inverse=True)
    number = number.astype(np.int32)
    together, holds = np.full(len(kept), np.iinfo(np.int64).max), np.zeros(len(kept), bool)
    np.minimum.at(together, number, _in_volume(first, cuboid, shape))
    holds[number[seeded]] = True
    entries, exits = (paint(face, number, -1) for face in (entries, exits))
    return paint(basin, number, -1), Basins(together, holds, number[pairs[left]], passes[left], entries, exits, ways)


def of_faces(values: np.ndarray, shape: Shape) -> list[np.ndarray]:
    """Values of the faces of a cuboid of a shape, for the axes z, y and x."""
    z, y, x = shape
    return np.split(values, np.cumsum([y * x, z * x]))


def paint(basin: np.ndarray, labels: np.ndarray, outside: int = 0) -> np.ndarray:
    """The label of each voxel's basin, `outside` where there is none."""
    return np.append(labels, labels.dtype.type(outside))[basin]


def join_lowest(
    sides: np.ndarray, passes: np.ndarray, seeded: np.ndarray, surface: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join what has no seed and does not reach the surface to what lies beyond its lowest pass, and seeds that touch.

    Parameters
    ----------
    sides, passes : (P, 2) int and (P,) of PASS, basins that touch and a way between them; no two ways are equal
    seeded, surface : (N,) bool

    Returns
    -------
    (N,) the basin that stands for the union of each, and the passes between unions that may still be in the forest,
    from low to high
    """
    rising = np.lexsort([passes[name] for name in reversed(PASS.names)])
    root, left = _join(sides[rising], passes["height"][rising], seeded, surface)
    left = rising[left]
    return root, left[root[sides[left, 0]] != root[sides[left, 1]]]


@njit(cache=True)
def _join(sides, height, seeded, surface):
    """Unions, and whether each pass links what no lower one has linked; passes rise.

    A basin that neither has a seed nor reaches the surface meets its lowest pass first, and that pass is in the forest
    whatever lies elsewhere.
    """
    size = len(seeded)
    parent = np.arange(size)
    # in the forest of passes all seeds are linked from the beginning, by the last node
    linked = np.arange(size + 1)
    for basin in range(size):
        if seeded[basin]:
            linked[basin] = size
    left = np.zeros(len(sides), np.bool_)
    seeded, surface = seeded.copy(), surface.copy()
    for number in range(len(sides)):
        one, other = find_root(linked, sides[number, 0]), find_root(linked, sides[number, 1])
        if one != other:
            linked[min(one, other)] = max(one, other)
            left[number] = True
        one, other = find_root(parent, sides[number, 0]), find_root(parent, sides[number, 1])
        if one == other:
            continue
        enclosed = not (seeded[one] or surface[one]) or not (seeded[other] or surface[other])
        if enclosed or height[number] == -np.inf:
            parent[other] = one
            seeded[one] |= seeded[other]
            surface[one] |= surface[other]
    for basin in range(size):
        parent[basin] = find_root(parent, basin)
    return parent, left


def _with_rim(values: np.ndarray, cuboid: Cuboid, fill: float) -> np.ndarray:
    """The core with one voxel around it, `fill` where the volume ends."""
    rim = tuple(slice(max(axis.start - 1, 0), axis.stop + 1) for axis in cuboid.inner)
    cut = values[rim]
    before = [int(axis.start == 0) for axis in cuboid.inner]
    after = [length + 2 - have - low for length, have, low in zip(cuboid.shape, cut.shape, before)]
    return np.pad(cut, list(zip(before, after)), constant_values=fill)


def _faces(
    basin: np.ndarray, height: np.ndarray, seed: np.ndarray, cuboid: Cuboid, shape: Shape
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`entries`, `exits` and `ways` of a cuboid, from heights and seeds with their rim."""
    entries, exits, every = [], [], []
    for axis in range(3):
        for side, way in ((0, -1), (-1, 1)):
            core, rim = (
                tuple(at if other == axis else slice(1, -1) for other in range(3)) for at in (side - way, side)
            )
            mine, theirs = height[core], height[rim]
            leaves = np.where(np.isfinite(mine) & np.isfinite(theirs), basin.take(side, axis), np.int32(-1))
            if way < 0:
                entries.append(leaves.ravel())
                continue
            exits.append(leaves.ravel())
            grid = [np.arange(part.start, part.stop) for part in cuboid.core]
            grid[axis] = grid[axis][[side]]
            here = np.ravel_multi_index(np.ix_(*grid), shape).squeeze(axis)
            there = here + int(np.prod(shape[axis + 1 :]))
            # the later of two equal voxels is the higher one, as everywhere
            up = theirs >= mine
            ways = np.empty(leaves.shape, PASS)
            ways["height"] = np.where(seed[core] & seed[rim], np.float32(-np.inf), np.maximum(mine, theirs))
            ways["floor"] = np.minimum(mine, theirs)
            ways["above"], ways["below"] = np.where(up, there, here), np.where(up, here, there)
            every.append(ways.ravel())
    return np.concatenate(entries), np.concatenate(exits), np.concatenate(every)


def _in_volume(voxel: np.ndarray, cuboid: Cuboid, shape: Shape) -> np.ndarray:
    """Number in the volume of voxels that are numbered in the core."""
    place = np.unravel_index(voxel, cuboid.shape)
    return np.ravel_multi_index([axis + low for axis, low in zip(place, cuboid.start)], shape)


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
