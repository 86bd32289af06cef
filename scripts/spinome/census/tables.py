"""The census by cell class: where the input arrives, how many spines there are and how big they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from spinome.census.published import published
from spinome.scores.intervals import bootstrap

UNKNOWN = "not given"
TAGS = ("spine", "shaft", "soma")
SIZES = {"volume_um3": "um3", "head_diameter_um": "um", "neck_length_um": "um"}
COLUMNS = ["cell_class", "pre_class", "measure", "value", "ci_low", "ci_high", "n", "cells", "unit", "reference"]


def census_by_class(synapses: pd.DataFrame, spines: pd.DataFrame, classes: Mapping[str, str]) -> pd.DataFrame:
    """Fractions, counts and sizes by the class of the cell, each with a 95 % interval.

    Intervals are bootstraps over cells, since the synapses of one cell are not independent; a class of one cell
    has none.

    Parameters
    ----------
    synapses : `neurons/synapses.parquet`; rows without a tag are left out
    spines : rows of the joint table with source `neurons`
    classes : cell class by name of the neuron, or of the volume whose neurons all have it; looked up for the
        presynaptic cell too

    Returns
    -------
    Table `cell_class pre_class measure value ci_low ci_high n cells unit reference`; `pre_class` is empty for all
    inputs, `reference` is empty for values measured here and names the paper for published ones. `n` counts the
    synapses or spines, `cells` the cells.
    """
    tagged = synapses[synapses["tag"].isin(TAGS)]
    tagged = tagged.assign(
        specimen=tagged["neuron"].where(tagged["source"] == "sheet", tagged["source"]),
        parent=tagged["neuron"],
        pre_class=[classes.get(str(name)) or "" for name in tagged.get("pre_pt_root_id", pd.Series("", tagged.index))],
    )
    # cells that carry no spine count too
    cells = pd.concat([tagged[["specimen", "parent"]], spines[["specimen", "parent"]].astype(object)])
    cells = cells.drop_duplicates().sort_values(["specimen", "parent"], ignore_index=True)
    cells["cell_class"] = [
        classes.get(name) or classes.get(specimen) or UNKNOWN
        for specimen, name in zip(cells["specimen"], cells["parent"])
    ]
    number = {cell: row for row, cell in enumerate(zip(cells["specimen"], cells["parent"]))}
    tagged["cell"] = [number[cell] for cell in zip(tagged["specimen"], tagged["parent"])]
    spines = spines.assign(cell=[number[cell] for cell in zip(spines["specimen"], spines["parent"])])
    rows = []
    for name, members in cells.groupby("cell_class"):
        numbers = members.index.to_numpy()
        rows += _input_rows(name, "", tagged, numbers)
        for pre_class in sorted(set(tagged["pre_class"]) - {""}):
            rows += _input_rows(name, pre_class, tagged[tagged["pre_class"] == pre_class], numbers)
        rows += _spine_rows(name, spines, numbers)
    measured = pd.DataFrame(rows, columns=COLUMNS[:-1]).assign(reference="")
    here = set(measured["cell_class"])
    beside = published()
    beside = beside[beside["cell_class"].isin(here) | (beside["cell_class"].isin(["excitatory", "inhibitory"]))]
    beside = beside[(beside["pre_class"] == "") | beside["pre_class"].isin(set(measured["pre_class"]))]
    return pd.concat([measured, beside.assign(unit="fraction")], ignore_index=True)[COLUMNS]


def _input_rows(name: str, pre_class: str, tagged: pd.DataFrame, cells: np.ndarray) -> list[tuple]:
    ours = tagged[tagged["cell"].isin(cells)]
    if ours.empty:
        return []
    total = _per_cell(ours["cell"], cells)
    return [
        _ratio_row(name, pre_class, f"input_on_{tag}", _per_cell(ours["cell"][ours["tag"] == tag], cells), total)
        for tag in TAGS
    ]


def _spine_rows(name: str, spines: pd.DataFrame, cells: np.ndarray) -> list[tuple]:
    ours = spines[spines["cell"].isin(cells)]
    count = _per_cell(ours["cell"], cells)
    interval = bootstrap(lambda chosen: count[chosen].mean(), len(cells))
    rows = [(name, "", "spines_per_cell", count.mean(), *interval, int(count.sum()), len(cells), "spines")]
    carrying = ours[ours["partners"].fillna(0) > 0]
    if len(carrying):
        several = carrying["cell"][carrying["multi_input"].astype(bool)]
        rows.append(_ratio_row(name, "", "multi_input", _per_cell(several, cells), _per_cell(carrying["cell"], cells)))
    for column, unit in SIZES.items():
        known = ours[ours[column].notna()]
        if len(known):
            total = _per_cell(known["cell"], cells, known[column].to_numpy(float))
            row = _ratio_row(name, "", f"mean_{column}", total, _per_cell(known["cell"], cells))
            rows.append((*row[:-1], unit))
    return rows


def _per_cell(cell: pd.Series, cells: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    return np.bincount(np.searchsorted(cells, cell.to_numpy(int)), weights, minlength=len(cells)).astype(float)


def _ratio_row(name: str, pre_class: str, measure: str, part: np.ndarray, whole: np.ndarray) -> tuple:
    interval = bootstrap(_pooled(part, whole), len(whole))
    value = part.sum() / whole.sum()
    return name, pre_class, measure, value, *interval, int(whole.sum()), int((whole > 0).sum()), "fraction"


def _pooled(part: np.ndarray, whole: np.ndarray) -> Callable[[np.ndarray], float]:
    def statistic(chosen: np.ndarray) -> float:
        total = whole[chosen].sum()
        return part[chosen].sum() / total if total else float("nan")

    return statistic
