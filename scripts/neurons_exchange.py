"""Write the labelled neurons of a shard for other programs."""

from pathlib import Path

from spinome.io.tables import read_table
from spinome.neurons.exchange import write_coloured, write_synapses
from spinome.neurons.spines import read_labelled
from spinome.neurons.units import shard_neurons
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished, Unit

inputs, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, None, fetched)
labelled, synapses = Finished.read(inputs.labelled), Finished.read(inputs.synapses)


def compute(unit, part):
    part.mkdir()
    if params.coloured:
        label = read_labelled(labelled[unit.name]).label
        write_coloured(part, fetched.read(neurons[unit.name]), label)
    if unit.name in synapses:
        write_synapses(part, read_table(synapses[unit.name]))


units = [Unit(unit.name, f"{unit.inputs}|{synapses.key(unit.name)}") for unit in step.units_after(labelled)]
step.run_units(snakemake, units, compute, published=Path(output.done).parent, outage=fetched.outage)
if params.aside.last:
    fetched.let_go()
