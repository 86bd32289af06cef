"""Compute the heat kernel signatures of the simplified meshes of a shard."""

import numpy as np

from spinome.mesh.hks import log_hks
from spinome.neurons.units import load
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
meshes = Finished.read(inputs.simplified)


def compute(unit, part):
    mesh = load(meshes[unit.name])
    np.savez(part, log_hks=log_hks(mesh["vertices"], mesh["faces"], **params.options))


step.run_units(snakemake, step.units_after(meshes), compute, suffix=".npz")
