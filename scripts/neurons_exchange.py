"""Write the labelled neurons of a shard for other programs."""

from pathlib import Path

from spinome.io.meshes import read_mesh
from spinome.io.tables import read_table
from spinome.neurons.exchange import write_exchange
from spinome.neurons.spines import read_labelled
from spinome.neurons.units import shard_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished, Unit

inputs, params, output = step.begin(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows)
labelled, synapses = Finished.read(inputs.labelled), Finished.read(inputs.synapses)


def compute(unit, part):
    labels = read_labelled(labelled[unit.name])
    table = read_table(synapses[unit.name]) if unit.name in synapses else None
    write_exchange(part, read_mesh(neurons[unit.name].mesh), labels.label, table)


units = [Unit(unit.name, f"{unit.inputs}|{synapses.key(unit.name)}") for unit in step.units_after(labelled)]
step.run_units(snakemake, units, compute, published=Path(output.done).parent)
