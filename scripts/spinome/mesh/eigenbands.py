"""Eigenpairs of a surface band by band, up to a cutoff, none missed (Vallet and Levy 2008)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

from spinome.mesh.laplacian import factorise

# below this a dense decomposition is faster, and has no trouble with multiple eigenvalues
DENSE = 300
# next shift beyond the band's top, and back towards it when two bands do not join, in widths of the band
STEP, STEP_BACK = 0.4, 0.2
TOLERANCE = 1e-6
# eigenvalues that differ by less, relative to their size, are copies of one
SAME = 1e-6
LARGEST_BAND = 1600
# of ARPACK; a band takes about five where its eigenvalues are distinct
RESTARTS = 60


class SpectrumError(RuntimeError):
    """A spectrum that cannot be decomposed completely; the message says where and by how many pairs."""


@dataclass(frozen=True)
class Band:
    """Eigenpairs nearest to `shift`, ascending, and how many eigenvalues of the whole spectrum are `below` it."""

    shift: float
    below: int
    values: np.ndarray
    vectors: np.ndarray


def eigenpairs(matrix: sp.csc_array, cutoff: float, pairs: int = 50) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Eigenpairs of a positive semidefinite symmetric matrix with eigenvalues up to a cutoff, band by band.

    Each band is found by shift-invert. How many eigenvalues lie below a shift is known from the signs of its
    factor's pivots (Sylvester's law of inertia), so that two bands are joined only where all between them were
    found; where they do not join, the shift goes back, and then the band grows.

    Parameters
    ----------
    matrix : (n, n)
    cutoff : largest eigenvalue wanted
    pairs : eigenpairs per band

    Yields
    ------
    values (k,) ascending, and orthonormal vectors (n, k), of one band after the other, each pair once

    Raises
    ------
    SpectrumError: if pairs stay missing with the largest band.
    """
    if matrix.shape[0] <= max(DENSE, 2 * pairs):
        values, vectors = scipy.linalg.eigh(matrix.toarray())
        kept = values <= cutoff
        yield values[kept], vectors[:, kept]
        return
    lower, start = _solve(matrix, -1e-5 * cutoff, pairs), -np.inf
    while lower is not None:
        lower, upper, end = _join(matrix, lower, start, cutoff, pairs)
        kept = (lower.values >= start) & (lower.values < end) & (lower.values <= cutoff * (1 + SAME))
        yield lower.values[kept], lower.vectors[:, kept]
        # the gap where two bands join may hold the cutoff
        lower, start = (upper, end) if end < cutoff else (None, end)


def heat_kernel(values: np.ndarray, vectors: np.ndarray, times: np.ndarray) -> np.ndarray:
    """sum_k exp(-lambda_k t) phi_k(x)^2, for each row x of `vectors` (V, k) and each time: (V, T)."""
    return vectors**2 @ np.exp(-np.outer(np.maximum(values, 0), times))


def first_beyond(matrix: sp.csc_array, cutoff: float, pairs: int = 50) -> float:
    """A cutoff in the gap behind the first eigenvalue beyond the given one; the given one where it is beyond all.

    Parameters
    ----------
    matrix, cutoff, pairs : see `eigenpairs`
    """
    if matrix.shape[0] <= max(DENSE, 2 * pairs):
        values = scipy.linalg.eigvalsh(matrix.toarray())
    else:
        values = _solve(matrix, cutoff, pairs).values
    beyond = values[values > cutoff]
    if not len(beyond):
        return cutoff
    others = beyond[beyond > beyond[0] * (1 + SAME)]
    return float(beyond[0] + others[0]) / 2 if len(others) else float(beyond[0]) * (1 + SAME)


