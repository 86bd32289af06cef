"""How much blocks resemble their neighbours, and what that does to sums over blocks.

The covariance of two blocks is taken to depend on their offset alone. It is the mean product of residuals over all
pairs of blocks at an offset, zero beyond a reach (Conley 1999). What is estimated from few blocks is itself uncertain
and, since trends have been taken out, too small; so a statistic divided by its standard error is compared not with
the normal law but with the same statistic of simulated fields that have the estimated covariance and no trend
(a parametric bootstrap of a studentised statistic, Davison and Hinkley 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.fft import irfftn, next_fast_len, rfftn

# a grid with more places for each block than this is none
MOST_PLACES = 1000


@dataclass(frozen=True)
class Grid:
    """Blocks on a grid: `place` (B, 3) of each, and the `steps` (3,) of the grid in um."""

    place: np.ndarray
    steps: np.ndarray

    @cached_property
    def padded(self) -> tuple[int, ...]:
        """Shape that holds every offset between two blocks in both directions."""
        return tuple(next_fast_len(int(2 * length), real=True) for length in self.place.max(axis=0) + 1)

    @cached_property
    def pairs(self) -> np.ndarray:
        """Number of pairs of blocks at each offset, in the order of a Fourier transform."""
        return np.maximum(self.correlate(np.ones(len(self.place))), 0).round()

    @cached_property
    def distance_um(self) -> np.ndarray:
        """Length of each offset."""
        axes = [np.fft.fftfreq(length, 1 / length) * step for length, step in zip(self.padded, self.steps)]
        return np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values (B,) of blocks as an array of the padded shape."""
        field = np.zeros(self.padded)
        field[tuple(self.place.T)] = values
        return field

    def correlate(self, first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray:
        """Sum over all pairs at an offset of a value of one block with that of the other."""
        transform = rfftn(self.spread(first))
        other = transform if second is None else rfftn(self.spread(second))
        return irfftn(transform * np.conj(other), s=self.padded)


def grid_of(position_um: np.ndarray) -> Grid:
    """The grid of blocks with centres (B, 3) in um.

    Raises
    ------
    ValueError: if two blocks lie at one place, or if they do not lie on a grid.
    """
    axes = [np.unique(axis.round(3)) for axis in position_um.T]
    steps = np.array([np.median(np.diff(axis)) if len(axis) > 1 else 1.0 for axis in axes])
    place = np.rint((position_um - position_um.min(axis=0)) / steps).astype(np.int64)
    if np.prod(place.max(axis=0) + 1.0) > MOST_PLACES * len(place):
        raise ValueError(
            f"{len(place)} blocks spread over {np.prod(place.max(axis=0) + 1.0):.0f} places; blocks lie on a regular "
            "grid, with their centres in nm"
        )
    if len(np.unique(place, axis=0)) < len(place):
        raise ValueError("two blocks lie at one place; give each block once, with its centre in nm")
    return Grid(place, steps)


def covariance(residual: np.ndarray, grid: Grid, reach_um: float) -> np.ndarray:
    """Covariance of two blocks at each offset, zero beyond the reach: an array of the padded shape."""
    near = (grid.distance_um <= reach_um) & (grid.pairs > 0)
    return np.where(near, grid.correlate(residual) / np.maximum(grid.pairs, 1), 0)


def correlogram(residual: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Correlation by distance, in bins as wide as the smallest step of the grid.

    Returns
    -------
    mean distance of the pairs of a bin in um, semivariance and correlation of their residuals, pairs; the bins reach
    to half of the largest extent
    """
    width = grid.steps[np.ptp(grid.place, axis=0) > 0].min()
    distance, pairs = grid.distance_um.ravel(), grid.pairs.ravel()
    farthest = max(np.ptp(grid.place, axis=0) * grid.steps) / 2
    used = (pairs > 0) & (distance > 0) & (distance <= farthest)
    bins = np.rint(distance[used] / width).astype(int)
    count = np.bincount(bins, pairs[used])
    filled = count > 0
    product = np.bincount(bins, grid.correlate(residual).ravel()[used])[filled] / count[filled]
    # each pair is there twice, once in either direction
    squares = grid.correlate(residual**2, np.ones_like(residual))
    square = np.bincount(bins, squares.ravel()[used])[filled] / count[filled]
    at = np.bincount(bins, pairs[used] * distance[used])[filled] / count[filled]
    return at, square - product, product / (residual**2).mean(), count[filled] / 2


def estimate_reach(residual: np.ndarray, grid: Grid, least: float = 0.05) -> float:
    """Distance in um within which blocks depend on each other: one and a half times where correlation dies away."""
    at, _, correlation, pairs = correlogram(residual, grid)
    gone = correlation < np.maximum(least, 2 / np.sqrt(pairs))
    first = at[np.argmax(gone)] if gone.any() else at[-1]
    return float(1.5 * max(first, grid.steps.max()))


@dataclass(frozen=True)
class Tested:
    """Sums over blocks against their null.

    `error` (M,) standard error of each sum, `limit` (M,) how many of them hold 95 % of the null, `p` (M,) two-sided;
    `joint` the mean square of the patterns' sums in units of their null variance, and its `joint_p`.
    """

    error: np.ndarray
    limit: np.ndarray
    p: np.ndarray
    joint: float
    joint_p: float


def compare_sums(
    residual: np.ndarray,
    grid: Grid,
    weights: np.ndarray,
    sums: np.ndarray,
    patterns: np.ndarray,
    reach_um: float,
    repeats: int,
    rng: np.random.Generator,
) -> Tested:
    """Standard errors and p-values of weighted sums of residuals, and whether smooth patterns are in them.

    Parameters
    ----------
    residual : (B,) of equal variance, of the model without patterns
    weights : (B, M), one column per sum
    sums : (M,) what is to be tested, estimates that err by the weighted sums of residuals
    patterns : (B, K) with what has been fitted already in the first column; the others are tested together
    reach_um : blocks further apart are independent
    repeats : simulated fields
    """
    basis = np.linalg.qr(patterns)[0]
    near = (grid.distance_um <= reach_um) & (grid.pairs > 0)
    per_pair = 1 / grid.pairs[near]
    single = np.stack([grid.correlate(column)[near] for column in weights.T])
    tested = basis.shape[1] - 1
    upper = np.triu_indices(tested)
    # products of two patterns, in both directions
    double = np.stack([_both(grid.correlate(basis[:, 1 + i], basis[:, 1 + j]))[near] for i, j in zip(*upper)])
    norms = (weights**2).sum(axis=0)

    def studentise(values: np.ndarray) -> tuple[np.ndarray, float]:
        found = basis.T @ values
        rest = values - basis @ found
        around = grid.correlate(rest)[near] * per_pair
        level = (rest**2).mean()
        # never smaller than for independent blocks
        error = np.sqrt(np.maximum(single @ around, norms * level))
        matrix = np.zeros((tested, tested))
        matrix[upper] = double @ around
        matrix = matrix + np.triu(matrix, 1).T
        size, axes = np.linalg.eigh(matrix)
        return error, float(((axes.T @ found[1:]) ** 2 / np.maximum(size, level)).mean())

    error, joint = studentise(residual)
    draw = _simulator(covariance(residual - basis @ (basis.T @ residual), grid, reach_um), grid)
    null, null_joint = np.empty((repeats, len(norms))), np.empty(repeats)
    for number in range(repeats):
        values = draw(rng)
        own_error, null_joint[number] = studentise(values)
        null[number] = np.abs(weights.T @ values) / own_error
    more = (null >= np.abs(sums) / error).sum(axis=0)
    joint_p = (1 + (null_joint >= joint).sum()) / (1 + repeats)
    return Tested(error, np.quantile(null, 0.95, axis=0), (1 + more) / (1 + repeats), joint, float(joint_p))


def slab_errors(weight: np.ndarray, grid: Grid, around: np.ndarray, axis: int) -> np.ndarray:
    """Standard error of the weighted sum of residuals of each slab of blocks across an axis.

    Parameters
    ----------
    around : what `covariance` returns
    """
    plane = around.take(0, axis=axis)
    field = np.moveaxis(grid.spread(weight), axis, 0)[: grid.place[:, axis].max() + 1]
    transform = np.abs(rfftn(field, axes=(1, 2))) ** 2
    spread = (irfftn(transform, s=plane.shape, axes=(1, 2)) * plane).sum(axis=(1, 2))
    return np.sqrt(np.maximum(spread, (field**2).sum(axis=(1, 2)) * around[0, 0, 0]))


def _both(values: np.ndarray) -> np.ndarray:
    """Mean of an array over offsets with the same array at the opposite offsets."""
    opposite = np.roll(values[::-1, ::-1, ::-1], 1, axis=(0, 1, 2))
    return (values + opposite) / 2


def _simulator(around: np.ndarray, grid: Grid):
    """A function that draws (B,) values of a Gaussian field with a covariance, from its spectrum."""
    spectrum = np.maximum(rfftn(around).real, 0)
    # what is cut off below zero is made up for by the level
    total = irfftn(spectrum, s=grid.padded)[0, 0, 0]
    spectrum *= around[0, 0, 0] / total if total > 0 else 0
    amplitude, place = np.sqrt(spectrum), tuple(grid.place.T)

    def draw(rng: np.random.Generator) -> np.ndarray:
        return irfftn(amplitude * rfftn(rng.standard_normal(grid.padded)), s=grid.padded)[place]

    return draw
