"""Compute the heat kernel signatures of the simplified meshes of a shard."""

from spinome.mesh.hks import log_hks
from spinome.neurons.signatures import write_signatures
from spinome.neurons.simplify import read_simplified
from spinome.neurons.units import shard_neurons
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"), fetched)
meshes = Finished.read(inputs.simplified)


def compute(unit, part):
    mesh = read_simplified(meshes[unit.name], fetched.read(neurons[unit.name]))
    write_signatures(part, log_hks(mesh.vertices, mesh.faces, **params.options))


step.run_units(snakemake, step.units_after(meshes), compute, suffix=".parquet", outage=fetched.outage)
