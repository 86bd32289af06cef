"""Gather the synapses and the spines of all neurons, and what is known of each neuron, into three tables."""

from pathlib import Path

from spinome.design import neuron_samples, with_design
from spinome.io.tables import concatenate, read_table, write_table
from spinome.neurons.tables import all_spines, all_synapses, neuron_table
from spinome.neurons.units import SYNAPSE_GAPS, sheet_neurons, volume_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
neurons, gaps = list(sheet_neurons(params.aside.rows).values()), {}
for volume, folder in step.by_name(inputs, "folders").items():
    neurons += volume_neurons(volume, folder).values()
    if (table := Path(folder) / SYNAPSE_GAPS).exists():
        gaps[volume] = read_table(table)
labelled = Finished.read(*step.by_name(inputs, "spines").values())
found = Finished.read(*step.by_name(inputs, "synapses").values())
failures = concatenate(inputs.failures)
failed = dict(zip(failures["unit"][::-1], failures["reason"][::-1]))
without = {neuron.unit for neuron in neurons if neuron.synapses and neuron.unit not in found}
synapses = all_synapses(neurons, found, failed)
spines = all_spines(neurons, labelled, synapses, params.same_head, without, gaps)
known = neuron_table(neurons, labelled, found, failed, synapses, spines)
for name, table in {"synapses": synapses, "spines": spines, "neurons": known}.items():
    write_table(with_design(table, neuron_samples(table), params.design), output[name])
