"""Label the synapses of a shard's neurons."""

from spinome.hashing import content_hash
from spinome.io.tables import write_table
from spinome.neurons.spines import read_labelled
from spinome.neurons.synapses import label_synapses
from spinome.neurons.units import shard_neurons
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished, Unit

inputs, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake)
neurons = shard_neurons(snakemake.wildcards.shard, params.aside.rows, inputs.get("folder"), fetched)
labelled = Finished.read(inputs.labelled)


def compute(unit, part):
    neuron = neurons[unit.name]
    mesh = fetched.read(neuron)
    labels = read_labelled(labelled[unit.name])
    table = neuron.read_synapses()
    try:
        table = label_synapses(table, mesh.vertices, mesh.faces, labels.probability, labels.spine, params.max_distance)
    except ValueError as error:
        raise ValueError(f"neuron {neuron.neuron}: {neuron.synapses}: {error}") from error
    write_table(table.assign(source=neuron.source, neuron=neuron.neuron), part)


given = {unit: neurons[unit.name] for unit in step.units_after(labelled) if neurons[unit.name].synapses}
# several neurons may share a table
known = step.fingerprints(snakemake)
hashes = {table: known.hash(table) for table in {neuron.synapses for neuron in given.values()}}
units = [
    Unit(unit.name, content_hash(unit.inputs, hashes[neuron.synapses], neuron.root_id))
    for unit, neuron in given.items()
]
known.save()
step.run_units(snakemake, units, compute, suffix=".parquet", outage=fetched.outage)
if params.aside.last:
    fetched.let_go()
