"""The design of a study in numbers: how many animals and samples each level has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

NOT_GIVEN = "not given"
# what is counted of each sheet; the stacks of a series are one
UNITS = {"stacks": "series", "volumes": "volumes", "neurons": "neurons", "cells": "cells"}


def summarise_design(design: Mapping[str, Any], found: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Animals, samples and spines of each level of each factor, the range of each covariate, and what is not given.

    Parameters
    ----------
    design : `columns` and `samples` as in `spinome.design.with_design`, and `remarks`
    found : what `spinome.census.specimens.by_level` counts
    """
    columns = design["columns"]
    samples = pd.DataFrame(list(design["samples"].values()), index=list(design["samples"])).reindex(
        columns=list(columns)
    )
    samples["sheet"], samples["unit"] = zip(*(_sheet_and_unit(name) for name in samples.index))
    factors = [name for name, kind in columns.items() if kind == "string" and name != "animal"] or ["animal"]
    levels = [row for factor in factors for row in _levels(factor, samples, found)]
    tables = {"Animals and samples per level": pd.DataFrame(levels)}
    if covariates := [name for name, kind in columns.items() if kind == "number"]:
        values = samples[covariates].astype(float)
        tables["Covariates over samples"] = pd.DataFrame(
            {
                "covariate": covariates,
                "samples": values.notna().sum().to_numpy(),
                "lowest": values.min().to_numpy(),
                "median": values.median().to_numpy(),
                "highest": values.max().to_numpy(),
            }
        )
    if design["remarks"]:
        tables["What is not given"] = pd.DataFrame({"remark": design["remarks"]})
    return tables


def _sheet_and_unit(name: str) -> tuple[str, str]:
    sheet, _, unit = name.partition("/")
    return sheet, unit.rpartition(".")[0] if sheet == "stacks" else unit


def _levels(factor: str, samples: pd.DataFrame, found: pd.DataFrame) -> list[dict[str, Any]]:
    """One row per level, samples without one last."""
    level = samples[factor].fillna(NOT_GIVEN)
    own = found[found["factor"] == factor]
    spines = dict(zip(own["level"].fillna(NOT_GIVEN), own["spines"]))
    rows = []
    for name in sorted(level.unique(), key=lambda name: (name == NOT_GIVEN, name)):
        own = samples[level == name]
        units = own.groupby("sheet")["unit"].nunique()
        counted = {unit: int(units.get(sheet, 0)) for sheet, unit in UNITS.items() if sheet in set(samples["sheet"])}
        counted["spines"] = int(spines.get(name, 0))
        rows.append({"factor": factor, "level": name, "animals": own["animal"].nunique(), **counted})
    return rows
