"""Simplify the meshes of a shard."""

import numpy as np

from spinome.io.meshes import read_mesh
from spinome.logs import log_to
from spinome.neurons.members import first_units, members
from spinome.neurons.simplify import simplify
from spinome.provenance import content_hash
from spinome.shards import run_shard

log_to(snakemake.log)
params = snakemake.params
neurons = {
    member.unit: member for member in members(snakemake.wildcards.shard, params.rows, snakemake.input.get("folder"))
}


def compute(unit, part):
    simplified = simplify(read_mesh(neurons[unit.name].mesh), **params.options)
    np.savez(part, **vars(simplified))


run_shard(
    first_units(neurons.values()),
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".npz",
    key=content_hash(params.options, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
