"""The census by cell class: where inputs and outputs arrive, how many spines there are and how big they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from spinome.census.published import published
from spinome.scores.intervals import bootstrap_ratios

COLUMNS = ["cell_class", "partner_class", "measure", "value", "ci_low", "ci_high", "n", "cells", "not_known", "unit"]
COLUMNS += ["reference"]
COUNTED = ["n", "cells", "not_known"]
UNITS = {"volume_um3": "um3", "head_diameter_um": "um", "neck_length_um": "um", "synapse_size": "as in the table"}
# of fewer cells an interval says nothing, and a published value of thousands is no match for them
HANDFUL = 5
# a cell's own fraction of multi-input spines counts where it is one of at least so many spines
SPINES_OF_A_FRACTION = 20


def census_by_class(counts: pd.DataFrame) -> pd.DataFrame:
    """Fractions, counts and sizes by class of the cell, each with a 95 % interval.

    The sums over the cells of a class, and of a broad class, are divided by each other; the intervals are
    bootstraps over cells, since the synapses of one cell are not independent. A measure of fewer than `HANDFUL`
    cells, on either side of its synapses, has no interval, and no published value stands beside it.

    Parameters
    ----------
    counts : what `spinome.census.counts.count_by_cell` returns

    Returns
    -------
    Table `cell_class partner_class measure value ci_low ci_high n cells not_known unit reference`; `partner_class` is
    empty for all partners, `reference` is empty for values measured here and names the paper for published ones. `n`
    counts the synapses, spines or cells that the value is a mean of, `cells` the cells, `not_known` the cells that are
    left out since their measure is not known. Of measures `input_*` the
    cell is the receiving one and the partner the presynaptic one, of `output_*` the other way round.
    """
    names = sorted({*counts["cell_class"], *counts["broad_class"]} - {""})
    if not names:
        return pd.DataFrame(columns=COLUMNS)
    receiving = counts[(counts["measure"] == "input_on_spine") & counts["whole"].notna()]
    receiving = {name: _members(receiving, name)["cell"].nunique() for name in names} | {
        "": receiving["cell"].nunique()
    }
    measured = pd.concat([_of_class(name, _members(counts, name), receiving) for name in names], ignore_index=True)
    enough = measured.pop("enough")
    measured.loc[~enough, ["ci_low", "ci_high"]] = np.nan
    beside = published().merge(measured.loc[enough, ["cell_class", "partner_class", "measure"]]).assign(unit="fraction")
    return pd.concat([measured, beside], ignore_index=True)[COLUMNS] if len(beside) else measured[COLUMNS]


def _members(counts: pd.DataFrame, name: str) -> pd.DataFrame:
    return counts[(counts["cell_class"] == name) | (counts["broad_class"] == name)]


def _of_class(name: str, counts: pd.DataFrame, receiving: Mapping[str, int]) -> pd.DataFrame:
    """Rows of a class; `receiving` is how many cells of a class receive inputs here, empty: of all."""
    table = pd.concat([*(_ratios(side) for _, side in counts.groupby("side")), _spread(counts)], ignore_index=True)
    # many cells may give outputs, but to one cell alone
    other = table["partner_class"].map(receiving).where(table["measure"].str.startswith("output"), HANDFUL)
    enough = (table["cells"] >= HANDFUL) & (other >= HANDFUL)
    return table.assign(cell_class=name, unit=table["measure"].map(_unit), reference="", enough=enough)


def _ratios(counts: pd.DataFrame) -> pd.DataFrame:
    """One row per measure and class of the partner, from the cells of one side; those not known are counted alone."""
    keys = ["partner_class", "measure"]
    lost = counts[counts["whole"].isna()].groupby(keys).size().rename("not_known").reset_index()
    counts = counts[counts["whole"].notna()]
    groups = counts.groupby(keys)
    table = groups.size().index.to_frame(index=False)
    if len(table):
        place = pd.factorize(counts["cell"])[0], groups.ngroup().to_numpy()
        part, whole = np.zeros((2, place[0].max() + 1, len(table)))
        part[place], whole[place] = counts["part"], counts["whole"]
        table["value"] = part.sum(axis=0) / whole.sum(axis=0)
        table["ci_low"], table["ci_high"] = bootstrap_ratios(part, whole)
        table = table.assign(n=whole.sum(axis=0).astype(int), cells=(whole > 0).sum(axis=0))
    table = table.merge(lost, on=keys, how="outer").reindex(columns=[*keys, "value", "ci_low", "ci_high", *COUNTED])
    return table.fillna(dict.fromkeys(COUNTED, 0)).astype(dict.fromkeys(COUNTED, int))


def _spread(counts: pd.DataFrame) -> pd.DataFrame:
    """How far the cells' own fractions of multi-input spines lie apart."""
    ours = counts[(counts["measure"] == "multi_input") & (counts["whole"] >= SPINES_OF_A_FRACTION)]
    fraction = ours["part"] / ours["whole"]
    rows = {"lowest": fraction.min(), "median": fraction.median(), "highest": fraction.max()}
    table = pd.DataFrame({"measure": [f"multi_input_{name}_cell" for name in rows], "value": list(rows.values())})
    table = table.assign(partner_class="", n=int(ours["whole"].sum()), cells=len(ours), ci_low=np.nan, ci_high=np.nan)
    lost = counts[(counts["measure"] == "multi_input") & counts["whole"].isna()]
    table["not_known"] = len(lost)
    return table if len(ours) >= HANDFUL else table.iloc[:0]


def _unit(measure: str) -> str:
    if measure == "spines_per_cell":
        return "spines"
    return next((unit for name, unit in UNITS.items() if measure.startswith(f"mean_{name}")), "fraction")
