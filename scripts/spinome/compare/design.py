"""A table and a formula as arrays: response, fixed effects, and the units that rows belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from formulaic import model_matrix

from spinome.compare.formula import Formula, names_of
from spinome.compare.mixed import RandomEffect

# the unit above the spine is the first of these that the table knows
UNITS = ("animal", "specimen", "cell", "neuron")


class NotComparableError(ValueError):
    """The table does not allow this comparison; the message says why and what to do."""


@dataclass(frozen=True)
class Design:
    """What a mixed model is fitted to.

    Attributes
    ----------
    formula : what it was made from
    kind : `linear`, `binomial` or `poisson`; a response of truths is binomial
    response : (n,) values or counts
    whole : (n,) trials of a binomial response, exposure of a Poisson one, ones of a linear one
    matrix : (n, p) fixed effects, the intercept first
    columns : (p,) their names, such as `condition[treated]:day`
    units : names of the random intercepts, from the coarsest to the finest, such as `animal` and `animal/dendrite`
    codes : for each the unit of each row (n,), counted from 0
    slopes : columns of the fixed effects whose slope differs between the coarsest units by chance
    top : the unit that conclusions speak of
    frame : the rows of the table that are compared
    notes : what was added or left out
    """

    formula: Formula
    kind: str
    response: np.ndarray
    whole: np.ndarray
    matrix: np.ndarray
    columns: tuple[str, ...]
    units: tuple[str, ...]
    codes: tuple[np.ndarray, ...]
    slopes: tuple[int, ...]
    top: str
    frame: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def levels(self) -> list[int]:
        """How many of each unit there are."""
        return [int(code.max()) + 1 for code in self.codes]

    @property
    def random(self) -> list[RandomEffect]:
        """The random intercepts, and then the random slopes, each over a covariate of mean 0 and spread 1."""
        intercepts = [RandomEffect.intercept(code) for code in self.codes]
        columns = self.matrix[:, list(self.slopes)]
        scaled = (columns - columns.mean(axis=0)) / columns.std(axis=0)
        return [*intercepts, *(RandomEffect(self.codes[0], column) for column in scaled.T)]

    def rows(self, kept: np.ndarray) -> Design:
        """The design of some of its rows alone."""
        return replace(
            self,
            response=self.response[kept],
            whole=self.whole[kept],
            matrix=self.matrix[kept],
            codes=tuple(np.unique(code[kept], return_inverse=True)[1] for code in self.codes),
            frame=self.frame[kept],
        )


def make_design(
    frame: pd.DataFrame,
    formula: Formula,
    where: Mapping[str, Sequence] | None = None,
    reference: Mapping[str, str] | None = None,
    terms: Sequence[str] = (),
) -> Design:
    """The design of a comparison on a table.

    Rows that lack a value are left out, and so said. The unit above the spine, the first of `UNITS` that the table
    knows, is added where the formula leaves it out. An effect that is asked for and varies within these units may
    differ between them by chance: its random slope is added (Barr et al. 2013), since many sessions of few animals say
    as little of other animals as many spines do.

    Parameters
    ----------
    where : values of columns; only rows with one of them are compared
    reference : by factor the level that the others are compared with, the first in the alphabet by default
    terms : columns whose effects are asked for; empty: all of the formula

    Raises
    ------
    NotComparableError: what is missing in the table, or cannot be told apart.
    """
    frame = _selected(frame, where or {})
    ways, top, notes = _with_top(frame, formula)
    frame, missing = _complete(frame, formula, ways)
    notes += missing
    kind, response, whole = _response(frame, formula)
    some = whole > 0
    if not some.any():
        raise NotComparableError(f"{' + '.join(formula.whole)} is 0 in every row; there is nothing to divide by")
    if not some.all():
        notes.append(f"{int((~some).sum())} rows without {' + '.join(formula.whole)} are left out")
        frame, response, whole = frame[some], response[some], whole[some]
    matrix, columns = _fixed(frame, formula, reference or {})
    units, codes = _components(frame, ways, kind, whole)
    if kind != "linear" and whole.max() > 1 and not _constant_within(matrix, codes[-1]):
        notes.append("added (1 | row), since counts of one unit vary by more than chance")
        units, codes = (*units, "row"), (*codes, np.arange(len(frame)))
    slopes = _slopes(matrix, columns, codes, terms or names_of(formula.fixed))
    notes += [f"added a slope of {columns[index]} for each {units[0]}" for index in slopes]
    return Design(formula, kind, response, whole, matrix, columns, units, codes, slopes, top, frame, tuple(notes))


def _selected(frame: pd.DataFrame, where: Mapping[str, Sequence]) -> pd.DataFrame:
    for column, values in where.items():
        _require(frame, [column])
        kept = frame[column].isin(list(values)) | frame[column].astype(str).isin([str(value) for value in values])
        if not kept.any():
            there = sorted(map(str, frame[column].dropna().unique()))[:10]
            raise NotComparableError(f"no row has {column} of {', '.join(map(str, values))}; there is {there}")
        frame = frame[kept]
    if frame.empty:
        raise NotComparableError("the table has no rows")
    return frame


def _require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in frame]:
        raise NotComparableError(
            f"the table lacks the column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}"
        )


def _with_top(frame: pd.DataFrame, formula: Formula) -> tuple[list[tuple[str, ...]], str, list[str]]:
    """The random part with the unit above the spine in it, that unit, and what was changed."""
    _require(frame, formula.columns)
    ways, notes = list(formula.nested), []
    named = [way[0] for way in ways]
    for unit in [*(unit for unit in UNITS if unit in frame), *named]:
        number = frame[unit].nunique()
        if number > 1:
            break
        if number == 1:
            notes.append(f"there is one {unit}; nothing is said of others")
        ways = [way for way in (tuple(name for name in way if name != unit) for way in ways) if way]
    else:
        raise NotComparableError(
            "no unit above the spine is known: the table has no column with two or more of "
            f"{', '.join(UNITS)}; name the animals in the sample sheet (column animal), or a unit in the formula"
        )
    added = [way if unit in way else (unit, *way) for way in ways] or [(unit,)]
    if added != ways:
        notes.append(f"added (1 | {unit}), since rows of one {unit} are not independent")
    return added, unit, notes


def _complete(frame: pd.DataFrame, formula: Formula, ways: Sequence[tuple[str, ...]]) -> tuple[pd.DataFrame, list[str]]:
    """Rows that lack nothing, and what was left out."""
    needed = list(dict.fromkeys([*formula.columns, *(name for way in ways for name in way)]))
    unknown = frame[needed].isna()
    if formula.log:
        values = pd.to_numeric(frame[formula.part[0]], errors="coerce")
        unknown[formula.part[0]] |= ~(values > 0)
    lost = unknown.any(axis=1)
    if lost.all():
        raise NotComparableError(f"no row has all of {', '.join(needed)}")
    notes = []
    if lost.any():
        causes = ", ".join(f"{name} in {int(number)}" for name, number in unknown.sum().items() if number)
        notes.append(f"{int(lost.sum())} of {len(frame)} rows are left out for want of {causes}")
    kept = frame[~lost]
    for name in names_of(formula.fixed):
        if not pd.api.types.is_numeric_dtype(frame[name]) or pd.api.types.is_bool_dtype(frame[name]):
            gone = set(frame[name].dropna().astype(str)) - set(kept[name].astype(str))
            notes += [f"of {name} {level} no row is left" for level in sorted(gone)]
    return kept, notes


def _response(frame: pd.DataFrame, formula: Formula) -> tuple[str, np.ndarray, np.ndarray]:
    part = _sum(frame, formula.part)
    if not formula.whole:
        # a column of truths that had empty cells holds objects
        truths = pd.api.types.is_bool_dtype(frame[formula.part[0]].infer_objects())
        return "binomial" if truths else "linear", np.log(part) if formula.log else part, np.ones(len(frame))
    whole = _sum(frame, formula.whole)
    if (part < 0).any() or (whole < 0).any() or (part != np.round(part)).any():
        raise NotComparableError(
            f"{' + '.join(formula.part)} must be counts, 0 or more, over something that is not less"
        )
    if formula.kind == "binomial" and ((part > whole).any() or (whole != np.round(whole)).any()):
        raise NotComparableError(
            f"{' + '.join(formula.part)} must be a part of {' + '.join(formula.whole)}, both counted; for counts per "
            "length name the length by its unit (length_um)"
        )
    return formula.kind, part, whole


def _sum(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    try:
        return sum(pd.to_numeric(frame[name]).to_numpy(float) for name in columns)
    except (TypeError, ValueError):
        raise NotComparableError(f"{' + '.join(columns)} must be numbers") from None


def _fixed(frame: pd.DataFrame, formula: Formula, reference: Mapping[str, str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The matrix of fixed effects and the names of its columns, factors against their reference level."""
    data = {}
    for name in names_of(formula.fixed):
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            data[name] = column.to_numpy(float)
            levels = len(np.unique(data[name]))
        else:
            data[name] = _factor(column, name, reference)
            levels = len(data[name].categories)
        if levels < 2:
            raise NotComparableError(
                f"{name} is {column.iloc[0]} in all {len(frame)} rows that are left; there is nothing to compare with"
            )
    made = model_matrix(formula.fixed, pd.DataFrame(data), context={"log": np.log})
    matrix = made.to_numpy(float)
    columns = tuple(name.replace("[T.", "[") for name in made.columns)
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        raise NotComparableError(
            f"the effects in {formula.fixed!r} cannot be told apart, since some combination of levels has no row, or "
            "one column follows from the others; leave out a column or an interaction"
        )
    return matrix, columns


