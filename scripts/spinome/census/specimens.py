"""What each way of seeing found of each specimen: the joint table in a few rows, for those that need no more of it."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from spinome.census.matches import view

LEVEL_COLUMNS = {"factor": "string", "level": "string", "spines": "int64"}
COLUMNS = {
    "specimen": "string",
    "view": "string",
    "rows": "int64",
    "spines": "int64",
    "synapses": "Int64",
    "median_volume_um3": "float64",
}


def by_specimen(spines: pd.DataFrame) -> pd.DataFrame:
    """Rows and spines of a part of the joint table by specimen and view.

    Parameters
    ----------
    spines : rows of the joint table, all of each specimen and view that it has

    Returns
    -------
    Table `specimen view rows spines synapses median_volume_um3`; a spine that was tracked through time is one of
    `spines` and several `rows`, and `synapses` is null where none is known
    """
    ours = spines[["specimen", "synapses", "volume_um3"]].assign(view=view(spines))
    groups = ours.assign(one=spines["track"].fillna(spines["spine"])).groupby(["specimen", "view"])
    counts = groups.agg(
        rows=("one", "size"),
        spines=("one", "nunique"),
        synapses=("synapses", lambda column: column.sum(min_count=1)),
        median_volume_um3=("volume_um3", "median"),
    )
    return counts.reset_index()[[*COLUMNS]].astype(COLUMNS)


def by_level(spines: pd.DataFrame, factors: Iterable[str]) -> pd.DataFrame:
    """Spines of a part of the joint table at each level of each factor; nothing is said of those without an animal.

    Parameters
    ----------
    spines : rows of the joint table with the columns of the design
    factors : those columns that are factors, the animal among them

    Returns
    -------
    Table `factor level spines`; `level` is null where none is given, and a spine that was tracked through time counts
    once at each level that it was seen at
    """
    ours = spines[spines["animal"].notna()] if "animal" in spines else spines[:0]
    one = ours["track"].fillna(ours["spine"])
    tables = [pd.DataFrame(columns=list(LEVEL_COLUMNS)).astype(LEVEL_COLUMNS)]
    for factor in factors:
        counts = one.groupby(ours[factor].astype("string"), dropna=False).nunique()
        counts = counts.rename_axis("level").rename("spines").reset_index()
        tables.append(counts.assign(factor=factor)[list(LEVEL_COLUMNS)].astype(LEVEL_COLUMNS))
    return add_levels(tables)


def add_levels(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The spines at each level from those of parts; all rows of a spine are in one part."""
    keys = ["factor", "level"]
    every = pd.concat(list(tables), ignore_index=True)
    return every.groupby(keys, dropna=False)["spines"].sum().reset_index().astype(LEVEL_COLUMNS)
