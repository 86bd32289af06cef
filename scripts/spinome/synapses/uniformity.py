"""Are synapses spread evenly? Statistics of blocks that allow for blocks that resemble their neighbours.

Counts of neighbouring blocks are alike, so tests that take blocks for independent reject always and mean nothing.
Here every interval and p-value comes from a variance that holds the covariance of blocks up to a distance (Conley
1999), estimated from all pairs of blocks at the same offset.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.fft import irfftn, next_fast_len, rfftn
from scipy.stats import norm

BLOCK_COLUMNS = ["z_nm", "y_nm", "x_nm", "synapses", "unmasked_um3"]
COLUMNS = ["volume", "statistic", "axis", "value", "ci_low", "ci_high", "p", "n", "note"]
MIN_BLOCKS = 50
# blocks with less of their volume unmasked than this share of the largest are left out
MIN_UNMASKED = 0.1


def describe_uniformity(
    blocks: pd.DataFrame, volume: str, dependence_um: float, repeats: int = 199, seed: int = 0
) -> pd.DataFrame:
    """Density, dispersion, autocorrelation and trends of one volume's blocks.

    Parameters
    ----------
    blocks : table with `BLOCK_COLUMNS`
    dependence_um : blocks further apart than this are taken for independent
    repeats : shuffles of the blocks, for the p-value of the autocorrelation

    Returns
    -------
    one row a statistic with `COLUMNS`: `density_um3`; `dispersion` (Pearson, 1 where counts are Poisson);
    `morans_i` of the Pearson residuals over blocks that share a face; `trend` along each axis, the change of density
    from one end of the volume to the other as a fraction, after the other axes; `note` says how far that is, or why a
    value is missing.
    """
    used = blocks[blocks["unmasked_um3"] > MIN_UNMASKED * blocks["unmasked_um3"].max()]
    if used["synapses"].sum() == 0:
        return _table(volume, [_row("density_um3", n=len(used), note="no synapse in any unmasked block")])
    position = used[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / 1000
    count, exposure = used["synapses"].to_numpy(float), used["unmasked_um3"].to_numpy(float)
    density = count.sum() / exposure.sum()
    if len(used) < MIN_BLOCKS:
        note = f"{len(used)} blocks are too few, {MIN_BLOCKS} are needed; make blocks smaller"
        missing = [_row(name, n=len(used), note=note) for name in ("dispersion", "morans_i", "trend")]
        return _table(
            volume, [_row("density_um3", density, n=len(used), note="too few blocks for an interval"), *missing]
        )
    expected = exposure * density
    residual = (count - expected) / np.sqrt(expected)
    spread = 1.96 * np.sqrt(_variance(np.sqrt(expected), residual, position, dependence_um)) / count.sum()
    return _table(
        volume,
        [
            _row("density_um3", density, *(density * np.exp([-spread, spread])), n=len(used)),
            _row("dispersion", float((residual**2).sum() / (len(used) - 1)), n=len(used)),
            _morans_i(residual, position, np.random.default_rng(seed), repeats),
            *_trends(count, exposure, position, dependence_um),
        ],
    )


def morans_i(values: np.ndarray, pairs: np.ndarray) -> float:
    """Moran's I (Moran 1950) of values over pairs (N, 2) of neighbours: near 0 without autocorrelation."""
    centred = values - values.mean()
    return float((centred[pairs[:, 0]] * centred[pairs[:, 1]]).mean() / (centred**2).mean())


def neighbour_pairs(position_um: np.ndarray) -> np.ndarray:
    """Pairs of blocks that share a face: (N, 2) rows; `position_um` (B, 3) are centres on a grid."""
    grid, _ = _grid(position_um)
    shape = grid.max(axis=0) + 2
    place = np.ravel_multi_index(grid.T, shape)
    order = np.argsort(place)
    pairs = []
    for step in np.eye(3, dtype=int):
        target = np.ravel_multi_index((grid + step).T, shape)
        at = np.minimum(np.searchsorted(place[order], target), len(place) - 1)
        hit = place[order][at] == target
        pairs.append(np.column_stack([np.flatnonzero(hit), order[at[hit]]]))
    return np.concatenate(pairs)