def _join(
    matrix: sp.csc_array, lower: Band, start: float, cutoff: float, pairs: int
) -> tuple[Band, Band | None, float]:
    """The band that follows `lower`, or None at the cutoff, and the value up to which `lower` counts."""
    while True:
        top, width = lower.values[-1], np.ptp(lower.values)
        if top > cutoff:
            end = np.nextafter(cutoff, np.inf)
            wall = _inertia(matrix, end)
            if end > start and wall - lower.below == _count(lower.values, lower.shift, end):
                return lower, None, end
        for step in (STEP, STEP - STEP_BACK, STEP - 2 * STEP_BACK):
            shift = top + max(step * width, SAME * abs(top))
            if top > cutoff or shift <= lower.shift:
                break
            for upper in _attempts(matrix, shift, pairs):
                # a band that reaches no further would come back for ever
                for end in _cuts(lower, upper) if upper.values[-1] > top * (1 + SAME) else []:
                    found = _count(lower.values, lower.shift, end) + _count(upper.values, end, upper.shift)
                    if end > start and upper.below - lower.below == found:
                        return lower, upper, end
        size = 2 * len(lower.values)
        if size > min(LARGEST_BAND, matrix.shape[0] // 2):
            raise SpectrumError(
                f"{matrix.shape[0]} vertices: eigenpairs stay missing between {lower.shift:.6g} and {top:.6g} nm^-2 "
                f"with {len(lower.values)} pairs per band; simplify the mesh more or lower neurons.hks.bands.cutoff"
            )
        lower = _grow(matrix, lower)


def _cuts(lower: Band, upper: Band) -> np.ndarray:
    """Where the upper band may take over, the widest gap first: in a gap of the values around what both hold.

    Values closer than `SAME` count as one, since a cut through a multiple eigenvalue would take some of its
    vectors from one band and some from the other, which are not orthogonal.
    """
    low, high = sorted((upper.values[0], lower.values[-1]))
    near = SAME * abs(high)
    below = lower.values[lower.values < low - near]
    above = upper.values[upper.values > high + near]
    values = np.sort(np.r_[below[-1:], lower.values, upper.values, above[:1]])
    values = values[(values >= np.min(np.r_[below[-1:], low])) & (values <= np.max(np.r_[above[:1], high]))]
    gaps = np.diff(values)
    wide = np.flatnonzero(gaps > near)
    wide = wide[np.argsort(-gaps[wide], kind="stable")]
    return (values[wide] + values[wide + 1]) / 2


def _count(values: np.ndarray, low: float, high: float) -> int:
    """How many values are between two borders, negative where they are in reverse."""
    return int(np.sum(values < high)) - int(np.sum(values < low))


def _solve(matrix: sp.csc_array, shift: float, pairs: int) -> Band:
    factor, shift = _factor(matrix, shift)
    values, vectors = _nearest(matrix, factor.solve, shift, pairs)
    order = np.argsort(values)
    return Band(shift, _negative(factor), values[order], vectors[:, order])


def _attempts(matrix: sp.csc_array, shift: float, pairs: int) -> Iterator[Band]:
    band = _solve(matrix, shift, pairs)
    yield band
    yield _grow(matrix, band)


def _grow(matrix: sp.csc_array, band: Band) -> Band:
    """The band with twice its pairs, searched at a right angle to those it has.

    So the copies of a multiple eigenvalue are found that one start vector does not reach.
    """
    factor, shift = _factor(matrix, band.shift)
    known = band.vectors

    def rest(vector: np.ndarray) -> np.ndarray:
        return vector - known @ (known.T @ vector)

    values, vectors = _nearest(matrix, lambda v: rest(factor.solve(rest(v))), shift, len(band.values), rest)
    values = np.r_[band.values, values]
    order = np.argsort(values)
    return Band(band.shift, band.below, values[order], np.column_stack([known, vectors])[:, order])


def _nearest(
    matrix: sp.csc_array, solve: Callable, shift: float, pairs: int, project: Callable = lambda vector: vector
) -> tuple[np.ndarray, np.ndarray]:
    count = matrix.shape[0]
    inverse = LinearOperator(matrix.shape, solve, dtype=float)
    start = project(np.random.default_rng(pairs).standard_normal(count))
    try:
        values, vectors = eigsh(matrix, k=pairs, sigma=shift, OPinv=inverse, tol=TOLERANCE, v0=start, maxiter=RESTARTS)
    except ArpackNoConvergence as error:
        values, vectors = error.eigenvalues, error.eigenvectors  # whether they are enough, inertia tells
    except ArpackError as error:
        raise SpectrumError(f"{count} vertices: no eigenpairs at {shift:.6g} nm^-2 ({error})") from error
    if not len(values):
        raise SpectrumError(f"{count} vertices: no eigenpair at {shift:.6g} nm^-2 converged")
    return values, vectors


def _inertia(matrix: sp.csc_array, shift: float) -> int:
    """How many eigenvalues are below the shift."""
    factor, _ = _factor(matrix, shift)
    return _negative(factor)


def _negative(factor) -> int:
    """Negative pivots of a symmetric factor."""
    if not np.array_equal(factor.perm_r, factor.perm_c):
        raise SpectrumError("the factor of a shifted Laplacian was not symmetric; simplify the mesh more")
    return int(np.sum(factor.U.diagonal() < 0))


def _factor(matrix: sp.csc_array, shift: float):
    """Factor at the shift, or just beside it where that is an eigenvalue; and the shift taken."""
    for nudge in (0.0, 1e-9, 1e-7, 1e-5):
        try:
            return factorise(matrix, shift + nudge * abs(shift)), shift + nudge * abs(shift)
        except RuntimeError:
            continue
    raise SpectrumError(f"{matrix.shape[0]} vertices: the Laplacian is singular around {shift:.6g} nm^-2")
