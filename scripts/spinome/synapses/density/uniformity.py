"""Are synapses spread evenly? Statistics of blocks that allow for blocks that resemble their neighbours.

Counts of neighbouring blocks are alike, so tests that take blocks for independent reject always and mean nothing.
Every interval and p-value here keeps that dependence; see `spinome.synapses.density.dependence`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.synapses.density.dependence import (
    Grid,
    compare_sums,
    correlogram,
    covariance,
    estimate_reach,
    grid_of,
    slab_errors,
)

BLOCK_COLUMNS = ["z_nm", "y_nm", "x_nm", "synapses", "unmasked_um3"]
COLUMNS = ["volume", "statistic", "axis", "at_um", "value", "ci_low", "ci_high", "p", "n", "note"]
MIN_BLOCKS = 50
# blocks with less of their volume unmasked than this share of the largest are left out
MIN_UNMASKED = 0.1


def describe_uniformity(
    blocks: pd.DataFrame, volume: str, dependence_um: float | None = None, repeats: int = 199, seed: int = 0
) -> pd.DataFrame:
    """Density, dispersion, autocorrelation, trends and a test of uniformity of one volume's blocks.

    Parameters
    ----------
    blocks : table with `BLOCK_COLUMNS`; those whose `known` is false are left out, and the note of the density counts
        them
    dependence_um : blocks further apart than this are taken for independent; None estimates it
    repeats : simulated fields for intervals and p-values, and shuffles for that of the autocorrelation

    Returns
    -------
    one row per statistic with `COLUMNS`; `note` says what it refers to, or why a value is missing:

    - `density_um3`
    - `dispersion`: Pearson's, 1 where counts are Poisson
    - `morans_i` of the Pearson residuals over blocks that share a face
    - `dependence_um`: the reach of the dependence
    - `uniformity`: the mean square of six smooth patterns (linear and quadratic along each axis) in units of their
        variance under a null of even density with the same dependence, about 1 where the density is even
    - `trend` along each axis: the change of density from one end of the volume to the other as a fraction, after the
        other axes, by a quasi-Poisson model
    - `profile`: density in slabs of blocks, `at_um` along each axis
    - `variogram`: semivariance of the Pearson residuals of blocks `at_um` apart, less the smooth patterns;
        `correlation` likewise

    Raises
    ------
    ValueError: if the table has a value that no block can have; the message names the column.
    """
    used = usable_blocks(blocks, volume)
    lost = count_unknown(blocks)
    left_out = f"{lost} of {len(blocks)} blocks are not known" if lost else ""
    if used["synapses"].sum() == 0:
        note = "; ".join(filter(None, ["no synapse in any unmasked block", left_out]))
        return _table(volume, [_row("density_um3", n=len(used), note=note)])
    position = used[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / 1000
    count, exposure = used["synapses"].to_numpy(float), used["unmasked_um3"].to_numpy(float)
    density = count.sum() / exposure.sum()
    if len(used) < MIN_BLOCKS:
        note = f"{len(used)} blocks are too few, {MIN_BLOCKS} are needed; make blocks smaller"
        missing = [_row(name, n=len(used), note=note) for name in ("dispersion", "morans_i", "uniformity", "trend")]
        note = "; ".join(filter(None, ["too few blocks for an interval", left_out]))
        lone = _row("density_um3", density, n=len(used), note=note)
        return _table(volume, [lone, *missing])
    grid, rng = grid_of(position), np.random.default_rng(seed)
    expected = exposure * density
    residual = (count - expected) / np.sqrt(expected)
    usable = [axis for axis in range(3) if len(np.unique(grid.place[:, axis])) > 2]
    extent = (np.ptp(grid.place, axis=0) + 1) * grid.steps
    scaled = (position - position.mean(axis=0)) / extent
    smooth = np.column_stack([np.ones(len(count)), scaled[:, usable], scaled[:, usable] ** 2])
    patterns = np.sqrt(expected)[:, None] * smooth
    coefficients, weights = _fit_trends(count, exposure, scaled[:, usable])
    basis = np.linalg.qr(patterns)[0]
    rest = residual - basis @ (basis.T @ residual)
    reach = dependence_um or estimate_reach(rest, grid)
    tested = compare_sums(
        residual,
        grid,
        np.column_stack([np.sqrt(expected) / count.sum(), weights]),
        np.append(0, coefficients),
        patterns,
        reach,
        repeats,
        rng,
    )
    margin = tested.limit * tested.error
    n = len(count)
    trends = {axis: number for number, axis in enumerate(usable, start=1)}
    rows = [
        _row("density_um3", density, *(density * np.exp([-margin[0], margin[0]])), n=n, note=left_out),
        _row("dispersion", (residual**2).sum() / (n - 1), n=n),
        _morans_i(residual, grid, rng, repeats),
        _row("dependence_um", reach, n=n, note="estimated" if dependence_um is None else "configured"),
        _row("uniformity", tested.joint, p=tested.joint_p, n=n, note=f"blocks within {reach:.3g} um may be alike"),
    ]
    for axis, name in enumerate("zyx"):
        if axis not in trends:
            rows.append(_row("trend", axis=name, n=n, note="fewer than three blocks along this axis"))
            continue
        value, own, p = coefficients[trends[axis] - 1], margin[trends[axis]], tested.p[trends[axis]]
        ends = np.expm1([value, value - own, value + own])
        rows.append(_row("trend", *ends, axis=name, p=p, n=n, note=f"over {extent[axis]:.4g} um"))
    rows += _profiles(count, exposure, position, grid, covariance(rest, grid, reach), tested.limit[0])
    for at, semivariance, correlation, pairs in zip(*correlogram(rest, grid)):
        rows.append(_row("variogram", semivariance, at_um=at, n=int(pairs)))
        rows.append(_row("correlation", correlation, at_um=at, n=int(pairs)))
    return _table(volume, rows)


def count_unknown(blocks: pd.DataFrame) -> int:
    """How many blocks could not be computed; none of a table without the column `known`."""
    return int((~blocks["known"].astype(bool)).sum()) if "known" in blocks else 0


def usable_blocks(blocks: pd.DataFrame, volume: str) -> pd.DataFrame:
    """Blocks that are known, and unmasked to a tenth of the largest at least.

    Raises
    ------
    ValueError: if a position is missing, or a count or a volume is missing or negative; the message names the column
        and counts the blocks. Positions may be negative.
    """
    blocks = blocks[blocks["known"].astype(bool)] if "known" in blocks else blocks
    values = blocks[BLOCK_COLUMNS]
    bad = ~np.isfinite(values.astype(float))
    bad[["synapses", "unmasked_um3"]] |= values[["synapses", "unmasked_um3"]] < 0
    if bad.any(axis=None):
        column = bad.any().idxmax()
        raise ValueError(
            f"blocks of {volume}: column {column} is missing, not finite or negative in {bad[column].sum()} of "
            f"{len(blocks)} blocks; correct the table"
        )
    return blocks[blocks["unmasked_um3"] > MIN_UNMASKED * blocks["unmasked_um3"].max()]


def correct_density(described: pd.DataFrame, precision: tuple, recall: tuple) -> pd.DataFrame:
    """Density of true synapses, from that of found ones and from the detector's precision and recall.

    The true density is the found one times precision over recall. Their errors are added on the logarithmic scale as
    if independent, which is cautious: precision and recall of one evaluation rise and fall together, so that their
    ratio varies less.

    Parameters
    ----------
    described : what `describe_uniformity` returns for one volume
    precision, recall : value and the ends of its 95 % interval

    Returns
    -------
    one row `true_density_um3`, empty with a note where there is nothing to correct by; an end of the interval is 0, or
    infinite, where one that it follows from is 0
    """
    name = "true_density_um3"
    volume, density = described["volume"].iloc[0], described.set_index("statistic").loc["density_um3"]
    if not (precision[0] > 0 and recall[0] > 0 and density["value"] > 0):
        return _table(volume, [_row(name, n=density["n"], note="no true synapse was found to measure the detector by")])
    value = density["value"] * precision[0] / recall[0]
    # how far each end lies from its value; a low recall makes for a high density
    found = density[["value", "ci_low", "ci_high"]].to_numpy(float)
    middle, low, high = np.transpose([found, precision, recall]).astype(float)
    with np.errstate(divide="ignore"):
        to_low, to_high = np.log(middle / low), np.log(high / middle)
    below, above = np.append(to_low[:2], to_high[2]), np.append(to_high[:2], to_low[2])
    ends = value * np.exp([-np.sqrt((below**2).sum()), np.sqrt((above**2).sum())])
    note = f"found density times precision {precision[0]:.2f} over recall {recall[0]:.2f}"
    return _table(volume, [_row(name, value, *ends, n=density["n"], note=note)])


def morans_i(values: np.ndarray, pairs: np.ndarray) -> float:
    """Moran's I (Moran 1950) of values over pairs (N, 2) of neighbours: near 0 without autocorrelation."""
    centred = values - values.mean()
    return float((centred[pairs[:, 0]] * centred[pairs[:, 1]]).mean() / (centred**2).mean())


