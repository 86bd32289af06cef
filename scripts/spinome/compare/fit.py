"""One comparison from a table to its effects, the points behind them, and the plan of a study that would show them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats

from spinome.compare import power
from spinome.compare.design import UNITS, Design, NotComparableError, make_design
from spinome.compare.errors import Carried, Rate, carry
from spinome.compare.formula import names_of, parse
from spinome.compare.inference import Freedom, doubt, freedom, separated, standardised, t_interval
from spinome.compare.mixed import Fit, NoEstimateError, fit_generalised, fit_linear
from spinome.compare.permutation import permutation_test, unit_values

COLUMNS = [
    *("comparison", "table", "formula", "model", "term", "effect_kind", "effect", "effect_low", "effect_high"),
    *(
        "carried_effect",
        "carried_low",
        "carried_high",
        "p_value",
        "carried_p_value",
        "permutation_p",
        "permutation_least_p",
    ),
    *("standardised", "estimate", "standard_error", "carried_estimate", "carried_standard_error", "df"),
    *("rows", "units", "together", "note"),
]
POINT_COLUMNS = ["comparison", "unit", "group", "value", "rows"]
PLAN_COLUMNS = ["comparison", "term", *power.COLUMNS]
MODELS = {"linear": "linear mixed (REML)", "binomial": "binomial mixed (logit)", "poisson": "Poisson mixed (log)"}
# responses with a name of their own: how they are counted in `census/cells`
SHORTHANDS: dict[str, tuple[str, dict[str, list]]] = {
    "spine_fraction": ("part/whole", {"side": ["input"], "measure": ["input_on_spine"], "partner_class": [""]}),
}


@dataclass(frozen=True)
class Comparison:
    """What is asked.

    Attributes
    ----------
    name : of the comparison
    table : name or path of its table, for the record
    formula : see `spinome.compare.formula`
    where : values of columns; only rows with one of them are compared
    reference : by factor the level that others are compared with
    terms : columns whose effects are asked for; empty: of all
    together : name of the comparisons that are corrected together
    rates : the machine's error
    unmeasured : why it is not known, although it was asked for
    probability : column with the probability that a row is what it was taken for; empty: not used
    planned_effect : the effect to plan for, a difference or a ratio; None: the one that was found
    """

    name: str
    table: str
    formula: str
    where: Mapping[str, Sequence] = field(default_factory=dict)
    reference: Mapping[str, str] = field(default_factory=dict)
    terms: Sequence[str] = ()
    together: str = "all"
    rates: Sequence[Rate] = ()
    unmeasured: str = ""
    probability: str = ""
    planned_effect: float | None = None


def columns_read(columns: Sequence[str], asked: Comparison) -> list[str] | None:
    """Those columns of a table that a comparison reads; None: all, to say what there is where one is lacking."""
    formula = parse(asked.formula)
    short = SHORTHANDS.get(formula.part[0]) if not formula.whole and formula.part[0] not in columns else None
    of_short = ["part", "whole", *short[1]] if short else []
    needed = {name for name in formula.columns if not short or name != formula.part[0]}
    needed |= {*of_short, *asked.where} | ({asked.probability} - {""})
    # a turnover's `total` is the sum of two columns
    if needed - {*columns, "total"}:
        return None
    needed |= {*UNITS, "spines", "next_spines", *(name for rate in asked.rates for name in rate.where)}
    return [name for name in columns if name in needed]


def fit(frame: pd.DataFrame, asked: Comparison, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Effects with `COLUMNS`, a point per unit with `POINT_COLUMNS`, and plans with `PLAN_COLUMNS`.

    What cannot be compared gives one row without an effect, whose `note` says why.

    Parameters
    ----------
    frame : the table
    asked : the comparison
    seed : of permutations and draws
    """
    points = pd.DataFrame(columns=POINT_COLUMNS)
    try:
        design = _design(frame, asked)
        points = _points(design, asked)
        fitted = _fitted(design)
        effects = _effects(design, fitted, asked, seed)
        plans = _plans(design, fitted, asked)
    except (NotComparableError, NoEstimateError, np.linalg.LinAlgError) as error:
        effects = [{"term": "", "note": str(error)}]
        plans = []
    told = {name: getattr(asked, name) for name in ("table", "formula", "together")}
    table = pd.DataFrame(effects).assign(comparison=asked.name, **told).reindex(columns=COLUMNS)
    plan = pd.concat(plans, ignore_index=True) if plans else pd.DataFrame(columns=PLAN_COLUMNS)
    return table, points, plan.assign(comparison=asked.name).reindex(columns=PLAN_COLUMNS)


