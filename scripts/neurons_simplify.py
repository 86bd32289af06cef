"""Simplify the meshes of a shard."""

from spinome.io.meshes import read_mesh
from spinome.neurons.simplify import simplify, write_simplified
from spinome.neurons.units import mesh_hash, shard_neurons
from spinome.workflow import step
from spinome.workflow.shards import Unit

inputs, params, output = step.begin(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"))


def compute(unit, part):
    write_simplified(part, simplify(read_mesh(neurons[unit.name].mesh), **params.options))


units = [Unit(name, mesh_hash(neuron.mesh)) for name, neuron in neurons.items()]
step.run_units(snakemake, units, compute, suffix=".npz")
