"""Confidence intervals by bootstrap, and the table of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

# resampled groups of so many repeats are held in memory together
REPEATS_AT_ONCE = 50
# the shares of resamples that an interval of 95 % ends at
ENDS = (0.025, 0.975)
EVALUATION_COLUMNS = ["metric", "value", "ci_low", "ci_high", "n", "unit"]


def bootstrap(
    statistic: Callable[[np.ndarray], float], groups: int, repeats: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of resampled groups (Efron and Tibshirani 1993, ch. 13).

    Parameters
    ----------
    statistic : called with an array of group indices, drawn with replacement
    groups : number of independent groups (dendrites, neurons, objects)
    """
    if groups < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    values = np.array([statistic(rng.integers(groups, size=groups)) for _ in range(repeats)], dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, ENDS)
    return float(low), float(high)


def bootstrap_ratios(
    part: np.ndarray, whole: np.ndarray, repeats: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap intervals of many ratios of sums over the same groups, as `bootstrap` of each.

    Parameters
    ----------
    part, whole : (G, M) of each group and measure; the measure is the sum of its part over that of its whole

    Returns
    -------
    Low and high end (M,); NaN of fewer than two groups
    """
    groups, measures = part.shape
    if groups < 2:
        return np.full(measures, np.nan), np.full(measures, np.nan)
    rng = np.random.default_rng(seed)
    both, values = np.hstack([part, whole]), []
    for first in range(0, repeats, REPEATS_AT_ONCE):
        draws = rng.integers(groups, size=(min(REPEATS_AT_ONCE, repeats - first), groups))
        times = np.stack([np.bincount(draw, minlength=groups) for draw in draws]).astype(float)
        sums = times @ both
        some, all_ = sums[:, :measures], sums[:, measures:]
        values.append(np.divide(some, all_, out=np.full(some.shape, np.nan), where=all_ > 0))
    values = np.concatenate(values)
    low, high = np.full(measures, np.nan), np.full(measures, np.nan)
    drawn = np.isfinite(values).any(axis=0)
    low[drawn], high[drawn] = np.nanquantile(values[:, drawn], ENDS, axis=0)
    return low, high


def evaluation_row(
    metric: str, value: float, n: int, unit: str, interval: tuple[float, float] = (float("nan"), float("nan"))
) -> dict:
    """One row of `evaluation.tsv`; `n` counts what was scored and `unit` says what that is."""
    return {"metric": metric, "value": value, "ci_low": interval[0], "ci_high": interval[1], "n": n, "unit": unit}


def evaluation_table(rows: Iterable[dict]) -> pd.DataFrame:
    """The rows of an evaluation in their fixed columns."""
    return pd.DataFrame(list(rows), columns=EVALUATION_COLUMNS)
