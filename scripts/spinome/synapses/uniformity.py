"""Are synapses spread evenly? Statistics of blocks that allow for blocks that resemble their neighbours.

Counts of neighbouring blocks are alike, so tests that take blocks for independent reject always and mean nothing.
Trends here come with effect sizes, and their p-values from flipping the signs of whole super-blocks (the wild cluster
bootstrap of the score, Kline and Santos 2012), which keeps the dependence inside of a super-block.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

BLOCK_COLUMNS = ["z_nm", "y_nm", "x_nm", "synapses", "unmasked_um3"]
COLUMNS = ["volume", "statistic", "axis", "value", "ci_low", "ci_high", "p", "n", "note"]
MIN_BLOCKS, MIN_SUPERBLOCKS = 20, 8
TREND_UM = 100.0


def describe_uniformity(
    blocks: pd.DataFrame,
    volume: str,
    superblock_um: float,
    repeats: int = 999,
    seed: int = 0,
    min_unmasked: float = 0.1,
) -> pd.DataFrame:
    """Density, dispersion, autocorrelation and trends of one volume's blocks.

    Parameters
    ----------
    blocks : table with `z_nm y_nm x_nm synapses unmasked_um3`
    superblock_um : side of the super-blocks that count as independent; longer than the dependence reaches
    repeats : of the bootstrap
    min_unmasked : blocks with less of their volume unmasked than this share of the largest are left out

    Returns
    -------
    one row a statistic with `COLUMNS`: `density_um3`; `dispersion` (Pearson, 1 where counts are Poisson);
    `morans_i` of the Pearson residuals over blocks that share a face; `trend` along each axis, the change of density
    over 100 um as a fraction, after the other axes. `note` says why a value is missing.
    """
    used = blocks[blocks["unmasked_um3"] > min_unmasked * blocks["unmasked_um3"].max()]
    if len(used) == 0 or used["synapses"].sum() == 0:
        return _table(volume, [_row("density_um3", n=len(used), note="no synapse in any unmasked block")])
    position = used[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / 1000
    count, exposure = used["synapses"].to_numpy(float), used["unmasked_um3"].to_numpy(float)
    cluster = _superblocks(position, superblock_um)
    clusters = int(cluster.max()) + 1
    rng = np.random.default_rng(seed)
    rows = [_density(count, exposure, cluster, clusters, rng, repeats)]
    if len(used) < MIN_BLOCKS:
        note = f"{len(used)} blocks are too few, {MIN_BLOCKS} are needed; make blocks smaller"
        return _table(
            volume, [*rows, *(_row(name, n=len(used), note=note) for name in ("dispersion", "morans_i", "trend"))]
        )
    expected = exposure * count.sum() / exposure.sum()
    residual = (count - expected) / np.sqrt(expected)
    rows.append(_row("dispersion", float((residual**2).sum() / (len(used) - 1)), n=len(used)))
    rows.append(_morans_i(residual, position, rng, repeats))
    rows += _trends(count, exposure, position, cluster, clusters, rng, repeats)
    return _table(volume, rows)


def morans_i(values: np.ndarray, pairs: np.ndarray) -> float:
    """Moran's I (Moran 1950) of values over pairs (N, 2) of neighbours: near 0 without autocorrelation."""
    centred = values - values.mean()
    return float((centred[pairs[:, 0]] * centred[pairs[:, 1]]).mean() / (centred**2).mean())


def neighbour_pairs(position_um: np.ndarray) -> np.ndarray:
    """Pairs of blocks that share a face: (N, 2) rows; `position_um` (B, 3) are centres on a grid."""
    grid = np.stack([np.unique(axis.round(3), return_inverse=True)[1] for axis in position_um.T], axis=1)
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


def _superblocks(position: np.ndarray, side_um: float) -> np.ndarray:
    cells = np.floor((position - position.min(axis=0)) / side_um).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].ravel()


def _density(count, exposure, cluster, clusters, rng, repeats) -> dict:
    counts, exposures = np.bincount(cluster, count), np.bincount(cluster, exposure)
    low = high = float("nan")
    if clusters >= MIN_SUPERBLOCKS:
        weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), repeats)
        low, high = np.quantile((weights @ counts) / (weights @ exposures), [0.025, 0.975])
    return _row("density_um3", count.sum() / exposure.sum(), low=low, high=high, n=len(count))


def _morans_i(residual, position, rng, repeats) -> dict:
    pairs = neighbour_pairs(position)
    if not len(pairs):
        return _row("morans_i", n=len(residual), note="no two blocks share a face")
    value = morans_i(residual, pairs)
    shuffled = np.array([morans_i(rng.permutation(residual), pairs) for _ in range(min(repeats, 199))])
    return _row("morans_i", value, p=(1 + (shuffled >= value).sum()) / (1 + len(shuffled)), n=len(residual))


def _trends(count, exposure, position, cluster, clusters, rng, repeats) -> list[dict]:
    rows = []
    usable = np.array([len(np.unique(axis.round(3))) > 2 for axis in position.T])
    scaled = (position - position.mean(axis=0)) / TREND_UM
    for axis, name in enumerate("zyx"):
        if not usable[axis] or clusters < MIN_SUPERBLOCKS:
            note = (
                "fewer than three blocks along this axis"
                if not usable[axis]
                else f"{clusters} super-blocks are too few, {MIN_SUPERBLOCKS} are needed"
            )
            rows.append(_row("trend", axis=name, n=len(count), note=note))
            continue
        others = [scaled[:, other] for other in range(3) if other != axis and usable[other]]
        restricted = np.column_stack([np.ones(len(count)), *others])
        full = np.column_stack([restricted, scaled[:, axis]])
        coefficients = fit_trend(count, exposure, full)
        influence = _influence(count, exposure, full, coefficients, cluster)[:, -1]
        spread = 1.96 * np.sqrt((influence**2).sum() * clusters / (clusters - 1))
        null = np.append(fit_trend(count, exposure, restricted), 0.0)
        score = _influence(count, exposure, full, null, cluster)[:, -1]
        flipped = rng.choice([-1.0, 1.0], (repeats, clusters)) @ score
        p = (1 + (np.abs(flipped) >= abs(score.sum())).sum()) / (1 + repeats)
        low, high = coefficients[-1] - spread, coefficients[-1] + spread
        rows.append(_row("trend", *np.expm1([coefficients[-1], low, high]), axis=name, p=p, n=len(count)))
    return rows


def _influence(count, exposure, design, coefficients, cluster) -> np.ndarray:
    """What each super-block adds to the coefficients to first order: (clusters, coefficients)."""
    mean = exposure * np.exp(design @ coefficients)
    information = design.T @ (mean[:, None] * design)
    scores = design * (count - mean)[:, None]
    summed = np.column_stack([np.bincount(cluster, column) for column in scores.T])
    return summed @ np.linalg.inv(information)


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
