"""The diagonal of the inverse of a mesh's shifted Laplacian, exact and without the inverse (Takahashi et al. 1973).

The entries of the inverse at the places where the factor L of L D L^T has entries follow from each other, last column
first, so that no other is needed. Neurites are thin tubes: `elimination` finds an order that leaves about 10 entries a
vertex, and time and memory grow in proportion to the mesh. All shifts share the order and the pattern, and eight or
more at once fill the processor's vector registers. Where a soma makes the factor dense, `multifrontal` takes over.

This takes the place of the eigenvectors of the published pipeline (Pedigo et al. 2026), which grow with the square of
the mesh: 58 thousand vertices take 44.7 CPU-s there and 1.0 here, 2.3 million 106.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numba import njit

from spinome.mesh.elimination_order import Pattern, eliminate
from spinome.mesh.multifrontal import fronts, invert_fronts

# shifts are worked on together in lanes, a multiple of what a vector register holds; the more of them, the less often
# is the pattern walked through, as far as the factor stays within these bytes
REGISTER, FACTOR_BYTES = 8, 1 << 30
# what walking through the pattern costs, in registers of lanes: 24 shifts of 62 thousand vertices take 0.42 CPU-s in
# one round, 0.56 in three, and 0.65 in two of 16 lanes
WALK = 0.6


def inverse_diagonals(
    stiffness: sp.csr_array, mass: np.ndarray, shifts: np.ndarray, pattern: Pattern | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Diagonals of (stiffness + shift * diag(mass))^-1, a few shifts at a time.

    Parameters
    ----------
    stiffness : (V, V) symmetric, positive semidefinite
    mass : (V,) positive
    shifts : (S,) positive, or complex and off the real axis, which takes about four times as long
    pattern : pattern of the factor, from `eliminate`, for callers that need it more than once

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
    lanes = _lanes(len(shifts), FACTOR_BYTES // (shifts.itemsize * max(entries, 1)))
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


def _lanes(shifts: int, most: int) -> int:
    """Lanes for so many shifts, at most `most` beyond one register; what stays idle in the last round costs as well."""
    wanted = -(-shifts // REGISTER)
    fitting = range(1, max(1, min(most // REGISTER, wanted)) + 1)
    return REGISTER * min(fitting, key=lambda registers: -(-wanted // registers) * (registers + WALK))


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
