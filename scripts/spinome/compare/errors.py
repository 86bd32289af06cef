"""The machine's error carried into a comparison: what was missed, what is false, and what was taken for something else.

Two ways, by what is known:

- Rates (precision, recall, sensitivity, specificity), each with the number it was counted on. For each of many draws of
  the effects and of the rates, the means that were fitted are turned into true means by the rule of measurement, and
  the effects are found in these again. Counts are not drawn anew: they hold the chance of having been seen already,
  and would hold it twice.
- Probabilities of single rows: rows are kept by their probability in several redraws, the model is fitted to each,
  and the results are pooled (Rubin 1987).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from spinome.compare.design import Design, NotComparableError
from spinome.compare.inference import Freedom
from spinome.compare.mixed import Fit, NoEstimateError

DRAWS = 4000
# redraws of rows; more change the third digit of an interval (Graham et al. 2007)
REDRAWS = 20
# with more impossible draws the errors explain what was seen, and nothing can be said
MOST_IMPOSSIBLE = 0.025
# with fewer spines of a level its own rates are too uncertain to be better than those of all
LEAST_COUNTED = 20
RATES = ("precision", "recall", "sensitivity", "specificity")
# parts of a turnover, which misses alone look like
CHANGES = {"gained", "lost"}


@dataclass(frozen=True)
class Rate:
    """A rate of the machine.

    Attributes
    ----------
    name : one of `RATES`
    value : its value
    number : how many spines or labels it was counted on; of a stated belief, how many it is worth
    where : values of columns of the rows that it holds for; empty: for all
    """

    name: str
    value: float
    number: float
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Carried:
    """Effects with the machine's error: estimates, standard errors and degrees of freedom (p,), and what to know."""

    coefficients: np.ndarray
    standard_errors: np.ndarray
    df: np.ndarray
    notes: tuple[str, ...] = ()


def carry(
    design: Design,
    fit: Fit,
    found: Freedom,
    refit: Callable[[Design], Fit],
    rates: Sequence[Rate],
    probability: str | None,
    seed: int,
) -> Carried:
    """Effects with the machine's error, by the way that fits what is known of it.

    Parameters
    ----------
    refit : fits the model to a design
    rates : of the machine
    probability : column with the probability that a row is what it was taken for; empty: the rates hold

    Raises
    ------
    NotComparableError: where the error does not fit the comparison.
    NoEstimateError: where too many redraws cannot be fitted.
    """
    if probability:
        return carry_probabilities(design, found, refit, _of_rows(design, probability), seed)
    if not design.formula.whole and {rate.name for rate in rates} == {"precision"}:
        return carry_probabilities(design, found, refit, _by_chance(design, rates), seed)
    return carry_rates(design, fit, found, rates, set(design.formula.part) <= CHANGES, seed)


def rates_of_evaluation(evaluation: pd.DataFrame) -> list[Rate]:
    """Precision and recall against the truth, worth as many spines as the width of their intervals says."""
    rates = []
    for name in ("precision", "recall"):
        own = evaluation[evaluation["metric"].isin([f"detection_{name}", f"spine_{name}"])]
        if own.empty:
            continue
        row = own.iloc[0]
        spread = (row["ci_high"] - row["ci_low"]) / (2 * stats.norm.ppf(0.975))
        number = row["value"] * (1 - row["value"]) / spread**2 if spread > 0 else row["n"]
        rates.append(Rate(name, float(row["value"]), float(min(number, row["n"]))))
    return rates


def counted_in_pairs(pairs: pd.DataFrame) -> int:
    """How many spines the less certain of precision and recall is counted on.

    Parameters
    ----------
    pairs : detections held against a truth, `accepted true` (-1: false)
    """
    return int(min(pairs["accepted"].sum(), (pairs["true"] >= 0).sum()))


