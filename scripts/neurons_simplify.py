"""Simplify the meshes of a shard."""

from spinome.neurons.simplify import simplify, write_simplified
from spinome.neurons.units import mesh_hash, shard_neurons
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Unit

inputs, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"), fetched)
# a mesh that could not be had is a failed unit of the step that fetches it
neurons = {name: neuron for name, neuron in neurons.items() if name in fetched or name not in params.each}


def compute(unit, part):
    write_simplified(part, simplify(fetched.read(neurons[unit.name]), **params.options))


known = step.fingerprints(snakemake)
units = [Unit(name, fetched.hash(neuron) or mesh_hash(neuron.mesh, known.hash)) for name, neuron in neurons.items()]
known.save()
step.run_units(snakemake, units, compute, suffix=".npz", outage=fetched.outage)