def with_totals(frame: pd.DataFrame) -> pd.DataFrame:
    """The table, of turnovers with the column `total`, the spines of both sessions."""
    if {"spines", "next_spines"} <= set(frame) and "total" not in frame:
        return frame.assign(total=frame["spines"] + frame["next_spines"])
    return frame


def _design(frame: pd.DataFrame, asked: Comparison) -> Design:
    formula = parse(asked.formula)
    where = dict(asked.where)
    short = SHORTHANDS.get(formula.part[0]) if not formula.whole and formula.part[0] not in frame else None
    if short:
        formula = parse(short[0] + asked.formula[asked.formula.index("~") :])
        where = short[1] | where
    design = make_design(with_totals(frame), formula, where, asked.reference, asked.terms)
    if unknown := set(asked.terms) - set(names_of(formula.fixed)):
        raise NotComparableError(
            f"terms: {', '.join(sorted(unknown))} is no column of the fixed effects {formula.fixed!r}"
        )
    return design


def _fitted(design: Design) -> Fit:
    if design.kind == "linear":
        return fit_linear(design.response, design.matrix, design.random)
    if groups := separated(design):
        names = ", ".join(design.columns[index] for index in groups)
        raise NoEstimateError(
            f"separation: by {names} one group has no event, or nothing else, so that its effect has no finite "
            "estimate; compare more rows, or give the counts of the groups as they are"
        )
    return fit_generalised(design.kind, design.response, design.whole, design.matrix, design.random)


def _effects(design: Design, fitted: Fit, asked: Comparison, seed: int) -> list[dict]:
    found = freedom(design, fitted)
    carried, said = _carried(design, fitted, asked, seed)
    rows = []
    for index in _asked(design, asked):
        error = float(fitted.standard_errors[index])
        estimate, why = float(fitted.coefficients[index]), doubt(design, found, index)
        df = float(found.df[index])
        low, high, p_value = (np.nan,) * 3 if why else t_interval(estimate, error, df)
        chance, least = permutation_test(design, fitted.coefficients, index, seed)
        row = {
            "model": MODELS[design.kind],
            "term": design.columns[index],
            "effect_kind": _effect_kind(design),
            **dict(zip(("effect", "effect_low", "effect_high"), _natural(design, [estimate, low, high]))),
            "p_value": p_value,
            "permutation_p": np.nan if why else chance,
            "permutation_least_p": least,
            "standardised": standardised(estimate, fitted) if design.kind == "linear" else np.nan,
            "estimate": estimate,
            "standard_error": error,
            "df": df,
            "rows": len(design.response),
            "units": ", ".join(f"{number} {name}" for number, name in zip(design.levels, design.units)) or design.top,
            "note": "; ".join([*design.notes, *([f"no p-value: {why}"] if why else []), *said]),
        }
        if carried is not None:
            middle, spread = carried.coefficients[index], carried.standard_errors[index]
            ends = (np.nan,) * 3 if why else t_interval(middle, spread, carried.df[index])
            names = ("carried_effect", "carried_low", "carried_high")
            row |= dict(zip(names, _natural(design, [middle, *ends[:2]])))
            row |= {"carried_p_value": ends[2], "carried_estimate": middle, "carried_standard_error": spread}
        rows.append(row)
    return rows


def _asked(design: Design, asked: Comparison) -> list[int]:
    """Places of the effects that are asked for; never of the intercept."""
    wanted = set(asked.terms)
    return [
        index
        for index, name in enumerate(design.columns)
        if name != "Intercept" and (not wanted or wanted & set(names_of(_without_levels(name))))
    ]