def neighbour_pairs(place: np.ndarray) -> np.ndarray:
    """Pairs of blocks that share a face: (N, 2) rows; `place` (B, 3) are their places on a grid."""
    shape = place.max(axis=0) + 2
    index = np.ravel_multi_index(place.T, shape)
    order = np.argsort(index)
    pairs = []
    for step in np.eye(3, dtype=int):
        target = np.ravel_multi_index((place + step).T, shape)
        at = np.minimum(np.searchsorted(index[order], target), len(index) - 1)
        hit = index[order][at] == target
        pairs.append(np.column_stack([np.flatnonzero(hit), order[at[hit]]]))
    return np.concatenate(pairs)


def fit_trend(count: np.ndarray, exposure: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Coefficients of a log-linear model of counts with exposure as an offset, by iterated least squares.

    The estimate is that of a Poisson and of a quasi-Poisson model alike (McCullagh and Nelder 1989); only its
    uncertainty differs.
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


def _fit_trends(count: np.ndarray, exposure: np.ndarray, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log change of density along each column of `scaled`, and by which sum of residuals (B, K) each errs."""
    design = np.column_stack([np.ones(len(count)), scaled])
    coefficients = fit_trend(count, exposure, design)
    mean = exposure * np.exp(design @ coefficients)
    inverse = np.linalg.inv(design.T @ (mean[:, None] * design))
    # to first order
    weights = np.sqrt(mean)[:, None] * (design @ inverse)
    return coefficients[1:], weights[:, 1:]


def _morans_i(residual: np.ndarray, grid: Grid, rng: np.random.Generator, repeats: int) -> dict:
    pairs = neighbour_pairs(grid.place)
    if not len(pairs):
        return _row("morans_i", n=len(residual), note="no two blocks share a face")
    value = morans_i(residual, pairs)
    shuffled = np.array([morans_i(rng.permutation(residual), pairs) for _ in range(repeats)])
    return _row("morans_i", value, p=(1 + (shuffled >= value).sum()) / (1 + len(shuffled)), n=len(residual))


def _profiles(count, exposure, position, grid, around, limit) -> list[dict]:
    rows = []
    density = count.sum() / exposure.sum()
    for axis, name in enumerate("zyx"):
        place = grid.place[:, axis]
        blocks, held, found = (np.bincount(place, values) for values in (np.ones_like(count), exposure, count))
        error = slab_errors(np.sqrt(exposure * density), grid, around, axis)
        at = np.bincount(place, position[:, axis])
        for number in np.flatnonzero(blocks):
            value, margin = found[number] / held[number], limit * error[number] / held[number]
            rows.append(
                _row(
                    "profile",
                    value,
                    max(value - margin, 0),
                    value + margin,
                    axis=name,
                    at_um=at[number] / blocks[number],
                    n=int(blocks[number]),
                )
            )
    return rows


def _row(statistic, value=np.nan, low=np.nan, high=np.nan, *, axis="", at_um=np.nan, p=np.nan, n=0, note="") -> dict:
    return {
        "statistic": statistic,
        "axis": axis,
        "at_um": float(at_um),
        "value": float(value),
        "ci_low": float(low),
        "ci_high": float(high),
        "p": float(p),
        "n": n,
        "note": note,
    }


def _table(volume: str, rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame([{"volume": volume, **row} for row in rows], columns=COLUMNS)
