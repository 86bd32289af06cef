"""Condense the heat kernel signatures of a shard into domains."""

import numpy as np

from spinome.logs import log_to
from spinome.neurons.condense import condense
from spinome.neurons.members import load, next_units
from spinome.provenance import content_hash
from spinome.shards import run_shard

log_to(snakemake.log)
params = snakemake.params
units, (meshes, signatures) = next_units(snakemake.input.simplified, snakemake.input.signatures)


def compute(unit, part):
    mesh = load(meshes[unit.name])
    log_hks = load(signatures[unit.name])["log_hks"]
    np.savez(part, **vars(condense(mesh["vertices"], mesh["faces"], log_hks, params.distance)))


run_shard(
    units,
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".npz",
    key=content_hash(params.distance, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
