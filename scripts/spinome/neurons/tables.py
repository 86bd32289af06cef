"""The branch's two tables from the files of its neurons, no synapse missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from spinome.io.tables import read_table
from spinome.neurons import spines, synapses
from spinome.neurons.labelled import read_spines
from spinome.neurons.members import Member


def all_synapses(neurons: Iterable[Member], files: Mapping[str, str], failed: Mapping[str, str]) -> pd.DataFrame:
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
    neurons: Iterable[Member], folders: Mapping[str, str], labelled: pd.DataFrame, same_head_nm: float
) -> pd.DataFrame:
    """One row for each spine of each neuron, with what it carries.

    Parameters
    ----------
    folders : labelled mesh by unit
    labelled : from `all_synapses`
    same_head_nm : see `spinome.neurons.spines.carried`
    """
    by_neuron = dict(list(labelled.groupby(["source", "neuron"])))
    parts = []
    for neuron in neurons:
        if neuron.unit in folders:
            own = by_neuron.get((neuron.source, neuron.neuron), labelled.iloc[:0])
            table = spines.carried(read_spines(folders[neuron.unit]), own, same_head_nm)
            parts.append(table.assign(source=neuron.source, neuron=neuron.neuron))
    return _joined(parts, spines.COLUMNS)


def _joined(parts: list[pd.DataFrame], columns: Mapping[str, str]) -> pd.DataFrame:
    empty = synapses.with_columns(pd.DataFrame(), dict(columns))
    parts = [part for part in parts if len(part)]
    joined = pd.concat(parts, ignore_index=True) if parts else empty
    return synapses.with_columns(joined, dict(columns))
