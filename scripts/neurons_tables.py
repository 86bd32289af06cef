"""Gather the synapses and the spines of all neurons, and what is known of each neuron, into three tables."""

from pathlib import Path

from spinome.io.tables import concatenate, read_table, write_table
from spinome.logs import log_to
from spinome.neurons.members import SYNAPSE_GAPS, VOLUME, members
from spinome.neurons.tables import all_spines, all_synapses, neuron_table

log_to(snakemake.log)
params, inputs = snakemake.params, snakemake.input
neurons = members("sheet", params.rows)
gaps = {}
for shard, folder in zip(params.volume_shards, inputs.get("folders", [])):
    neurons += members(shard, {}, folder)
    if (table := Path(folder) / SYNAPSE_GAPS).exists():
        gaps[shard.removeprefix(VOLUME)] = read_table(table)


def files(tables):
    return {row.unit: row.file for table in tables for row in read_table(table).itertuples()}


failures = concatenate(inputs.failures)
failed = dict(zip(failures["unit"][::-1], failures["reason"][::-1]))
folders, tables = files(inputs.labelled), files(inputs.synapses)
without = {neuron.unit for neuron in neurons if neuron.synapses and neuron.unit not in tables}
synapses = all_synapses(neurons, tables, failed)
spines = all_spines(neurons, folders, synapses, params.same_head, without, gaps)
write_table(synapses, snakemake.output.synapses)
write_table(spines, snakemake.output.spines)
write_table(neuron_table(neurons, folders, tables, failed, synapses, spines), snakemake.output.neurons)
