"""Planning: how many animals, and how much of each, would show an effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from spinome.compare.design import Design
from spinome.compare.mixed import Fit

POWER = 0.8
ALPHA = 0.05
# of the finer unit, in each animal
WITHIN = (1, 2, 4, 8, 16, 32)
MOST_ANIMALS = 500
COLUMNS = ["unit", "within_unit", "within", "effect", "units_per_group", "power"]


def plan(design: Design, fit: Fit, effect: float) -> pd.DataFrame:
    """Units per group that show a difference of two groups at 5 % with a power of 80 %, by how much each unit holds.

    The test planned for is the t-test of group means of units, with the variances that were found. What lies below the
    finer unit stays as many as it was here.

    Parameters
    ----------
    effect : difference on the scale of the model

    Returns
    -------
    Table `unit within_unit within effect units_per_group power`: `within` finer units in each unit; `units_per_group`
    is empty where `MOST_ANIMALS` are not enough
    """
    if effect == 0 or not np.isfinite(effect):
        return pd.DataFrame(columns=COLUMNS)
    levels = [*design.levels, len(design.response)]
    names = [*design.units, "row"]
    variances = [*fit.spread[: len(design.units)] ** 2, row_variance(design, fit)]
    rows = []
    for within in WITHIN if len(levels) > 1 else (1,):
        # of each kind of unit so many in one of the coarsest
        numbers = [1, *(within * level / levels[1] for level in levels[1:])]
        variance = sum(part / number for part, number in zip(variances, numbers))
        animals, power = _animals(effect, variance)
        rows.append([names[0], names[min(1, len(names) - 1)], within, effect, animals, power])
    return pd.DataFrame(rows, columns=COLUMNS).astype({"units_per_group": "Int64"})


def row_variance(design: Design, fit: Fit) -> float:
    """Variance of a row on the scale of the model that no unit explains: the residual, or that of counts."""
    if design.kind == "linear":
        return fit.residual**2
    predictor = design.matrix @ fit.coefficients
    if design.kind == "poisson":
        return float(1 / np.mean(design.whole * np.exp(predictor)))
    share = 1 / (1 + np.exp(-predictor))
    return float(1 / np.mean(design.whole * share * (1 - share)))


def _animals(effect: float, variance: float) -> tuple[int | None, float]:
    number = np.arange(2, MOST_ANIMALS + 1)
    power = two_group_power(effect, variance, number)
    enough = np.flatnonzero(power >= POWER)
    return (int(number[enough[0]]), float(power[enough[0]])) if len(enough) else (None, float(power[-1]))


def two_group_power(effect: float, variance: float, number: np.ndarray) -> np.ndarray:
    """Power of a two-sided t-test at 5 % of two groups of so many units each, whose values have this variance."""
    df = 2 * (number - 1)
    reach = stats.t.ppf(1 - ALPHA / 2, df)
    shift = abs(effect) / np.sqrt(2 * variance / number)
    return stats.nct.sf(reach, df, shift) + stats.nct.cdf(-reach, df, shift)
