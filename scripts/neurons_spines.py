"""Label the vertices of a shard's meshes, and find and measure their spines."""

from spinome.io.meshes import read_mesh
from spinome.neurons.spines import label_mesh, write_labelled
from spinome.neurons.units import load, shard_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"))
meshes, domains, classes = map(Finished.read, (inputs.simplified, inputs.domains, inputs.classes))


def compute(unit, part):
    domain_of = load(domains[unit.name])["label"][load(meshes[unit.name])["vertex_of"]]
    probability = load(classes[unit.name])["probability"][domain_of]
    mesh = read_mesh(neurons[unit.name].mesh)
    write_labelled(part, *label_mesh(mesh, probability, params.min_area, params.rise))


step.run_units(snakemake, step.units_after(meshes, domains, classes), compute)
