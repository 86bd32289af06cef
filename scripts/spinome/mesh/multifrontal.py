"""The end of an elimination, where the factor is dense: fronts of many rows, worked on as dense matrices.

Where nested dissection cuts through a soma, a column of the factor has hundreds of entries and its neighbours have the
same ones. Taken together they are a front (Duff and Reid 1983), and both elimination and selected inversion become
products of dense matrices: with eight shifts of 2.3 million vertices, 12.8 CPU-s instead of 31.8 entry by entry.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

# columns share a front while its first has no more than this share, and this number, of zeros
PADDING, PADDING_ROWS = 0.2, 4


class Fronts(NamedTuple):
    """Columns that are eliminated together, in postorder.

    `first` (S + 1,) the first column of each front, and the end of the last; `child` and `sibling` (S,) the first of
    the fronts that pass their update on to it, and the next that passes to the same one, -1 if none; `room` (2,)
    numbers of floats: of what is kept of all fronts, and of the updates that wait at one time at most.
    """

    first: np.ndarray
    child: np.ndarray
    sibling: np.ndarray
    room: np.ndarray


def fronts(begin: int, columns: np.ndarray, column_rows: np.ndarray) -> Fronts:
    """Group the columns of a factor from `begin` on into fronts.

    Parameters
    ----------
    columns (n + 1,), column_rows (nnz,) : the rows of each column, ascending; those from `begin` on in postorder
    """
    first = _group(begin, columns, column_rows)
    return Fronts(first, *_tree(first, columns, column_rows))


@njit(cache=True)
def _group(begin, columns, column_rows):
    count = len(columns) - 1
    first, number = np.empty(count - begin + 1, np.int64), 0
    for column in range(begin, count):
        joins = False
        if column > begin and columns[column] > columns[column - 1] and column_rows[columns[column - 1]] == column:
            start = first[number - 1]
            length = columns[start + 1] - columns[start]
            joins = column - start + columns[column + 1] - columns[column] <= (1 + PADDING) * length + PADDING_ROWS
        if not joins:
            first[number] = column
            number += 1
    first[number] = count
    return first[: number + 1].copy()


@njit(cache=True)
def _tree(first, columns, column_rows):
    count = len(first) - 1
    front_of = np.empty(first[-1] - first[0], np.int64)
    child, sibling, room = np.full(count, -1, np.int64), np.full(count, -1, np.int64), np.zeros(2, np.int64)
    for front in range(count):
        front_of[first[front] - first[0] : first[front + 1] - first[0]] = front
    for front in range(count - 1, -1, -1):
        last = first[front + 1] - 1
        if columns[last + 1] > columns[last]:
            above = front_of[column_rows[columns[last]] - first[0]]
            sibling[front] = child[above]
            child[above] = front
    waiting = 0
    for front in range(count):
        width, below = _shape(first, columns, front)
        room[0] += width * (width + below)
        passed = child[front]
        while passed != -1:
            waiting -= _shape(first, columns, passed)[1] ** 2
            passed = sibling[passed]
        waiting += below**2
        room[1] = max(room[1], waiting)
    return child, sibling, room


@njit(cache=True, inline="always")
def _shape(first, columns, front):
    """Columns of a front, and rows below them."""
    last = first[front + 1] - 1
    return last + 1 - first[front], columns[last + 1] - columns[last]


@njit(cache=True)
def invert_fronts(first, child, sibling, room, columns, column_rows, factor, pivots):
    """Turn what is left of a matrix in the fronts' columns into its inverse at the same places.

    Parameters
    ----------
    first, child, sibling, room : see `Fronts`
    factor : (nnz, lanes), entries below the diagonal by column
    pivots : (n, lanes), the diagonal
    """
    kept, waiting = np.empty(room[0], pivots.dtype), np.empty(room[1], pivots.dtype)
    place_of = np.empty(len(columns), np.int64)
    for lane in range(pivots.shape[1]):
        _eliminate(lane, first, child, sibling, columns, column_rows, factor, pivots, kept, waiting, place_of)
        _substitute(lane, first, child, sibling, columns, column_rows, factor, pivots, kept, waiting, place_of)


@njit(cache=True)
def _number(first, columns, column_rows, front, place_of):
    """Give each column and row of a front its place in the dense matrix."""
    start, stop = first[front], first[front + 1]
    for column in range(start, stop):
        place_of[column] = column - start
    begin = columns[stop - 1]
    for entry in range(begin, columns[stop]):
        place_of[column_rows[entry]] = stop - start + entry - begin


@njit(cache=True)
def _eliminate(lane, first, child, sibling, columns, column_rows, factor, pivots, kept, waiting, place_of):
    """Of each front F with columns J and rows R, keep F_JJ^-1 and Y = F_RJ F_JJ^-1 and pass on F_RR - Y F_RJ^T."""
    filled, end = 0, 0
    for front in range(len(child)):
        _number(first, columns, column_rows, front, place_of)
        width, below = _shape(first, columns, front)
        dense = np.zeros((width + below, width + below), pivots.dtype)
        for column in range(first[front], first[front + 1]):
            here = column - first[front]
            dense[here, here] = pivots[column, lane]
            for entry in range(columns[column], columns[column + 1]):
                dense[place_of[column_rows[entry]], here] = factor[entry, lane]
        # the updates were put down in the order of the children, the last one on top
        passed = child[front]
        while passed != -1:
            end -= _shape(first, columns, passed)[1] ** 2
            passed = sibling[passed]
        passed, place = child[front], end
        while passed != -1:
            length, begin = _shape(first, columns, passed)[1], columns[first[passed + 1] - 1]
            for i in range(length):
                into = place_of[column_rows[begin + i]]
                for j in range(i + 1):
                    dense[into, place_of[column_rows[begin + j]]] += waiting[place + i * length + j]
            place += length * length
            passed = sibling[passed]
        for i in range(width):
            for j in range(i):
                dense[j, i] = dense[i, j]
        # symmetric, and transposed it is in the order of memory that the others have
        inverse = np.linalg.inv(dense[:width, :width].copy()).T
        kept[filled : filled + width * width] = inverse.reshape(-1)
        filled += width * width
        # the last front of a component has no rows below
        if below == 0:
            continue
        left = dense[width:, :width].copy()
        spread = np.dot(left, inverse)
        update = np.dot(spread, left.T)
        for i in range(below):
            for j in range(i + 1):
                waiting[end + i * below + j] = dense[width + i, width + j] - update[i, j]
        end += below * below
        kept[filled : filled + below * width] = spread.reshape(-1)
        filled += below * width


@njit(cache=True)
def _substitute(lane, first, child, sibling, columns, column_rows, factor, pivots, kept, waiting, place_of):
    """Backwards, Z_RJ = -Z_RR Y and Z_JJ = F_JJ^-1 - Y^T Z_RJ (Takahashi et al. 1973), Z_RR from the front above."""
    filled, end = len(kept), 0
    for front in range(len(child) - 1, -1, -1):
        width, below = _shape(first, columns, front)
        filled -= (width + below) * width
        end -= below * below
        dense = np.empty((width + below, width + below), pivots.dtype)
        dense[:width, :width] = kept[filled : filled + width * width].reshape(width, width)
        if below > 0:
            begin = filled + width * width
            spread = kept[begin : begin + below * width].reshape(below, width)
            rows = waiting[end : end + below * below].reshape(below, below)
            across = np.dot(rows, spread)
            dense[:width, :width] += np.dot(spread.T, across)
            dense[width:, :width] = -across
            dense[:width, width:] = -across.T
            dense[width:, width:] = rows
        _number(first, columns, column_rows, front, place_of)
        for column in range(first[front], first[front + 1]):
            here = column - first[front]
            pivots[column, lane] = dense[here, here]
            for entry in range(columns[column], columns[column + 1]):
                factor[entry, lane] = dense[place_of[column_rows[entry]], here]
        passed = child[front]
        while passed != -1:
            length, begin = _shape(first, columns, passed)[1], columns[first[passed + 1] - 1]
            for i in range(length):
                into = place_of[column_rows[begin + i]]
                for j in range(length):
                    waiting[end + i * length + j] = dense[into, place_of[column_rows[begin + j]]]
            end += length * length
            passed = sibling[passed]