def _without_levels(column: str) -> str:
    """The columns in a name such as `condition[treated]:day`."""
    return "".join(column.replace("]", "[").split("[")[::2])


def _carried(design: Design, fitted: Fit, asked: Comparison, seed: int) -> tuple[Carried | None, list[str]]:
    """Effects with the machine's error, None where none is given; and what is to be said of it."""
    if asked.unmeasured:
        return None, [f"the machine's error is not carried: {asked.unmeasured}"]
    if not asked.rates and not asked.probability:
        return None, []
    try:
        carried = carry(design, fitted, freedom(design, fitted), _fitted, asked.rates, asked.probability, seed)
    except (NotComparableError, NoEstimateError) as error:
        return None, [f"the machine's error is not carried: {error}"]
    by = sorted({column for rate in asked.rates for column in rate.where})
    return carried, [*carried.notes, *([f"the machine's error is that of each {' and '.join(by)}"] if by else [])]


def _effect_kind(design: Design) -> str:
    if design.kind == "linear":
        return "ratio" if design.formula.log else "difference"
    return "odds ratio" if design.kind == "binomial" else "rate ratio"


def _natural(design: Design, values: Sequence[float]) -> list[float]:
    """Values on the scale of the model as a reader takes them: ratios of odds, of rates or of sizes."""
    if _effect_kind(design) == "difference":
        return list(values)
    return [float(np.exp(value)) for value in values]


def _points(design: Design, asked: Comparison) -> pd.DataFrame:
    """One point per coarsest unit and level of the first factor of the formula."""
    frame = design.frame
    named = [name for name in names_of(design.formula.fixed) if not pd.api.types.is_float_dtype(frame[name])]
    group = frame[named[0]].astype(str) if named else pd.Series("all", frame.index)
    unit = frame[design.top].astype(str)
    code, keys = pd.factorize(pd.MultiIndex.from_arrays([unit, group]))
    values = unit_values(design, code, np.zeros(len(code)))
    if _effect_kind(design) != "difference":
        values = stats.logistic.cdf(values) if design.kind == "binomial" else np.exp(values)
    return pd.DataFrame(
        {
            "comparison": asked.name,
            "unit": [key[0] for key in keys],
            "group": [key[1] for key in keys],
            "value": values,
            "rows": np.bincount(code),
        }
    )[POINT_COLUMNS]


def _plans(design: Design, fitted: Fit, asked: Comparison) -> list[pd.DataFrame]:
    """Plans for each effect of two groups of units."""
    found, plans = freedom(design, fitted), []
    for index in _asked(design, asked):
        if not _of_two_groups(design, found, index):
            continue
        effect = float(fitted.coefficients[index])
        if asked.planned_effect is not None:
            ratio = _effect_kind(design) != "difference"
            effect = float(np.log(asked.planned_effect)) if ratio else asked.planned_effect
        table = power.plan(design, fitted, effect)
        table["effect"] = _natural(design, list(table["effect"]))
        plans.append(table.assign(term=design.columns[index]))
    return plans


def _of_two_groups(design: Design, found: Freedom, index: int) -> bool:
    """Whether an effect is the difference between two groups of the coarsest units."""
    between = found.level[index] == 0 and index not in design.slopes
    return between and ":" not in design.columns[index] and set(np.unique(design.matrix[:, index])) == {0.0, 1.0}


def compared_factors(asked: Comparison, columns: Collection[str]) -> list[str]:
    """Those of the columns that are fixed effects of the formula."""
    return [name for name in names_of(parse(asked.formula).fixed) if name in columns]


def with_rates(asked: Comparison, measure: Callable[[], Sequence[Rate]]) -> Comparison:
    """A comparison with the rates that were measured where none of the name is stated.

    Parameters
    ----------
    measure : returns the rates; what it says of why they are not known (`NotComparableError`) goes into the note
    """
    try:
        rates = measure()
    except NotComparableError as error:
        return replace(asked, unmeasured=str(error))
    stated = {rate.name for rate in asked.rates}
    return replace(asked, rates=[*asked.rates, *(rate for rate in rates if rate.name not in stated)])
