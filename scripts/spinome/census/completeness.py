"""How much of each step is missing over the whole run, and whether that is more than may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from spinome import failures as faults
from spinome.io.tables import read_table

COLUMNS = ["step", "units", "missing", "fraction"]
# the step before, whose failed units a step never sees and lacks all the same
BEFORE = {
    "review_detect_synapses": "synapses_detect",
    "synapses_density": "review_detect_synapses",
    "linking_basins": "linking_membranes",
    "linking_contacts": "linking_basins",
    "neurons_simplify": "retrieve_mesh",
    "neurons_hks": "neurons_simplify",
    "neurons_condense": "neurons_hks",
    "neurons_classify": "neurons_condense",
    "neurons_spines": "neurons_classify",
}
SYNAPSES = "neurons_synapses"
# steps whose jobs are units, and write no table of finished ones
JOBS = ("twophoton_register",)


def gather_failures(
    finished: Mapping[str, Iterable[str | Path]], failures: Iterable[str | Path]
) -> tuple[dict[str, int], pd.DataFrame]:
    """How many units of each step went through, and all that failed.

    Parameters
    ----------
    finished : tables of finished units by step
    failures : tables of failed units, in folders that are named by their steps

    Returns
    -------
    numbers by step, and the table `step unit reason`
    """
    through = {step: sum(len(read_table(table)) for table in tables) for step, tables in finished.items()}
    tables = [pd.DataFrame(columns=faults.COLUMNS)]
    for path in failures:
        table, folder = read_table(path)[faults.COLUMNS].astype(str), Path(path).parent.name
        if folder in JOBS:
            through[folder] = through.get(folder, 0) + (not len(table))
        # the shards of a volume are in a folder of its name
        table["unit"] = table["unit"].where(table["step"] == folder, f"{folder}/" + table["unit"])
        tables.append(table)
    every = pd.concat(tables, ignore_index=True).astype(str).sort_values(faults.COLUMNS, ignore_index=True)
    return through, every


def completeness(
    finished: Mapping[str, int], failures: pd.DataFrame, neurons: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Units of each step and how many of them are missing, with those that a step before failed on.

    Parameters
    ----------
    finished : how many units of each step went through
    failures : `step unit reason` of all others
    neurons : `neurons/neurons.parquet`, for the neurons whose synapses are missing since a step before them failed

    Returns
    -------
    Table of COLUMNS, one row a step that has units; of a step whose units are not kept, what failed is in those after
    """
    failed = failures["step"].value_counts()
    rows = []
    for step in sorted({*finished, *failed.index}):
        if step not in finished and step in BEFORE.values():
            continue
        before, missing = BEFORE.get(step), set(failures.loc[failures["step"] == step, "unit"])
        while before:
            missing |= set(failures.loc[failures["step"] == before, "unit"])
            before = BEFORE.get(before)
        rows.append([step, finished.get(step, 0), len(missing)])
    table = pd.DataFrame(rows, columns=["step", "finished", "missing"])
    # basins are looked for where membranes failed too, and none is found there
    table["units"] = table["finished"] + table["missing"]
    if neurons is not None and (table["step"] == SYNAPSES).any():
        asked = neurons[neurons["with_synapses"].astype(bool)]
        table.loc[table["step"] == SYNAPSES, ["units", "missing"]] = [len(asked), int(asked["synapses"].isna().sum())]
    table = table[table["units"] > 0]
    return table.assign(fraction=table["missing"] / table["units"])[COLUMNS].reset_index(drop=True)


def incomplete(table: pd.DataFrame, max_failed_fraction: float) -> list[str]:
    """One line a step of which more is missing than may be; `table` is from `completeness`."""
    return [
        f"{row.step}: {row.missing} of {row.units} units are missing ({row.fraction:.0%})"
        for row in _lacking(table, max_failed_fraction)
    ]


def to_try_again(table: pd.DataFrame, max_failed_fraction: float) -> set[str]:
    """The steps whose failed units are why more is missing than may be, with those before them."""
    steps: set[str] = set()
    for row in _lacking(table, max_failed_fraction):
        step: str | None = row.step
        while step:
            steps.add(step)
            step = BEFORE.get(step)
    return steps


def _lacking(table: pd.DataFrame, max_failed_fraction: float) -> Iterator:
    return table[table["fraction"] > max_failed_fraction].itertuples()
