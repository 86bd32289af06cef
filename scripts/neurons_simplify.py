"""Simplify the meshes of a shard."""

from spinome.io.meshes import read_mesh
from spinome.neurons.simplify import simplify, write_simplified
from spinome.neurons.units import mesh_hash, shard_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished, Unit

inputs, params, output = step.begin(snakemake)
fetched = Finished.read(*inputs.fetched)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"), fetched.files())
# a mesh that could not be had is a failed unit of the step that fetches it
neurons = {name: neuron for name, neuron in neurons.items() if name in fetched or name not in params.each}


def compute(unit, part):
    write_simplified(part, simplify(read_mesh(neurons[unit.name].mesh), **params.options))


units = [Unit(name, mesh_hash(neuron.mesh)) for name, neuron in neurons.items()]
step.run_units(snakemake, units, compute, suffix=".npz")
