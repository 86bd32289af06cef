"""Compute the heat kernel signatures of the simplified meshes of a shard."""

import numpy as np

from spinome.logs import log_to
from spinome.neurons.hks import log_hks
from spinome.neurons.members import load, next_units
from spinome.provenance import content_hash
from spinome.shards import run_shard

log_to(snakemake.log)
params = snakemake.params
units, (meshes,) = next_units(snakemake.input.simplified)


def compute(unit, part):
    mesh = load(meshes[unit.name])
    np.savez(part, log_hks=log_hks(mesh["vertices"], mesh["faces"], **params.options))


run_shard(
    units,
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".npz",
    key=content_hash(params.options, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
