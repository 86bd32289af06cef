"""Gather the synapses and the spines of all neurons into two tables."""

from spinome.io.tables import concatenate, read_table, write_table
from spinome.logs import log_to
from spinome.neurons.members import members
from spinome.neurons.tables import all_spines, all_synapses

log_to(snakemake.log)
params, inputs = snakemake.params, snakemake.input
neurons = members("sheet", params.rows)
for shard, folder in zip(params.volume_shards, inputs.get("folders", [])):
    neurons += members(shard, {}, folder)


def files(tables):
    return {row.unit: row.file for table in tables for row in read_table(table).itertuples()}


failures = concatenate(inputs.failures)
failed = dict(zip(failures["unit"][::-1], failures["reason"][::-1]))
synapses = all_synapses(neurons, files(inputs.synapses), failed)
write_table(synapses, snakemake.output.synapses)
write_table(all_spines(neurons, files(inputs.labelled), synapses, params.same_head), snakemake.output.spines)
