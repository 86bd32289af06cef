"""Superpixels: a seeded watershed of the membrane map that is the same, ids and all, however the volume is cut.

Cuboids are taken one after the other along the longest axis of the volume. What is held of those that are done is one
number for each of their basins, and of the faces behind which a cuboid is still to come the ways out. A union that no
such face reaches meets its lowest pass like a basin within a cuboid, so that only passes near these faces stay open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numba import njit

from spinome.cuboids import Cuboid, cuboids
from spinome.io.units import VoxelSize
from spinome.linking.basins import PASS, Basins, basins, join_lowest, of_faces, paint
from spinome.linking.flooding_heights import landscape
from spinome.union_find import find_root

# open passes from which on they are joined, and how many times those that stayed open the last time
MOST_OPEN, TIMES_OPEN = 1 << 20, 2


def superpixels(
    membrane: np.ndarray,
    voxel_nm: VoxelSize,
    *,
    threshold: float,
    smoothing_nm: float,
    spacing_nm: float,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Superpixels of a volume that fits into memory.

    Parameters
    ----------
    membrane, voxel_nm, threshold, smoothing_nm, spacing_nm, mask : see `landscape`

    Returns
    -------
    (Z, Y, X) uint64, superpixels 1..N in the order of their first voxels, 0 outside the mask; what holds no seed and
    touches nothing that does is a superpixel
    """
    height, seed = landscape(
        membrane, voxel_nm, threshold=threshold, smoothing_nm=smoothing_nm, spacing_nm=spacing_nm, mask=mask
    )
    (whole,) = cuboids(membrane.shape, membrane.shape)
    basin, found = basins(height, seed, whole, membrane.shape)
    ((_, labels),) = flood([whole], lambda _: found)
    return paint(basin, labels)


def flood(
    blocks: Sequence[Cuboid], read: Callable[[Cuboid], Basins], most_open: int = MOST_OPEN
) -> Iterator[tuple[Cuboid, np.ndarray]]:
    """Join the basins of the cuboids of a volume to superpixels.

    Parameters
    ----------
    blocks : cuboids of one tiling; where one is not among them, a way into it leads nowhere
    read : the basins of one of them; called twice
    most_open : passes from which on they are joined; the result does not depend on it

    Yields
    ------
    each cuboid, with the superpixel of each of its basins, uint64, from 1
    """
    blocks = _in_line(blocks)
    ends, parent = _unions(blocks, read, most_open)
    _settle(parent)
    roots = np.flatnonzero(parent == np.arange(len(parent), dtype=parent.dtype))
    start = np.full(len(roots), np.iinfo(np.int64).max)
    for block, low, high in zip(blocks, ends, ends[1:]):
        np.minimum.at(start, np.searchsorted(roots, parent[low:high]), read(block).first)
    label = np.empty(len(roots), np.uint64)
    label[np.argsort(start)] = np.arange(1, len(roots) + 1, dtype=np.uint64)
    for block, low, high in zip(blocks, ends, ends[1:]):
        yield block, label[np.searchsorted(roots, parent[low:high])]


def _in_line(blocks: Sequence[Cuboid]) -> list[Cuboid]:
    """Cuboids in raster order, along the longest axis first, so that few faces are open at a time."""
    stop = np.max([[axis.stop for axis in block.core] for block in blocks], axis=0, initial=0)
    axes = np.argsort(-np.broadcast_to(stop, 3), kind="stable")
    return sorted(blocks, key=lambda block: [block.start[axis] for axis in axes])


