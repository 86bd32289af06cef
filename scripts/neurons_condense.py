"""Condense the heat kernel signatures of a shard into domains."""

import numpy as np

from spinome.neurons.condense import condense
from spinome.neurons.units import load
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
meshes, signatures = Finished.read(inputs.simplified), Finished.read(inputs.signatures)


def compute(unit, part):
    mesh = load(meshes[unit.name])
    log_hks = load(signatures[unit.name])["log_hks"]
    np.savez(part, **vars(condense(mesh["vertices"], mesh["faces"], log_hks, params.distance)))


step.run_units(snakemake, step.units_after(meshes, signatures), compute, suffix=".npz")
