"""Runs of object voxels along x: what a label volume holds, in the few numbers that labelling needs.

Synapses fill about one voxel in a hundred, so a cuboid is scanned once and everything else is done on its runs. Two
runs touch if their rows are neighbours and their extents along x overlap, or end next to each other; how they touch
(over a face, an edge or a corner) follows from both. The same function therefore joins runs within a cuboid and runs
on the surfaces of neighbouring cuboids (run-based labelling, He et al. 2008).
"""

from __future__ import annotations

import numba
import numpy as np

from spinome.union_find import find_root

# columns of a table of runs; x1 is the last voxel
Z, Y, X0, X1, VALUE = range(5)


def find_runs(values: np.ndarray) -> np.ndarray:
    """Runs of equal values along x, in raster order.

    Parameters
    ----------
    values : (Z, Y, X) integers or booleans, 0 for background

    Returns
    -------
    (R, 5) int64: z, y, first and last x, value; of uint64 the same 64 bits, so that those from 2**63 on are negative
    """
    values = values.view(np.uint8) if values.dtype == bool else values
    values = np.ascontiguousarray(values)
    # eight bytes at a time where a row is whole words
    whole = values.shape[2] * values.itemsize % 8 == 0
    return _find_runs(values, values.view(np.uint64) if whole else np.ones((1, 1, 1), np.uint64), whole)


def label_patches(runs: np.ndarray) -> tuple[np.ndarray, int]:
    """Join runs of one section that share faces of voxels and a value, to patches.

    Parameters
    ----------
    runs : (R, 5) in raster order

    Returns
    -------
    patch of each run, (R,) int64, numbered from 0 in the raster order of first voxels, and how many there are
    """
    return _label_patches(runs)


def touching_runs(runs: np.ndarray, reach: int) -> np.ndarray:
    """Pairs of runs of equal value that touch.

    Parameters
    ----------
    runs : (R, 5) in raster order, from one cuboid or from many
    reach : 1 for faces, 2 for edges as well, 3 for corners as well

    Returns
    -------
    (N, 3) int64: the two runs, the earlier first, and how they touch (1 over a face, 2 an edge, 3 a corner)
    """
    return _touching_runs(runs, reach)


def paint_runs(runs: np.ndarray, ids: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Label volume of a cuboid: (Z, Y, X) of the type of `ids`, with the id of each run in its voxels."""
    labels = np.zeros(shape, ids.dtype)
    _paint_runs(labels, runs, ids)
    return labels


@numba.njit(cache=True)
def _find_runs(values, words, whole):
    depth, height, width = values.shape
    a_word = width // words.shape[2] if whole else 1
    size, count = 4096, 0
    runs = np.empty((size, 5), np.int64)
    for z in range(depth):
        for y in range(height):
            row = values[z, y]
            x = 0
            while x < width:
                value = row[x]
                if value == 0:
                    x += 1
                    if whole and x % a_word == 0:
                        while x < width and words[z, y, x // a_word] == 0:
                            x += a_word
                    continue
                first = x
                while x < width and row[x] == value:
                    x += 1
                if count == size:
                    grown = np.empty((2 * size, 5), np.int64)
                    grown[:size] = runs
                    runs, size = grown, 2 * size
                runs[count, 0], runs[count, 1], runs[count, 2], runs[count, 3] = z, y, first, x - 1
                runs[count, 4] = value
                count += 1
    return runs[:count].copy()


@numba.njit(cache=True)
def _label_patches(runs):
    count = len(runs)
    parent = np.arange(count)
    above = row = 0
    while row < count:
        stop = row
        while stop < count and runs[stop, 1] == runs[row, 1] and runs[stop, 0] == runs[row, 0]:
            stop += 1
        # runs of the row above begin at `above`, if there is such a row
        while above < row and (
            runs[above, 0] < runs[row, 0] or (runs[above, 0] == runs[row, 0] and runs[above, 1] < runs[row, 1] - 1)
        ):
            above += 1
        first, second = above, row
        while first < row and second < stop:
            overlap = runs[first, 2] <= runs[second, 3] and runs[second, 2] <= runs[first, 3]
            if overlap and runs[first, 4] == runs[second, 4]:
                _join(parent, first, second)
            if runs[first, 3] < runs[second, 3]:
                first += 1
            else:
                second += 1
        row = stop
    patch, found = np.empty(count, np.int64), 0
    for run in range(count):
        root = find_root(parent, run)
        if root == run:
            patch[run] = found
            found += 1
        else:
            patch[run] = patch[root]
    return patch, found


@numba.njit(cache=True)
def _join(parent, first, second):
    first, second = find_root(parent, first), find_root(parent, second)
    # the earlier run is the root, so that patches count in raster order
    parent[max(first, second)] = min(first, second)


@numba.njit(cache=True)
def _touching_runs(runs, reach):
    count = len(runs)
    size, found = max(64, 2 * count), 0
    pairs = np.empty((size, 3), np.int64)
    # rows later in raster order: the same one, the next of the section, three of the next section
    offsets = ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1))
    for offset_z, offset_y in offsets:
        away = offset_z + abs(offset_y)
        if away > reach:
            continue
        target = row = 0
        while row < count:
            z, y = runs[row, 0], runs[row, 1]
            stop = row
            while stop < count and runs[stop, 1] == y and runs[stop, 0] == z:
                stop += 1
            wanted_z, wanted_y = z + offset_z, y + offset_y
            while target < count and (
                runs[target, 0] < wanted_z or (runs[target, 0] == wanted_z and runs[target, 1] < wanted_y)
            ):
                target += 1
            begin = target
            for first in range(row, stop):
                if away == 0:
                    second = first + 1
                else:
                    # runs that end before this one begins cannot touch it or any later one
                    while (
                        begin < count
                        and _in_row(runs, begin, wanted_z, wanted_y)
                        and (runs[begin, 3] < runs[first, 2] - 1)
                    ):
                        begin += 1
                    second = begin
                while (
                    second < count
                    and _in_row(runs, second, wanted_z, wanted_y)
                    and runs[second, 2] <= runs[first, 3] + 1
                ):
                    beside = runs[second, 2] > runs[first, 3] or runs[second, 3] < runs[first, 2]
                    step = away + beside
                    if step <= reach and runs[first, 4] == runs[second, 4]:
                        if found == size:
                            grown = np.empty((2 * size, 3), np.int64)
                            grown[:size] = pairs
                            pairs, size = grown, 2 * size
                        pairs[found, 0], pairs[found, 1], pairs[found, 2] = first, second, step
                        found += 1
                    second += 1
            row = stop
    return pairs[:found].copy()


@numba.njit(cache=True)
def _in_row(runs, index, z, y):
    return runs[index, 0] == z and runs[index, 1] == y


@numba.njit(cache=True)
def _paint_runs(labels, runs, ids):
    for index in range(len(runs)):
        identity = ids[index]
        if identity != 0:
            for x in range(runs[index, 2], runs[index, 3] + 1):
                labels[runs[index, 0], runs[index, 1], x] = identity
