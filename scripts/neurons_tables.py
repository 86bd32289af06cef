"""Gather the synapses and the spines of all neurons, and what is known of each neuron, into tables."""

from pathlib import Path

import pandas as pd

from spinome.design import neuron_samples, with_design
from spinome.io.datasets import write_dataset
from spinome.io.tables import concatenate, read_table, write_table
from spinome.names import VOLUME
from spinome.neurons.tables import all_pairs, all_spines, all_synapses, in_order, neuron_table
from spinome.neurons.units import SYNAPSE_GAPS, sheet_neurons, volume_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
of_sheet = sheet_neurons(params.aside.rows)
folders = {f"{VOLUME}{volume}": Path(folder) for volume, folder in step.by_name(inputs, "folders").items()}
failures = concatenate(inputs.failures)
failed = dict(zip(failures["unit"][::-1], failures["reason"][::-1]))
labelled, found = step.by_name(inputs, "spines"), step.by_name(inputs, "synapses")
known = []


def members(shard):
    """The neurons of a shard, and by volume where its synapses could not be looked for."""
    if shard not in folders:
        return [of_sheet[name] for name in params.aside.members[shard]], {}
    volume, gaps = shard.removeprefix(VOLUME), folders[shard] / SYNAPSE_GAPS
    return list(volume_neurons(volume, folders[shard]).values()), {volume: read_table(gaps)} if gaps.exists() else {}


def designed(table):
    return with_design(table, neuron_samples(table), params.design)


def synapses_by_shard():
    """The synapses of one shard after another: all of them may be more than memory holds."""
    for shard in labelled:
        yield shard, designed(all_synapses(members(shard)[0], Finished.read(found[shard]), failed))


def spines_by_shard():
    """The spines of one shard after another; what is known of its neurons goes with them."""
    for shard in labelled:
        neurons, gaps = members(shard)
        ours, there = Finished.read(labelled[shard]), Finished.read(found[shard])
        without = {neuron.unit for neuron in neurons if neuron.synapses and neuron.unit not in there}
        synapses = read_table(Path(output.synapses) / f"{shard}.parquet")
        spines = all_spines(neurons, ours, synapses, params.same_head, without, gaps)
        known.append(neuron_table(neurons, ours, there, failed, synapses, spines))
        yield shard, designed(spines)


write_dataset(synapses_by_shard(), output.synapses)
write_dataset(spines_by_shard(), output.spines)
pairs = ((shard, all_pairs(members(shard)[0], Finished.read(labelled[shard]))) for shard in labelled)
write_dataset(pairs, output.pairs)
write_table(designed(in_order(pd.concat(known, ignore_index=True))), output.neurons)
