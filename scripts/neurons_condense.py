"""Condense the heat kernel signatures of a shard into domains."""

from dataclasses import replace

import numpy as np

from spinome.neurons.condense import condense
from spinome.neurons.signatures import read_signatures
from spinome.neurons.simplify import read_simplified
from spinome.neurons.units import shard_neurons
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"), fetched)
meshes, signatures = Finished.read(inputs.simplified), Finished.read(inputs.signatures)


def compute(unit, part):
    mesh = read_simplified(meshes[unit.name], fetched.read(neurons[unit.name]))
    log_hks = read_signatures(signatures[unit.name])
    domains = condense(mesh.vertices, mesh.faces, log_hks, params.distance)
    domains = replace(domains, label=domains.label[mesh.vertex_of], vertices=mesh.welded)
    np.savez_compressed(part, **vars(domains))


units, before = step.units_after(meshes, signatures), (meshes, signatures)
step.run_units(snakemake, units, compute, suffix=".npz", spent=before, outage=fetched.outage)
