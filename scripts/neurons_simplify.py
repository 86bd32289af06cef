"""Simplify the meshes of a shard."""

import numpy as np

from spinome.io.meshes import read_mesh
from spinome.neurons.simplify import simplify
from spinome.neurons.units import mesh_hash, shard_neurons
from spinome.workflow import step
from spinome.workflow.shards import Unit

inputs, params, output = step.begin(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"))


def compute(unit, part):
    simplified = simplify(read_mesh(neurons[unit.name].mesh), **params.options)
    np.savez(part, **vars(simplified))


units = [Unit(name, mesh_hash(neuron.mesh)) for name, neuron in neurons.items()]
step.run_units(snakemake, units, compute, suffix=".npz")