def _factor(column: pd.Series, name: str, reference: Mapping[str, str]) -> pd.Categorical:
    values = column.astype(str)
    levels = sorted(values.unique())
    if (first := reference.get(name)) is not None:
        if str(first) not in levels:
            raise NotComparableError(f"reference: {name} has no level {first}; it has {', '.join(levels)}")
        levels.remove(str(first))
        levels.insert(0, str(first))
    return pd.Categorical(values, levels)


def _components(
    frame: pd.DataFrame, ways: Sequence[tuple[str, ...]], kind: str, whole: np.ndarray
) -> tuple[tuple[str, ...], tuple[np.ndarray, ...]]:
    """Names and codes of the random intercepts, coarse ones first, without those that cannot be told apart."""
    codes = {
        "/".join(way[:depth]): frame.groupby(list(way[:depth]), sort=False, observed=True).ngroup().to_numpy()
        for way in ways
        for depth in range(1, len(way) + 1)
    }
    ordered = sorted(codes.items(), key=lambda item: item[1].max())
    # the spread between single rows is the residual of a linear model; rows of 0 and 1 tell nothing of it
    most = len(frame) - 1 if kind == "linear" or (whole == 1).all() else len(frame)
    kept: list[tuple[str, np.ndarray]] = []
    for name, code in ordered:
        same = any(code.max() == other.max() and _finer(code, other) for _, other in kept)
        if code.max() + 1 <= most and not same:
            kept.append((name, code))
    return tuple(name for name, _ in kept), tuple(code for _, code in kept)


def _slopes(
    matrix: np.ndarray, columns: Sequence[str], codes: Sequence[np.ndarray], terms: Sequence[str]
) -> tuple[int, ...]:
    """Columns of one asked-for variable that vary within the coarsest units; interactions follow from these."""
    if not codes:
        return ()
    return tuple(
        index
        for index, name in enumerate(columns)
        if ":" not in name and set(terms) & set(names_of(name.partition("[")[0]))
        if not _constant_within(matrix[:, [index]], codes[0])
    )


def _constant_within(matrix: np.ndarray, code: np.ndarray) -> bool:
    """Whether all rows of each unit are the same."""
    first = np.empty((code.max() + 1, matrix.shape[1]))
    first[code] = matrix
    return np.array_equal(first[code], matrix)


def _finer(code: np.ndarray, other: np.ndarray) -> bool:
    """Whether each unit lies within one of the others."""
    pairs = np.unique(np.stack([code, other]), axis=1)
    return pairs.shape[1] == code.max() + 1
