"""Permutation over animals: the check that assumes no distribution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np

from spinome.compare.design import Design
from spinome.compare.inference import slope_of

# all orders are tried up to here, else so many at random, with the one that was observed
MOST_EXACT = 20_000
DRAWS = 9_999
# orders that are held in memory together, times units
AT_ONCE = 1_000_000
ROUNDING = 1e-9


def permutation_test(design: Design, coefficients: np.ndarray, index: int, seed: int) -> tuple[float, float]:
    """The p-value of an effect between units when units change places, and the lowest that so few units can reach.

    Each unit counts once, by its mean on the scale of the model, or for an interaction by its slope. Residuals of these
    on the other effects change places (Freedman and Lane 1983). All orders are tried where they are few, which is
    exact; else a random part of them.

    Parameters
    ----------
    coefficients : (p,) of the fit; effects within units are taken off before
    index : of the column

    Returns
    -------
    both NaN for an effect that units cannot change places in: one that is the same in all of them
    """
    made = _between(design, coefficients, index)
    if made is None:
        return math.nan, math.nan
    effect, values, others = made
    basis = np.linalg.qr(others)[0]
    effect, rest = (column - basis @ (basis.T @ column) for column in (effect, values))
    if np.linalg.norm(effect) < ROUNDING:
        return math.nan, math.nan
    observed = _statistic(effect, rest[None], basis)[0]
    statistics = np.concatenate([_statistic(effect, rest[order], basis) for order in _orders(effect, others, seed)])
    if _exact(len(effect)) or _two_groups(effect, others):
        return _share(statistics, observed), _share(statistics, statistics.max())
    return (1 + (statistics >= observed * (1 - ROUNDING)).sum()) / (1 + len(statistics)), 1 / (1 + len(statistics))


def _between(design: Design, coefficients: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """An effect (A,) on values (A,) of units, beside others (A, p); None where it is not between units."""
    code = design.codes[0] if design.codes else np.arange(len(design.response))
    first = np.empty(code.max() + 1, int)
    first[code] = np.arange(len(code))
    between = (design.matrix[first][code] == design.matrix).all(axis=0)
    if between[index]:
        values = unit_values(design, code, design.matrix[:, ~between] @ coefficients[~between])
        others = between & (np.arange(len(between)) != index)
        return design.matrix[first, index], values, design.matrix[first][:, others]
    for slope in design.slopes:
        factors = [slope_of(design, other, slope) for other in range(len(between))]
        if factors[index] is not None:
            others = [factor for other, factor in enumerate(factors) if factor is not None and other != index]
            values = unit_slopes(design, code, design.matrix[:, slope])
            known = np.isfinite(values)
            if not others or known.sum() <= len(others) + 1:
                return None
            return factors[index][known], values[known], np.stack(others, axis=1)[known]
    return None


def unit_slopes(design: Design, code: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(A,) each unit's slope of its rows' values on a column, by least squares; NaN where the column does not vary."""
    rows = unit_values(design, np.arange(len(code)), np.zeros(len(code)))
    number = np.bincount(code)
    middle = column - (np.bincount(code, column) / number)[code]
    squares = np.bincount(code, middle**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(code, middle * rows) / np.where(squares > 0, squares, np.nan)


def unit_values(design: Design, code: np.ndarray, taken_off: np.ndarray) -> np.ndarray:
    """Each unit's mean on the scale of the model: the logit of its share, the logarithm of its rate, or its mean.

    Parameters
    ----------
    code : (n,) unit of each row
    taken_off : (n,) effects within units
    """
    number = np.bincount(code)
    off = np.bincount(code, taken_off) / number
    if design.kind == "linear":
        return np.bincount(code, design.response) / number - off
    part, whole = np.bincount(code, design.response), np.bincount(code, design.whole)
    if design.kind == "poisson":
        return np.log((part + 0.5) / whole) - off
    return np.log((part + 0.5) / (whole - part + 0.5)) - off


def _statistic(effect: np.ndarray, values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """How far each row of values (R, A) goes with the effect (A,), as the size of a partial correlation."""
    rest = values - (values @ basis) @ basis.T
    size = np.linalg.norm(rest, axis=1) * np.linalg.norm(effect)
    return np.abs(rest @ effect) / np.maximum(size, np.finfo(float).tiny)


def _exact(units: int) -> bool:
    return math.factorial(min(units, 20)) <= MOST_EXACT


def _two_groups(effect: np.ndarray, others: np.ndarray) -> bool:
    """Whether two groups are compared, with nothing beside, in few enough ways."""
    low = effect < effect.mean()
    plain = others.shape[1] == 1 and len(np.unique(effect.round(12))) == 2
    return plain and math.comb(len(effect), int(low.sum())) <= MOST_EXACT


def _orders(effect: np.ndarray, others: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Orders of the units (R, A), in parts that fit into memory."""
    units = len(effect)
    if _exact(units):
        yield np.array(list(permutations(range(units))))
    elif _two_groups(effect, others):
        low = np.flatnonzero(effect < effect.mean())
        high = np.flatnonzero(effect >= effect.mean())
        chosen = np.array(list(combinations(range(units), len(low))))
        order = np.empty((len(chosen), units), int)
        for row, taken in zip(order, chosen):
            row[low], row[high] = taken, np.setdiff1d(np.arange(units), taken)
        yield order
    else:
        rng = np.random.default_rng(seed)
        part = max(1, AT_ONCE // units)
        for start in range(0, DRAWS, part):
            yield rng.permuted(np.tile(np.arange(units), (min(part, DRAWS - start), 1)), axis=1)


def _share(statistics: np.ndarray, least: float) -> float:
    return float((statistics >= least * (1 - ROUNDING)).mean())