def rates_of_answers(asked: pd.DataFrame) -> list[Rate]:
    """The machine's error by what people answered to questions that were drawn by lot.

    Of candidates, precision is the share of accepted ones that are confirmed. Recall takes as missed the share of the
    others that people call spines, times how many these are; what is no candidate is not counted, so it is an upper
    bound. Of labels, sensitivity and specificity of `spine`.

    Parameters
    ----------
    asked : questions of one kind (`spinome.review.sample`): `kind now counted answer`, which is empty where a question
        is not of the sample

    Raises
    ------
    NotComparableError: where a rate would stand on fewer than `LEAST_COUNTED` answers.
    """
    if (few := counted_in_answers(asked)) < LEAST_COUNTED:
        raise NotComparableError(
            f"of the questions drawn by lot only {few} of the rarer kind are answered, and {LEAST_COUNTED} are needed; "
            "answer more with `spinome review`, or state rates under errors"
        )
    drawn = asked[asked["answer"] != ""]
    said = drawn["answer"] == "spine"
    if (asked["kind"] == "spine").all():
        return _rates_of_candidates(asked, drawn, said)
    seen = drawn["now"] == "spine"
    return [
        Rate(name, float((seen == said)[own].mean()), int(own.sum()))
        for name, own in (("sensitivity", said), ("specificity", ~said))
        if own.any()
    ]


def _rates_of_candidates(asked: pd.DataFrame, drawn: pd.DataFrame, said: pd.Series) -> list[Rate]:
    accepted = drawn["counted"].to_numpy(bool)
    right, answered = int(said[accepted].sum()), int(accepted.sum())
    missed, others = int(said[~accepted].sum()), int((~accepted).sum())
    # half a spine more, since none missed of few is not none missed at all
    shares = np.array([(right + 0.5) / (answered + 1), (missed + 0.5) / (others + 1)])
    numbers = np.array([answered + 1, others + 1])
    found, lost = shares * np.array([asked["counted"].sum(), (~asked["counted"]).sum()])
    recall = found / (found + lost)
    # of the logarithm of found to lost, by the rule of small errors
    variance = float(((1 - shares) / (shares * numbers)).sum())
    return [
        Rate("precision", right / answered, answered),
        Rate("recall", float(recall), float(1 / (recall * (1 - recall) * variance))),
    ]


def counted_in_answers(asked: pd.DataFrame) -> int:
    """How many answers the less certain of two rates is counted on; see `rates_of_answers`."""
    drawn = asked[asked["answer"] != ""]
    groups = drawn["counted"] if (asked["kind"] == "spine").all() else drawn["answer"] == "spine"
    groups = groups.to_numpy(bool)
    return int(min(groups.sum(), (~groups).sum()))


def rates_by_level(
    table: pd.DataFrame,
    factors: Sequence[str],
    rates: Callable[[pd.DataFrame], list[Rate]],
    counted: Callable[[pd.DataFrame], int],
) -> list[Rate]:
    """Rates for each level of the factors that are compared, or each combination of levels.

    A detector misses more where spines stand closer or stacks are dimmer, and such a difference looks like one between
    the conditions. Without factors, or where a level has fewer than `LEAST_COUNTED`, the rates are those of all rows.

    Parameters
    ----------
    table : what the rates are taken from, with the factors
    rates : of some rows of the table
    counted : on how many spines or answers the rates of some rows stand

    """
    groups = list(table.groupby(list(factors), observed=True)) if factors else []
    if len(groups) < 2 or min(counted(own) for _, own in groups) < LEAST_COUNTED:
        return rates(table)
    return [replace(rate, where=dict(zip(factors, map(str, level)))) for level, own in groups for rate in rates(own)]


