"""Label the synapses of a shard's neurons."""

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
    table = neuron.read_synapses()
    try:
        table = label_synapses(table, mesh.vertices, mesh.faces, labels.probability, labels.spine, params.max_distance)
    except ValueError as error:
        raise ValueError(f"neuron {neuron.neuron}: {neuron.synapses}: {error}") from error
    write_table(table.assign(source=neuron.source, neuron=neuron.neuron), part)


given = {unit.name: neurons[unit.name] for unit in units if neurons[unit.name].synapses}
# several neurons may share a table
hashes = {table: file_hash(table) for table in {neuron.synapses for neuron in given.values()}}
run_shard(
    [
        Unit(unit.name, content_hash(unit.inputs, hashes[neuron.synapses], neuron.synapse_voxel_nm, neuron.root_id))
        for unit in units
        if (neuron := given.get(unit.name))
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
