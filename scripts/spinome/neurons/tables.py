"""The branch's tables from the files of its neurons: no synapse missing, and what is not known told from none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from spinome.gaps import in_gap
from spinome.io.tables import read_table
from spinome.neurons import morphometry as spines
from spinome.neurons import synapses
from spinome.neurons.classes import CLASSES
from spinome.neurons.spines import PAIR_COLUMNS, read_pairs, read_spines
from spinome.neurons.units import SHEET, NeuronUnit

NEURON_COLUMNS = {
    "source": "string",
    "neuron": "string",
    "with_synapses": "bool",
    "spines": "Int64",
    "synapses": "Int64",
    **{f"on_{name}": "Int64" for name in CLASSES},
    "unlabelled": "Int64",
    "multi_input": "Int64",
    "known": "bool",
    "reason": "string",
}


def all_synapses(
    neurons: Iterable[NeuronUnit], files: Mapping[str, str | Path], failed: Mapping[str, str]
) -> pd.DataFrame:
    """One row for each input synapse of each neuron, those of a neuron that failed with its reason.

    Parameters
    ----------
    files : table of labelled synapses by unit
    failed : reason by unit
    """
    parts = []
    for neuron in neurons:
        if neuron.unit in files:
            parts.append(read_table(files[neuron.unit]))
        elif neuron.synapses:
            try:
                table = neuron.read_synapses()
            except ValueError:
                continue  # the table itself is what failed, and has no rows to keep
            table = synapses.unlabelled(table, f"the neuron failed: {failed.get(neuron.unit, 'no reason given')}")
            parts.append(table.assign(source=neuron.source, neuron=neuron.neuron))
    return _joined(parts, synapses.COLUMNS)


def all_spines(
    neurons: Iterable[NeuronUnit],
    folders: Mapping[str, str | Path],
    labelled: pd.DataFrame,
    same_head_nm: float,
    failed: Collection[str] = (),
    gaps: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """One row for each spine of each neuron, with what it carries; null where that is not known.

    Of a neuron without a table of synapses it is not. A dendrite of a volume whose synapses are known has a table,
    empty where it has none.

    Parameters
    ----------
    folders : labelled mesh by unit
    labelled : what `all_synapses` returns
    same_head_nm : see `spinome.neurons.morphometry.carried`
    failed : units whose synapses could not be labelled
    gaps : of volumes by name, where their synapses could not be looked for (`spinome.gaps.gap_table`)
    """
    by_neuron = dict(list(labelled.groupby(["source", "neuron"])))
    parts = []
    for neuron in neurons:
        if neuron.unit in folders:
            own = by_neuron.get((neuron.source, neuron.neuron), labelled.iloc[:0])
            table = spines.carried(read_spines(folders[neuron.unit]), own, same_head_nm)
            unknown = np.full(len(table), not neuron.synapses or neuron.unit in failed)
            if neuron.source in (gaps or {}):
                unknown |= in_gap(table[["z_nm", "y_nm", "x_nm"]].to_numpy(float), gaps[neuron.source])
            table.loc[unknown, spines.CARRIED] = pd.NA
            parts.append(table.assign(source=neuron.source, neuron=neuron.neuron))
    return _joined(parts, spines.COLUMNS)


def all_pairs(neurons: Iterable[NeuronUnit], folders: Mapping[str, str | Path]) -> pd.DataFrame:
    """One row for each doubtful pair of peaks of each neuron (`spinome.neurons.spines.PAIR_COLUMNS`).

    Parameters
    ----------
    folders : labelled mesh by unit
    """
    parts = [
        read_pairs(folders[neuron.unit]).assign(source=neuron.source, neuron=neuron.neuron)
        for neuron in neurons
        if neuron.unit in folders
    ]
    return _joined(parts, PAIR_COLUMNS)


def neuron_table(
    neurons: Iterable[NeuronUnit],
    folders: Mapping[str, str | Path],
    files: Mapping[str, str | Path],
    failed: Mapping[str, str],
    labelled: pd.DataFrame,
    found: pd.DataFrame,
) -> pd.DataFrame:
    """One row for each neuron: how many spines and input synapses it has, null where that is not known.

    Parameters
    ----------
    folders, files : labelled mesh, and table of labelled synapses, by unit
    failed : reason by unit
    labelled, found : from `all_synapses` and `all_spines`

    Returns
    -------
    Table of `NEURON_COLUMNS`: `with_synapses`, whether a table of synapses is given; `on_soma on_shaft on_spine
    unlabelled`, how many of its rows have each label and how many none; `multi_input`, how many spines take several
    inputs; `known`, whether all that was asked for is known; `reason`, why it is not
    """
    keys = ["source", "neuron"]
    spines, given = found.groupby(keys).size(), labelled.groupby(keys).size()
    tags = labelled.groupby([*keys, "tag"]).size()
    counted = found[found["multi_input"].notna()]
    several = counted["multi_input"].astype(int).groupby([counted[key] for key in keys]).sum()
    rows = []
    for neuron in neurons:
        key, done = (neuron.source, neuron.neuron), (neuron.unit in folders, neuron.unit in files)
        known = done[0] and (done[1] or not neuron.synapses)
        listed = given.get(key, 0)
        # of a failed neuron no label is known; a table that cannot be read has no rows either
        on = [int(tags.get((*key, name), 0)) if done[1] else None for name in CLASSES]
        without = listed - sum(on) if done[1] else listed or None
        multi = several.get(key, None if spines.get(key, 0) or not neuron.synapses else 0) if done[0] else None
        counts = [spines.get(key, 0) if done[0] else None, listed if done[1] else None, *on, without, multi]
        reason = "" if known else failed.get(neuron.unit, "no reason given")
        rows.append([*key, bool(neuron.synapses), *counts, known, reason])
    return pd.DataFrame(rows, columns=list(NEURON_COLUMNS)).astype(NEURON_COLUMNS)


def in_order(neurons: pd.DataFrame) -> pd.DataFrame:
    """Rows of `neuron_table` of all shards: the neurons of the sheet by name, then those of volumes as they come."""
    of_sheet = neurons["source"] == SHEET
    return pd.concat([neurons[of_sheet].sort_values("neuron"), neurons[~of_sheet]], ignore_index=True)


def _joined(parts: list[pd.DataFrame], columns: Mapping[str, str]) -> pd.DataFrame:
    empty = synapses.with_columns(pd.DataFrame(), dict(columns))
    parts = [part for part in parts if len(part)]
    joined = pd.concat(parts, ignore_index=True) if parts else empty
    return synapses.with_columns(joined, dict(columns))
