"""Label the vertices of a shard's meshes, and find and measure their spines."""

from spinome.io.meshes import read_mesh
from spinome.logs import log_to
from spinome.neurons.labelled import label_mesh, write_labelled
from spinome.neurons.members import load, members, next_units
from spinome.provenance import content_hash
from spinome.shards import run_shard

log_to(snakemake.log)
params = snakemake.params
neurons = {
    member.unit: member for member in members(snakemake.wildcards.shard, params.rows, snakemake.input.get("folder"))
}
units, (meshes, domains, classes) = next_units(
    snakemake.input.simplified, snakemake.input.domains, snakemake.input.classes
)


def compute(unit, part):
    domain_of = load(domains[unit.name])["label"][load(meshes[unit.name])["vertex_of"]]
    probability = load(classes[unit.name])["probability"][domain_of]
    mesh = read_mesh(neurons[unit.name].mesh)
    write_labelled(part, *label_mesh(mesh, probability, params.min_area, params.rise))


run_shard(
    units,
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix="",
    key=content_hash(params.min_area, params.rise, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
