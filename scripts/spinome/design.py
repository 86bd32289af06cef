"""The design of a study in its tables: the animal, the factors and the covariates of the sample that a row is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

# kinds of design columns, and how tables hold them: factors and the animal are text
DTYPES = {"string": "string", "number": "float64"}
# of a table of neurons: those of the sheet, as `spinome.neurons.units` calls them
SHEET = "sheet"


def with_design(table: pd.DataFrame, samples: pd.Series, design: Mapping[str, Any]) -> pd.DataFrame:
    """The table with a column for the animal, for each factor and for each covariate; as it was where there is none.

    Parameters
    ----------
    samples : `SHEET/NAME` of the sample that each row is of, with the index of the table
    design : `columns`, the kind of each column by its name (`DTYPES`), and `samples`, the values by `SHEET/NAME` and
        column; what is not given is not there

    Raises
    ------
    ValueError: if the table has a column of that name
    """
    if taken := sorted(set(table.columns) & set(design["columns"])):
        raise ValueError(f"design: {taken[0]} is a column of the tables of results; give the factor another name")
    return table.assign(**{name: _values(samples, name, design) for name in design["columns"]})


def with_design_of_pairs(
    table: pd.DataFrame, first: pd.Series, second: pd.Series, design: Mapping[str, Any]
) -> pd.DataFrame:
    """As `with_design` for rows that lie between two sessions of a series.

    A factor whose level is another one at the second session has no level between them, so it is left empty there; a
    covariate is that of the first session.
    """
    result = with_design(table, first, design)
    for name, kind in design["columns"].items():
        if kind == "string":
            same = result[name].eq(_values(second, name, design)).fillna(False)
            result[name] = result[name].where(same.astype(bool))
    return result


def stack_samples(table: pd.DataFrame, timepoint: str = "timepoint") -> pd.Series:
    """The sample of each row of a table with `specimen field` and the timepoint in a column."""
    names = [table[column].astype(str) for column in ("specimen", "field", timepoint)]
    return "stacks/" + names[0] + "." + names[1] + "." + names[2]


def volume_samples(table: pd.DataFrame) -> pd.Series:
    """The sample of each row of a table with `volume`."""
    return "volumes/" + table["volume"].astype(str)


def neuron_samples(table: pd.DataFrame) -> pd.Series:
    """The sample of each row of a table with `source neuron`: a neuron of the sheet, or the volume it was made from."""
    source, neuron = table["source"].astype(str), table["neuron"].astype(str)
    return ("volumes/" + source).where(source != SHEET, "neurons/" + neuron)


def cell_samples(table: pd.DataFrame) -> pd.Series:
    """The sample of each row of `census/cells.parquet`: a neuron, the volume of a neuron, or a cell by its root id.

    A receiving cell is written `neuron` or `volume/neuron`, a giving one as its root id.
    """
    cell = table["cell"].astype(str)
    receiving = ("neurons/" + cell).where(~cell.str.contains("/"), "volumes/" + cell.str.split("/").str[0])
    return receiving.where(table["side"] == "input", "cells/" + cell)


def _values(samples: pd.Series, column: str, design: Mapping[str, Any]) -> pd.Series:
    given = {name: values[column] for name, values in design["samples"].items() if column in values}
    return samples.map(given).astype(DTYPES[design["columns"][column]])
