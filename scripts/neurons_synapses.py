"""Label the synapses of a shard's neurons."""

from spinome.hashing import file_hash
from spinome.io.cave import read_synapses
from spinome.io.meshes import read_mesh
from spinome.io.tables import write_table
from spinome.neurons.labelled import read_labelled
from spinome.neurons.synapses import label_synapses
from spinome.neurons.units import shard_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished, Unit

inputs, params, output = step.begin(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"))
labelled = Finished.read(inputs.labelled)


def compute(unit, part):
    neuron = neurons[unit.name]
    mesh = read_mesh(neuron.mesh)
    labels = read_labelled(labelled[unit.name])
    table = read_synapses(neuron.synapses, neuron.synapse_voxel_nm)
    table = label_synapses(table, mesh.vertices, mesh.faces, labels.probability, labels.spine, params.max_distance)
    write_table(table.assign(source=neuron.source, neuron=neuron.neuron), part)


units = [
    Unit(unit.name, f"{unit.inputs}|{file_hash(neurons[unit.name].synapses)}")
    for unit in step.units_after(labelled)
    if neurons[unit.name].synapses
]
step.run_units(snakemake, units, compute, suffix=".parquet")
