"""Class probabilities of the domains of a shard."""

import numpy as np

from spinome.hashing import file_hash
from spinome.neurons.appearance import describe
from spinome.neurons.classify import class_probabilities, domain_features, load_forest
from spinome.neurons.condense import Domains
from spinome.neurons.units import load
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
domains, file = Finished.read(inputs.domains), step.model_file(snakemake)
model = load_forest(file, params.hks)


def compute(unit, part):
    own = Domains(**load(domains[unit.name]))
    probability = class_probabilities(model, domain_features(own)).astype(np.float32)
    np.savez(part, probability=probability, traits=describe(own))


step.run_units(snakemake, step.units_after(domains), compute, suffix=".npz", state=file_hash(file))
