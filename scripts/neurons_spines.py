"""Label the vertices of a shard's meshes, and find and measure their spines."""

import pandas as pd

from spinome.neurons.spines import PAIR_PLACES, label_mesh, write_labelled
from spinome.neurons.units import load, shard_neurons
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"), fetched)
domains, classes = Finished.read(inputs.domains), Finished.read(inputs.classes)


def compute(unit, part):
    probability = load(classes[unit.name])["probability"][load(domains[unit.name])["label"]]
    mesh = fetched.read(neurons[unit.name])
    decisions = pd.DataFrame(params.each.get(unit.name, []), columns=[*PAIR_PLACES, "decision"])
    write_labelled(part, *label_mesh(mesh, probability, params.min_area, params.rise, decisions))


step.run_units(snakemake, step.units_after(domains, classes), compute, outage=fetched.outage)