def carry_rates(design: Design, fit: Fit, found: Freedom, rates: Sequence[Rate], changes: bool, seed: int) -> Carried:
    """Effects on what is there instead of on what was seen.

    | comparison | rates | what is seen |
    |---|---|---|
    | counts per length | precision, recall | recall x true rate + false ones |
    | changes: `gained`, `lost` | precision, recall | all but precision x recall x what stayed |
    | other shares | sensitivity, specificity | sensitivity x share + (1 - specificity) x rest (Rogan and Gladen 1978) |

    False ones are as many per length in all rows that a precision holds for. They dilute a difference in density, which
    a precision for each condition, where it is known, tells apart from a difference in precision. A spine that is
    false in one session is taken for absent in the other.

    Parameters
    ----------
    changes : whether the response counts gained or lost spines

    Raises
    ------
    NotComparableError: where the rates do not fit the comparison.
    """
    rule = _rule(design, rates, changes)
    names = sorted({rate.name for rate in rates})
    owners = {name: _owners(design, [rate for rate in rates if rate.name == name]) for name in names}
    keys = np.column_stack([design.matrix, *owners.values()])
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    weight = np.bincount(group.ravel(), design.whole)
    matrix = design.matrix[first]
    root = np.sqrt(weight)
    project = np.linalg.pinv(root[:, None] * matrix) * root
    of_group = {name: owner[first] for name, owner in owners.items()}
    link, inverse = (np.log, np.exp) if design.kind == "poisson" else (logit, expit)

    def true_effects(effects: np.ndarray, drawn: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Effects (R, p) and means (R, G) of what is there; NaN where nothing can be."""
        told = {name: values[:, of_group[name]] for name, values in drawn.items()}
        means = rule(inverse(effects @ matrix.T), weight, of_group, told)
        possible = (means > 0) & ((means < 1) | (design.kind == "poisson"))
        with np.errstate(invalid="ignore", divide="ignore"):
            return link(np.where(possible, means, np.nan)) @ project.T, means

    rng = np.random.default_rng(seed)
    effects = rng.multivariate_normal(fit.coefficients, fit.covariance, DRAWS, method="eigh")
    by_name = {name: [rate for rate in rates if rate.name == name] for name in names}
    fixed = {name: np.array([[rate.value for rate in own]]) for name, own in by_name.items()}
    drawn = {name: np.stack([_beta(rate, rng, DRAWS) for rate in own], axis=1) for name, own in by_name.items()}
    middle = true_effects(fit.coefficients[None], fixed)[0][0]
    sampling, (total, means) = true_effects(effects, fixed)[0], true_effects(effects, drawn)
    share = (means @ weight) / weight.sum()
    notes = [_of_changes(design, share, fixed, of_group, weight)] if changes else []
    impossible = np.isnan(total).any(axis=1).mean()
    if impossible > MOST_IMPOSSIBLE or np.isnan(middle).any():
        none = np.full(len(middle), np.nan)
        return Carried(none, none, none, (*notes, "the stated errors alone make as much as was seen in some group"))
    ours, all_ = np.nanstd(sampling, axis=0), np.nanstd(total, axis=0)
    df = found.df * np.maximum(all_ / ours, 1) ** 4
    return Carried(middle, all_, df, tuple(notes))


def _rule(design: Design, rates: Sequence[Rate], changes: bool) -> Callable:
    """From seen means (R, G) to true ones, by the kind of the comparison."""
    names = {rate.name for rate in rates}
    allowed = {"precision", "recall"} if design.kind == "poisson" or changes else {"sensitivity", "specificity"}
    if design.kind == "linear":
        raise NotComparableError(
            "errors: of a measured value the probability of each row is carried (key `probability`), or a precision "
            "alone; other rates do not change it"
        )
    if not names <= allowed:
        raise NotComparableError(
            f"errors: {', '.join(sorted(names - allowed))} says nothing of this comparison; "
            f"{' and '.join(sorted(allowed))} do"
        )
    if design.kind == "poisson":
        return _counts
    return _changes if changes else _shares


def _counts(seen: np.ndarray, weight: np.ndarray, owners: Mapping, told: Mapping) -> np.ndarray:
    false = np.zeros_like(seen)
    if "precision" in told:
        for owner in np.unique(owners["precision"]):
            own = owners["precision"] == owner
            mean = seen[:, own] @ weight[own] / weight[own].sum()
            false[:, own] = (1 - told["precision"][:, own]) * mean[:, None]
    return (seen - false) / told.get("recall", 1.0)


def _changes(seen: np.ndarray, weight: np.ndarray, owners: Mapping, told: Mapping) -> np.ndarray:
    return 1 - (1 - seen) / (told.get("precision", 1.0) * told.get("recall", 1.0))


def _shares(seen: np.ndarray, weight: np.ndarray, owners: Mapping, told: Mapping) -> np.ndarray:
    false = 1 - told.get("specificity", 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (seen - false) / (told.get("sensitivity", 1.0) - false)


def _of_changes(design: Design, share: np.ndarray, fixed: Mapping, owners: Mapping, weight: np.ndarray) -> str:
    """How many of the changes that were seen errors alone would make."""
    kept = np.prod([values[0][owners[name]] for name, values in fixed.items()], axis=0)
    expected, seen = float(weight @ (1 - kept)), float(design.response.sum())
    low, high = np.quantile(share, [0.025, 0.975])
    text = f"of {seen:.0f} changes seen, misses and false spines alone would make {expected:.0f}"
    if low <= 0:
        return f"{text}: no change beyond them is shown"
    return f"{text}; true share of changes {share.mean():.3f} ({low:.3f} to {high:.3f})"


def _owners(design: Design, rates: Sequence[Rate]) -> np.ndarray:
    """(n,) the rate that holds for each row."""
    holds = []
    for rate in rates:
        own = np.ones(len(design.frame), bool)
        for column, value in rate.where.items():
            if column not in design.frame:
                raise NotComparableError(f"errors: the table lacks the column {column} of the rate {rate.name}")
            own &= (design.frame[column].astype(str) == str(value)).to_numpy()
        holds.append(own)
    times = np.sum(holds, axis=0)
    if (times != 1).any():
        row = design.frame.iloc[int(np.argmax(times != 1))]
        at = ", ".join(f"{column} {row[column]}" for column in sorted({name for rate in rates for name in rate.where}))
        what = "no" if times.min() == 0 else "more than one"
        raise NotComparableError(
            f"errors: {what} {rates[0].name} holds for rows of {at or 'the table'}; give one for each"
        )
    return np.argmax(holds, axis=0)


def _beta(rate: Rate, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Draws of a rate, given how often it held among its number (Jeffreys)."""
    return rng.beta(rate.value * rate.number + 0.5, (1 - rate.value) * rate.number + 0.5, draws)


def carry_probabilities(
    design: Design,
    found: Freedom,
    refit: Callable[[Design], Fit],
    probability: Callable[[np.random.Generator], np.ndarray],
    seed: int,
) -> Carried:
    """Effects on rows that are what they were taken for, pooled over redraws.

    Parameters
    ----------
    refit : fits the model to a design
    probability : called with a generator for each redraw; the probability of each row (n,)

    Raises
    ------
    NoEstimateError: where too many redraws cannot be fitted.
    """
    rng, fits = np.random.default_rng(seed), []
    for _ in range(REDRAWS):
        kept = rng.random(len(design.response)) < probability(rng)
        try:
            fits.append(refit(design.rows(kept)))
        except (NoEstimateError, np.linalg.LinAlgError):
            continue
    if len(fits) < REDRAWS * (1 - 2 * MOST_IMPOSSIBLE):
        raise NoEstimateError("without the rows that are probably false the model cannot be fitted")
    effects = np.array([fit.coefficients for fit in fits])
    within = np.mean([fit.standard_errors**2 for fit in fits], axis=0)
    between = (1 + 1 / len(fits)) * effects.var(axis=0, ddof=1)
    total = within + between
    df = total**2 / (within**2 / found.df + between**2 / (len(fits) - 1))
    return Carried(effects.mean(axis=0), np.sqrt(total), df)


def _of_rows(design: Design, column: str) -> Callable[[np.random.Generator], np.ndarray]:
    if column not in design.frame:
        raise NotComparableError(f"probability: the table lacks the column {column}")
    values = pd.to_numeric(design.frame[column], errors="coerce").to_numpy(float, na_value=np.nan)
    if not ((values >= 0) & (values <= 1)).all():
        raise NotComparableError(f"probability: {column} must be from 0 to 1 in every row that is compared")
    return lambda rng: values


def _by_chance(design: Design, rates: Sequence[Rate]) -> Callable[[np.random.Generator], np.ndarray]:
    if len(rates) > 1 or rates[0].where:
        raise NotComparableError("errors: one precision for all rows is carried into a measured value")
    return lambda rng: np.full(len(design.response), _beta(rates[0], rng, 1)[0])
