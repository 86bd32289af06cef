"""The diagonal of the inverse of a mesh's shifted Laplacian, exact and without the inverse (Takahashi et al. 1973).

The entries of the inverse at the places where the factor L of L D L^T has entries follow from each other, last column
first, so that no other is needed. Neurites are thin tubes: nested dissection leaves about 13 entries a vertex, and
time and memory grow in proportion to the mesh. All shifts share the order and the pattern, and eight or more at once
fill the processor's vector registers. Where a soma makes the factor dense, `multifrontal` takes over.

This takes the place of the eigenvectors of the published pipeline (Pedigo et al. 2026), which grow with the square of
the mesh: 58 thousand vertices take 44.7 CPU-s there and 1.0 here, 2.3 million 106.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pymetis
import scipy.sparse as sp
from numba import njit

from spinome.neurons.multifrontal import fronts, invert_fronts

# shifts are worked on together in lanes, a multiple of what a vector register holds; the more of them, the less often
# is the pattern walked through, as far as the factor stays within these bytes
REGISTER, FACTOR_BYTES = 8, 1 << 30
# entries of a column from which on dense matrices are faster
DENSE = 64


class Pattern(NamedTuple):
    """Where the factor of a symmetric matrix has entries below its diagonal.

    `order` (n,) of elimination; `dense` the column from which on fronts of many rows are left; `rows` (n + 1,) and
    `row_columns` (nnz,) the columns of each row, ascending; `columns` (n + 1,) and `column_rows` (nnz,) the rows of
    each column, ascending.
    """

    order: np.ndarray
    dense: int
    rows: np.ndarray
    row_columns: np.ndarray
    columns: np.ndarray
    column_rows: np.ndarray


def inverse_diagonals(
    stiffness: sp.csr_array, mass: np.ndarray, shifts: np.ndarray, pattern: Pattern | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Diagonals of (stiffness + shift * diag(mass))^-1, a few shifts at a time.

    Parameters
    ----------
    stiffness : (V, V) symmetric, positive semidefinite
    mass : (V,) positive
    shifts : (S,) positive, or complex and off the real axis, which takes about four times as long
    pattern : of the stiffness, from `eliminate`, for callers that need it more than once

    Yields
    ------
    a slice of the shifts, and the diagonals (V, its length), real or complex as the shifts

    Raises
    ------
    ValueError: if the matrix is not positive definite at a real shift.
    """
    pattern = pattern or eliminate(stiffness)
    lower = sp.tril(stiffness.tocsr()[pattern.order][:, pattern.order]).tocsr()
    ordered = np.ascontiguousarray(mass[pattern.order])
    entries = len(pattern.column_rows)
    lanes = REGISTER * max(1, FACTOR_BYTES // (shifts.itemsize * REGISTER * max(entries, 1)))
    lanes = min(lanes, REGISTER * -(-len(shifts) // REGISTER))
    factor, pivots = np.empty((entries, lanes), shifts.dtype), np.empty((len(mass), lanes), shifts.dtype)
    ends = fronts(pattern.dense, pattern.columns, pattern.column_rows)
    for first in range(0, len(shifts), lanes):
        some = slice(first, min(first + lanes, len(shifts)))
        filled = np.resize(shifts[some], lanes)
        _factorise(lower.indptr, lower.indices, lower.data, ordered, filled, *pattern[1:], factor, pivots)
        invert_fronts(*ends, pattern.columns, pattern.column_rows, factor, pivots)
        _invert(pattern.dense, pattern.columns, pattern.column_rows, factor, pivots)
        # a symmetric matrix has a factor without pivoting off the real axis, where no pivot can be zero
        if np.isrealobj(pivots) and not (pivots > 0).all():
            raise ValueError(f"the Laplacian of {len(mass)} vertices is not positive semidefinite; simplify the mesh")
        diagonals = np.empty((len(mass), some.stop - some.start), shifts.dtype)
        diagonals[pattern.order] = pivots[:, : diagonals.shape[1]]
        yield some, diagonals


def eliminate(matrix: sp.csr_array) -> Pattern:
    """Choose an order of elimination for a symmetric matrix, and the pattern of its factor in that order.

    Nested dissection (METIS), which on a soma leaves a third of the work of a minimum degree order, and on a neurite
    as much; then the elimination tree in postorder, so that what belongs together lies together in memory.
    """
    graph = matrix.tocoo()
    off = graph.row != graph.col
    graph = sp.csr_array((np.ones(off.sum(), np.int8), (graph.row[off], graph.col[off])), shape=matrix.shape)
    order, _ = pymetis.nested_dissection(adjacency=pymetis.CSRAdjacency(graph.indptr, graph.indices))
    order = np.asarray(order)
    permuted = _sorted(graph, order)
    tree = _elimination_tree(permuted.indptr, permuted.indices)
    post = _postorder(tree)
    dense = _dense(tree, _column_lengths(permuted.indptr, permuted.indices, tree), DENSE)[post]
    order = order[np.r_[post[~dense], post[dense]]]
    permuted = _sorted(graph, order)
    tree = _elimination_tree(permuted.indptr, permuted.indices)
    return Pattern(order, int((~dense).sum()), *_factor_pattern(permuted.indptr, permuted.indices, tree))


def _sorted(graph: sp.csr_array, order: np.ndarray) -> sp.csr_array:
    permuted = graph[order][:, order]
    permuted.sort_indices()
    return permuted


@njit(cache=True)
def _elimination_tree(starts, columns):
    """The parent of each column: the first row below its diagonal with an entry in the factor (Liu 1990)."""
    count = len(starts) - 1
    parent, ancestor = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    for row in range(count):
        for place in range(starts[row], starts[row + 1]):
            column = columns[place]
            while column != -1 and column < row:
                above = ancestor[column]
                ancestor[column] = row
                if above == -1:
                    parent[column] = row
                column = above
    return parent


@njit(cache=True)
def _postorder(parent):
    """The nodes of a forest, every one after all of its descendants."""
    count = len(parent)
    child, sibling = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    for node in range(count - 1, -1, -1):
        if parent[node] != -1:
            sibling[node] = child[parent[node]]
            child[parent[node]] = node
    order, stack, done = np.empty(count, np.int32), np.empty(count, np.int32), 0
    for root in range(count):
        if parent[root] != -1:
            continue
        top = 0
        stack[0] = root
        while top >= 0:
            node = child[stack[top]]
            if node == -1:
                order[done] = stack[top]
                done += 1
                top -= 1
            else:
                child[stack[top]] = sibling[node]
                top += 1
                stack[top] = node
    return order


@njit(cache=True)
def _column_lengths(starts, columns, parent):
    """Entries of each column of the factor."""
    count = len(parent)
    seen, lengths = np.full(count, -1, np.int32), np.zeros(count, np.int32)
    for row in range(count):
        seen[row] = row
        for place in range(starts[row], starts[row + 1]):
            column = columns[place]
            while column < row and seen[column] != row:
                seen[column] = row
                lengths[column] += 1
                column = parent[column]
    return lengths


@njit(cache=True)
def _dense(parent, lengths, many):
    """Columns with many entries, and all that come after them in the elimination tree."""
    dense = lengths >= many
    for column in range(len(parent)):
        if dense[column] and parent[column] != -1:
            dense[parent[column]] = True
    return dense


@njit(cache=True)
def _factor_pattern(starts, columns, parent):
    """Entries of the factor: those of a row lie on the ways in the elimination tree from its entries up to it."""
    count = len(parent)
    seen, lengths, rows = np.full(count, -1, np.int32), np.zeros(count, np.int64), np.zeros(count + 1, np.int64)
    for row in range(count):
        seen[row] = row
        rows[row + 1] = rows[row]
        for place in range(starts[row], starts[row + 1]):
            column = columns[place]
            while column < row and seen[column] != row:
                seen[column] = row
                lengths[column] += 1
                rows[row + 1] += 1
                column = parent[column]
    column_starts = np.zeros(count + 1, np.int64)
    column_starts[1:] = np.cumsum(lengths)
    column_rows, fill = np.empty(rows[count], np.int32), column_starts[:-1].copy()
    seen[:] = -1
    for row in range(count):
        seen[row] = row
        for place in range(starts[row], starts[row + 1]):
            column = columns[place]
            while column < row and seen[column] != row:
                seen[column] = row
                column_rows[fill[column]] = row
                fill[column] += 1
                column = parent[column]
    row_columns, fill = np.empty(rows[count], np.int32), rows[:-1].copy()
    for column in range(count):
        for place in range(column_starts[column], column_starts[column + 1]):
            row = column_rows[place]
            row_columns[fill[row]] = column
            fill[row] += 1
    return rows, row_columns, column_starts, column_rows


@njit(cache=True, fastmath={"contract"})
def _factorise(starts, indices, values, mass, shifts, dense, rows, row_columns, columns, column_rows, factor, pivots):
    """L D L^T of the lower triangle plus shift * mass, row by row (up-looking), for all lanes at once.

    Writes `factor` (nnz, lanes) by column and `pivots` (n, lanes); from column `dense` on, what the columns before it
    leave of the matrix.
    """
    count, lanes = len(mass), len(shifts)
    work, end = np.zeros((count, lanes), pivots.dtype), columns[:-1].copy()
    for row in range(count):
        for lane in range(lanes):
            pivots[row, lane] = shifts[lane] * mass[row]
        for place in range(starts[row], starts[row + 1]):
            column = indices[place]
            if column == row:
                for lane in range(lanes):
                    pivots[row, lane] += values[place]
            else:
                for lane in range(lanes):
                    work[column, lane] = values[place]
        for place in range(rows[row], rows[row + 1]):
            column = row_columns[place]
            last = end[column]
            end[column] = last + 1
            if column >= dense:
                for lane in range(lanes):
                    factor[last, lane] = work[column, lane]
                    work[column, lane] = 0.0
                continue
            for entry in range(columns[column], last):
                below = column_rows[entry]
                for lane in range(lanes):
                    work[below, lane] -= factor[entry, lane] * work[column, lane]
            for lane in range(lanes):
                value = work[column, lane] / pivots[column, lane]
                pivots[row, lane] -= value * work[column, lane]
                factor[last, lane] = value
                work[column, lane] = 0.0


@njit(cache=True, fastmath={"contract"})
def _invert(dense, columns, column_rows, factor, pivots):
    """Turn the factor into the inverse at the same places, in its own memory, and the pivots into its diagonal.

    For the columns before `dense`, the others being inverted already:
    Z_ij = -sum_k Z_ik L_kj and Z_jj = 1 / D_j - sum_k Z_jk L_kj over the entries k of column j (Takahashi et al. 1973).
    """
    count, lanes = pivots.shape
    longest = 0
    for column in range(dense):
        longest = max(longest, columns[column + 1] - columns[column])
    sums, number = np.empty((longest, lanes), pivots.dtype), np.full(count, -1, np.int32)
    for column in range(dense - 1, -1, -1):
        first = columns[column]
        length = columns[column + 1] - first
        for i in range(length):
            number[column_rows[first + i]] = i
            for lane in range(lanes):
                sums[i, lane] = pivots[column_rows[first + i], lane] * factor[first + i, lane]
        for i in range(length - 1):
            # what is below the column is all there in the columns to its right (a clique), among more
            wanted, place = length - 1 - i, columns[column_rows[first + i]]
            while wanted > 0:
                j = number[column_rows[place]]
                if j >= 0:
                    wanted -= 1
                    for lane in range(lanes):
                        sums[j, lane] += factor[place, lane] * factor[first + i, lane]
                        sums[i, lane] += factor[place, lane] * factor[first + j, lane]
                place += 1
        for lane in range(lanes):
            pivots[column, lane] = 1.0 / pivots[column, lane]
        for i in range(length):
            number[column_rows[first + i]] = -1
            for lane in range(lanes):
                pivots[column, lane] += factor[first + i, lane] * sums[i, lane]
                factor[first + i, lane] = -sums[i, lane]
