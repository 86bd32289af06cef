"""How much of each step is missing over the whole run, and whether that is more than may be."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

COLUMNS = ["step", "units", "missing", "fraction"]
# the step before, whose failed units a step never sees and lacks all the same
BEFORE = {
    "synapses_density": "synapses_detect",
    "linking_basins": "linking_membranes",
    "linking_contacts": "linking_basins",
    "neurons_simplify": "retrieve_mesh",
    "neurons_hks": "neurons_simplify",
    "neurons_condense": "neurons_hks",
    "neurons_classify": "neurons_condense",
    "neurons_spines": "neurons_classify",
}
SYNAPSES = "neurons_synapses"


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
        for row in table[table["fraction"] > max_failed_fraction].itertuples()
    ]
