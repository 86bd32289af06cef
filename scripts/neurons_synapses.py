"""Label the synapses of a shard's neurons."""

from spinome.io.cave import read_synapses
from spinome.io.meshes import read_mesh
from spinome.io.tables import write_table
from spinome.logs import log_to
from spinome.neurons.labelled import read_labelled
from spinome.neurons.members import members, next_units
from spinome.neurons.synapses import label_synapses
from spinome.provenance import content_hash, file_hash
from spinome.shards import Unit, run_shard

log_to(snakemake.log)
params = snakemake.params
neurons = {
    member.unit: member for member in members(snakemake.wildcards.shard, params.rows, snakemake.input.get("folder"))
}
units, (labelled,) = next_units(snakemake.input.labelled)


def compute(unit, part):
    neuron = neurons[unit.name]
    mesh = read_mesh(neuron.mesh)
    labels = read_labelled(labelled[unit.name])
    table = read_synapses(neuron.synapses, neuron.synapse_voxel_nm)
    table = label_synapses(table, mesh.vertices, mesh.faces, labels.probability, labels.spine, params.max_distance)
    write_table(table.assign(source=neuron.source, neuron=neuron.neuron), part)


run_shard(
    [
        Unit(unit.name, f"{unit.inputs}|{file_hash(neurons[unit.name].synapses)}")
        for unit in units
        if neurons[unit.name].synapses
    ],
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".parquet",
    key=content_hash(params.max_distance, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
