"""In which order to eliminate the vertices of a mesh, and where the factor then has entries.

Neurites are thin tubes, on which a minimum degree order is the best there is and takes a fifth of the time of nested
dissection. On a soma it leaves more than twice the work. So the order is of minimum degree first; where the columns
that this leaves long are many, the thick part of the mesh that they lie in is ordered anew by nested dissection, and
the order with the less predicted work is taken.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pymetis
import scipy.sparse as sp
from numba import njit

from spinome.mesh.minimum_degree import minimum_degree

# entries of a column from which on dense matrices are faster
DENSE = 64
# a part of the mesh between long columns is a neurite where it has so many vertices, and belongs to the soma otherwise
NEURITE = 10_000
# squared lengths of the long columns, a vertex of the thick part, from which on nested dissection is tried
HEAVY = 2000


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


def eliminate(matrix: sp.csr_array) -> Pattern:
    """Choose an order of elimination for a symmetric matrix, and the pattern of its factor in that order.

    The order is a postorder of the elimination tree, so that what belongs together lies together in memory, the long
    columns and all above them last.
    """
    graph = matrix.tocoo()
    off = graph.row != graph.col
    graph = sp.csr_array((np.ones(off.sum(), np.int8), (graph.row[off], graph.col[off])), shape=matrix.shape)
    order = minimum_degree(graph.indptr, graph.indices)
    tree, lengths = _columns(graph, order)
    dense = _dense(tree, lengths, DENSE)
    work = lengths.astype(float) ** 2
    thick = _thick(tree, dense, NEURITE)
    if work[dense].sum() > HEAVY * thick.sum():
        other = np.concatenate([order[~thick], _dissect(graph, order[thick])])
        other_tree, other_lengths = _columns(graph, other)
        if (other_lengths.astype(float) ** 2).sum() < work.sum():
            order, tree, dense = other, other_tree, _dense(other_tree, other_lengths, DENSE)
    post = _postorder(tree)
    later = dense[post]
    order = order[np.concatenate([post[~later], post[later]])]
    permuted = _sorted(graph, order)
    tree = _elimination_tree(permuted.indptr, permuted.indices)
    lengths = _column_lengths(permuted.indptr, permuted.indices, tree)
    return Pattern(order, int((~dense).sum()), *_factor_pattern(permuted.indptr, permuted.indices, tree, lengths))


def _dissect(graph: sp.csr_array, nodes: np.ndarray) -> np.ndarray:
    """The nodes in an order of nested dissection (METIS) of the graph between them."""
    part = graph[nodes][:, nodes]
    order, _ = pymetis.nested_dissection(adjacency=pymetis.CSRAdjacency(part.indptr, part.indices))
    return nodes[np.asarray(order)]


def _columns(graph: sp.csr_array, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The elimination tree of an order, and how many entries each column of the factor has."""
    permuted = _sorted(graph, order)
    tree = _elimination_tree(permuted.indptr, permuted.indices)
    return tree, _column_lengths(permuted.indptr, permuted.indices, tree)


def _sorted(graph: sp.csr_array, order: np.ndarray) -> sp.csr_array:
    permuted = graph[order][:, order]
    permuted.sort_indices()
    return permuted


@njit(cache=True)
def _thick(parent, dense, neurite):
    """Columns that are dense, or in a branch below these with fewer columns than a neurite has."""
    size, thick = np.ones(len(parent), np.int64), dense.copy()
    for column in range(len(parent)):
        above = parent[column]
        if not dense[column] and above != -1 and not dense[above]:
            size[above] += size[column]
    for column in range(len(parent) - 1, -1, -1):
        above = parent[column]
        if not dense[column] and above != -1:
            thick[column] = size[column] < neurite if dense[above] else thick[above]
    return thick


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
    seen, lengths = np.full(count, -1, np.int32), np.zeros(count, np.int64)
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
def _factor_pattern(starts, columns, parent, lengths):
    """Entries of the factor: those of a row lie on the ways in the elimination tree from its entries up to it."""
    count = len(parent)
    seen, rows, column_starts = (
        np.full(count, -1, np.int32),
        np.zeros(count + 1, np.int64),
        np.zeros(count + 1, np.int64),
    )
    column_starts[1:] = np.cumsum(lengths)
    column_rows, fill = np.empty(column_starts[count], np.int32), column_starts[:-1].copy()
    for row in range(count):
        seen[row] = row
        rows[row + 1] = rows[row]
        for place in range(starts[row], starts[row + 1]):
            column = columns[place]
            while column < row and seen[column] != row:
                seen[column] = row
                column_rows[fill[column]] = row
                fill[column] += 1
                rows[row + 1] += 1
                column = parent[column]
    row_columns, fill = np.empty(rows[count], np.int32), rows[:-1].copy()
    for column in range(count):
        for place in range(column_starts[column], column_starts[column + 1]):
            row = column_rows[place]
            row_columns[fill[row]] = column
            fill[row] += 1
    return rows, row_columns, column_starts, column_rows