def fit_trend(count: np.ndarray, exposure: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Coefficients of a log-linear model of counts with exposure as an offset, by iterated least squares.

    The estimate is that of a Poisson and of a quasi-Poisson model alike (McCullagh and Nelder 1989); only its
    uncertainty differs, which is left to the bootstrap.
    """
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = np.log(count.sum() / exposure.sum())
    for _ in range(50):
        mean = exposure * np.exp(design @ coefficients)
        step = np.linalg.solve(design.T @ (mean[:, None] * design), design.T @ (count - mean))
        coefficients += step
        if np.abs(step).max() < 1e-10:
            break
    return coefficients


def _grid(position_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place (B, 3) of each block on its grid, and the spacing of the grid along each axis in um."""
    axes = [np.unique(axis.round(3)) for axis in position_um.T]
    steps = np.array([np.median(np.diff(axis)) if len(axis) > 1 else 1.0 for axis in axes])
    return np.rint((position_um - position_um.min(axis=0)) / steps).astype(np.int64), steps


def _variance(weight: np.ndarray, residual: np.ndarray, position: np.ndarray, dependence_um: float) -> float:
    """Variance of the weighted sum of residuals whose covariance depends on their offset alone.

    The covariance at each offset is the mean over all pairs of blocks at that offset, zero beyond `dependence_um`.
    It is never taken to be smaller than that of independent blocks.
    """
    grid, steps = _grid(position)
    shape = grid.max(axis=0) + 1
    padded = [next_fast_len(int(2 * length), real=True) for length in shape]

    def autocorrelation(values: np.ndarray) -> np.ndarray:
        field = np.zeros(padded)
        field[tuple(grid.T)] = values
        return irfftn(np.abs(rfftn(field)) ** 2, s=padded)

    offsets = np.meshgrid(
        *(np.fft.fftfreq(length, 1 / length) * step for length, step in zip(padded, steps)), indexing="ij", sparse=True
    )
    near = sum(offset**2 for offset in offsets) <= dependence_um**2
    pairs = np.maximum(autocorrelation(np.ones(len(residual))), 0).round()
    products = autocorrelation(residual)
    covariance = np.where(near & (pairs > 0), products / np.maximum(pairs, 1), 0)
    independent = (weight**2).sum() * (residual**2).mean()
    return max(float((covariance * autocorrelation(weight)).sum()), float(independent))


def _morans_i(residual, position, rng, repeats) -> dict:
    pairs = neighbour_pairs(position)
    if not len(pairs):
        return _row("morans_i", n=len(residual), note="no two blocks share a face")
    value = morans_i(residual, pairs)
    shuffled = np.array([morans_i(rng.permutation(residual), pairs) for _ in range(repeats)])
    return _row("morans_i", value, p=(1 + (shuffled >= value).sum()) / (1 + len(shuffled)), n=len(residual))


def _trends(count: np.ndarray, exposure: np.ndarray, position: np.ndarray, dependence_um: float) -> list[dict]:
    usable = [len(np.unique(axis.round(3))) > 2 for axis in position.T]
    extent = np.ptp(position, axis=0) + _grid(position)[1]
    scaled = (position - position.mean(axis=0)) / extent
    columns = [axis for axis in range(3) if usable[axis]]
    design = np.column_stack([np.ones(len(count)), scaled[:, columns]])
    coefficients = fit_trend(count, exposure, design)
    mean = exposure * np.exp(design @ coefficients)
    residual = (count - mean) / np.sqrt(mean)
    inverse = np.linalg.inv(design.T @ (mean[:, None] * design))
    rows = []
    for axis, name in enumerate("zyx"):
        if not usable[axis]:
            rows.append(_row("trend", axis=name, n=len(count), note="fewer than three blocks along this axis"))
            continue
        number = 1 + columns.index(axis)
        # to first order the estimate errs by this weighted sum of the residuals
        weight = np.sqrt(mean) * (design @ inverse[number])
        error = np.sqrt(_variance(weight, residual, position, dependence_um))
        value = coefficients[number]
        ends = np.expm1([value, value - 1.96 * error, value + 1.96 * error])
        note = f"over {extent[axis]:.4g} um"
        rows.append(_row("trend", *ends, axis=name, p=2 * norm.sf(abs(value) / error), n=len(count), note=note))
    return rows


def _row(statistic, value=np.nan, low=np.nan, high=np.nan, *, axis="", p=np.nan, n=0, note="") -> dict:
    return {
        "statistic": statistic,
        "axis": axis,
        "value": float(value),
        "ci_low": float(low),
        "ci_high": float(high),
        "p": float(p),
        "n": n,
        "note": note,
    }


def _table(volume: str, rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame([{"volume": volume, **row} for row in rows], columns=COLUMNS)
