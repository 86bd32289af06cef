"""Gather the synapses and the spines of all neurons into two tables."""

from spinome.io.tables import concatenate, write_table
from spinome.neurons.tables import all_spines, all_synapses
from spinome.neurons.units import sheet_neurons, volume_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
neurons = list(sheet_neurons(params.aside.rows).values())
for volume, folder in step.by_name(inputs, "folders").items():
    neurons += volume_neurons(volume, folder).values()
labelled = Finished.read(*step.by_name(inputs, "spines").values())
found = Finished.read(*step.by_name(inputs, "synapses").values())
failures = concatenate(inputs.failures)
failed = dict(zip(failures["unit"][::-1], failures["reason"][::-1]))
synapses = all_synapses(neurons, found, failed)
write_table(synapses, output.synapses)
write_table(all_spines(neurons, labelled, synapses, params.same_head), output.spines)
