"""Class probabilities of the domains of a shard."""

import numpy as np

from spinome.logs import log_to
from spinome.neurons.classify import class_probabilities, domain_features, load_forest
from spinome.neurons.condense import Domains
from spinome.neurons.members import load, next_units
from spinome.provenance import content_hash, file_hash
from spinome.shards import run_shard

log_to(snakemake.log)
params = snakemake.params
units, (domains,) = next_units(snakemake.input.domains)
model = load_forest(snakemake.input.model, params.hks)


def compute(unit, part):
    features = domain_features(Domains(**load(domains[unit.name])))
    np.savez(part, probability=class_probabilities(model, features).astype(np.float32))


run_shard(
    units,
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".npz",
    key=content_hash(file_hash(snakemake.input.model), params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
