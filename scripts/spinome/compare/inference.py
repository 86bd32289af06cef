"""Intervals and p-values that hold with few animals: t quantiles with between-within degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from spinome.compare.design import Design
from spinome.compare.mixed import Fit

# with fewer units their spread is hardly known (Gelman and Hill 2007, p. 275; Harrison et al. 2018)
LEAST_UNITS = 5
LEVEL = 0.95


@dataclass(frozen=True)
class Freedom:
    """What each effect is measured against.

    Attributes
    ----------
    level : (p,) place in the design's units of the one that the effect is measured against; rows come last
    df : (p,) degrees of freedom
    """

    level: np.ndarray
    df: np.ndarray


def freedom(design: Design, fit: Fit) -> Freedom:
    """Degrees of freedom between and within units, by the rule of Pinheiro and Bates (2000, p. 91).

    An effect that is the same in all rows of an animal is estimated between animals: its degrees of freedom are the
    animals less the effects of that kind, however many spines there are. An effect within animals whose slope differs
    between them is measured against these slopes, one of each animal. Other effects are estimated within.

    Slopes without a spread of their own are measured within, since their standard error is then that of the rows. With
    the degrees of animals such a test would call 0.1 to 1 % of studies without an effect significant at 5 %. With this
    rule it is 3 to 6 %, for 5 to 20 animals and any spread of the slopes (simulated from normal and chi-square
    variables; `make bench-compare` has a row of whole fits).
    """
    rows = len(design.response)
    codes = [*design.codes, np.arange(rows)]
    number = np.diff([0, *(int(code.max()) + 1 for code in codes)])
    level = np.array([_level(column, codes) for column in design.matrix.T])
    effects = np.bincount(level, minlength=len(codes))
    count, lost = number[level].astype(float), effects[level].astype(float)
    for slope, spread in zip(design.slopes, fit.spread[len(design.codes) :], strict=True):
        if spread == 0:
            continue
        sharing = [index for index in range(len(level)) if slope_of(design, index, slope) is not None]
        column, code = design.matrix[:, slope], design.codes[0]
        varying = len(np.unique(code[column != _one_each(column, code)]))
        level[sharing], count[sharing], lost[sharing] = 0, varying, len(sharing)
    return Freedom(level, count - lost)


def slope_of(design: Design, index: int, slope: int) -> np.ndarray | None:
    """(A,) what a column multiplies the slope of each coarsest unit by, None where it is no multiple of that column.

    Of the slope's own column these are ones, of its interaction with a condition the condition of each unit.
    """
    code, column, own = design.codes[0], design.matrix[:, slope], design.matrix[:, index]
    if column.any() and not own.any():
        return None
    factor = np.zeros(code.max() + 1)
    some = column != 0
    factor[code[some]] = own[some] / column[some]
    return factor if np.allclose(factor[code] * column, own) else None


def _level(column: np.ndarray, codes: list[np.ndarray]) -> int:
    for level, code in enumerate(codes):
        if np.array_equal(_one_each(column, code), column):
            return level
    raise AssertionError("a column is constant within its rows")


def _one_each(column: np.ndarray, code: np.ndarray) -> np.ndarray:
    """(n,) for each row the value of one row of its unit."""
    one = np.empty(code.max() + 1)
    one[code] = column
    return one[code]


def t_interval(estimate: float, standard_error: float, df: float) -> tuple[float, float, float]:
    """Low and high end of the interval of 95 %, and the two-sided p-value against 0."""
    if not (df >= 1 and standard_error > 0):
        return np.nan, np.nan, np.nan
    reach = stats.t.ppf((1 + LEVEL) / 2, df) * standard_error
    return estimate - reach, estimate + reach, float(2 * stats.t.sf(abs(estimate) / standard_error, df))


def doubt(design: Design, found: Freedom, index: int) -> str:
    """Why an effect has no p-value and no interval; empty where it has."""
    column, level = design.matrix[:, index], found.level[index]
    levels = design.levels
    if levels and levels[0] < LEAST_UNITS:
        return f"{levels[0]} of {design.units[0]} are too few to know their spread ({LEAST_UNITS} are needed)"
    if found.df[index] < 1:
        return "as many effects as units"
    if set(np.unique(column)) == {0.0, 1.0}:
        code = design.codes[level] if level < len(design.codes) else np.arange(len(column))
        sides = [len(np.unique(code[column == value])) for value in (0, 1)]
        if min(sides) < 2:
            return "a group of one unit has no spread of its own"
    return ""


def separated(design: Design) -> list[int]:
    """Effects of counts without a finite estimate: a group of a factor, or its rest, holds no event or nothing else."""
    if design.kind == "linear":
        return []
    found = []
    for index, column in enumerate(design.matrix.T[1:], 1):
        if set(np.unique(column)) != {0.0, 1.0}:
            continue
        for side in (column == 0, column == 1):
            events, trials = design.response[side].sum(), design.whole[side].sum()
            if events == 0 or (design.kind == "binomial" and events == trials):
                found.append(index)
                break
    return found


def corrected(p_values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """p-values corrected for their number by Holm (1979) and by Benjamini and Hochberg (1995), unknown ones aside."""
    known = p_values.dropna().sort_values()
    holm = np.maximum.accumulate(known.to_numpy() * np.arange(len(known), 0, -1)).clip(max=1)
    hochberg = stats.false_discovery_control(known.to_numpy())
    return tuple(pd.Series(values, known.index).reindex(p_values.index) for values in (holm, hochberg))


def standardised(estimate: float, fit: Fit) -> float:
    """An effect of a linear model over the standard deviation of single rows, all sources together (Cohen's d)."""
    return estimate / float(np.sqrt((fit.spread**2).sum() + fit.residual**2))