def _unions(blocks: Sequence[Cuboid], read: Callable[[Cuboid], Basins], most_open: int) -> tuple[list[int], np.ndarray]:
    """Where the basins of each cuboid begin and end when all are numbered in a row, and their forest of unions."""
    known = {block.start for block in blocks}
    ends, parent, seeded = [0], np.zeros(0, np.uint32), np.zeros(0, bool)
    sides, passes = [np.zeros((0, 2), np.int64)], [np.zeros(0, PASS)]
    # exits, numbered in a row, and ways of the faces behind which a cuboid is still to come, by its axis and start
    waiting: dict[tuple[int, tuple[int, ...]], tuple[np.ndarray, np.ndarray]] = {}
    count, stayed = 0, 0
    for block in blocks:
        part, offset = read(block), ends[-1]
        ends.append(offset + len(part.first))
        parent, seeded = _longer(parent, seeded, ends[-1])
        seeded[offset : ends[-1]] = part.seeded
        sides.append(part.sides.astype(np.int64) + offset)
        passes.append(part.passes)
        count += len(part.passes)
        faces = zip(*(of_faces(values, block.shape) for values in (part.entries, part.exits, part.ways)))
        for axis, (entries, exits, ways) in enumerate(faces):
            before = waiting.pop((axis, block.start), None)
            if before is not None:
                met = (entries >= 0) & (before[0] >= 0)
                across = np.stack([before[0][met], entries[met].astype(np.int64) + offset], axis=1)
                lowest = _lowest(across, before[1][met])
                sides.append(across[lowest])
                passes.append(before[1][met][lowest])
                count += len(lowest)
            beyond = tuple(start + (block.shape[axis] if axis == at else 0) for at, start in enumerate(block.start))
            if beyond in known:
                # a copy, since a part would keep the faces across all axes
                waiting[axis, beyond] = np.where(exits >= 0, exits.astype(np.int64) + offset, -1), ways.copy()
        if count > max(most_open, TIMES_OPEN * stayed):
            left = _join_open(parent, seeded, sides, passes, [exits for exits, _ in waiting.values()])
            sides, passes = [left[0]], [left[1]]
            count = stayed = len(left[0])
    _join_open(parent, seeded, sides, passes, [])
    return ends, parent[: ends[-1]]


def _longer(parent: np.ndarray, seeded: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for so many basins, and a quarter more: each a union of its own, without a seed."""
    room = len(parent)
    if size <= room:
        return parent, seeded
    wanted = size + size // 4
    if wanted > np.iinfo(parent.dtype).max:
        parent = parent.astype(np.int64)
    # a copy of its own memory, so that no second one is held
    parent.resize(wanted, refcheck=False)
    seeded.resize(wanted, refcheck=False)
    parent[room:] = np.arange(room, wanted)
    return parent, seeded


def _join_open(
    parent: np.ndarray,
    seeded: np.ndarray,
    sides: list[np.ndarray],
    passes: list[np.ndarray],
    exits: list[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Join what no open face reaches, in `parent` and `seeded`; return the sides of what stays open, and the passes."""
    unions, local = np.unique(_roots(parent, np.concatenate(sides).ravel()), return_inverse=True)
    open_ = [np.zeros(0, np.int64), *(_roots(parent, np.unique(face[face >= 0])) for face in exits)]
    reached = np.isin(unions, np.concatenate(open_))
    local = local.reshape(-1, 2)
    every = np.concatenate(passes)
    root, left = join_lowest(local, every, seeded[unions], reached)
    seeded[unions[root[seeded[unions]]]] = True
    parent[unions] = unions[root]
    return unions[root[local[left]]], every[left]


def _lowest(sides: np.ndarray, passes: np.ndarray) -> np.ndarray:
    """Of all passes between the same two the lowest, as positions."""
    order = np.lexsort((*(passes[name] for name in reversed(PASS.names)), sides[:, 1], sides[:, 0]))
    new = np.ones(len(order), bool)
    new[1:] = (sides[order[1:]] != sides[order[:-1]]).any(axis=1)
    return order[new]


@njit(cache=True)
def _roots(parent, nodes):
    roots = np.empty(len(nodes), np.int64)
    for number in range(len(nodes)):
        roots[number] = find_root(parent, nodes[number])
    return roots


@njit(cache=True)
def _settle(parent):
    """Let every node of a forest name its root."""
    for node in range(len(parent)):
        parent[node] = find_root(parent, node)
