"""Confidence intervals by bootstrap, and the table of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

EVALUATION_COLUMNS = ["metric", "value", "ci_low", "ci_high", "n", "unit"]


def bootstrap(
    statistic: Callable[[np.ndarray], float], groups: int, repeats: int = 1000, seed: int = 0, level: float = 0.95
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
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def evaluation_row(
    metric: str, value: float, n: int, unit: str, interval: tuple[float, float] = (float("nan"), float("nan"))
) -> dict:
    """One row of `evaluation.tsv`; `n` counts what was scored and `unit` says what that is."""
    return {"metric": metric, "value": value, "ci_low": interval[0], "ci_high": interval[1], "n": n, "unit": unit}


def evaluation_table(rows: Iterable[dict]) -> pd.DataFrame:
    """The rows of an evaluation in their fixed columns."""
    return pd.DataFrame(list(rows), columns=EVALUATION_COLUMNS)
