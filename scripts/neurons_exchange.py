"""Write the labelled neurons of a shard for other programs."""

from pathlib import Path

from spinome.io.meshes import read_mesh
from spinome.io.tables import read_table
from spinome.logs import log_to
from spinome.neurons.exchange import write_exchange
from spinome.neurons.labelled import read_labelled
from spinome.neurons.members import members, next_units
from spinome.shards import Unit, run_shard

log_to(snakemake.log)
params = snakemake.params
neurons = {member.unit: member for member in members(snakemake.wildcards.shard, params.rows)}
units, (labelled,) = next_units(snakemake.input.labelled)
synapses = read_table(snakemake.input.synapses, ["unit", "key", "file"]).set_index("unit")


def compute(unit, part):
    labels = read_labelled(labelled[unit.name])
    table = read_table(synapses["file"][unit.name]) if unit.name in synapses.index else None
    write_exchange(part, read_mesh(neurons[unit.name].mesh), labels.label, table)


run_shard(
    [Unit(unit.name, f"{unit.inputs}|{synapses['key'].get(unit.name)}") for unit in units],
    compute,
    step=snakemake.rule,
    store=Path(snakemake.output.done).parent,
    suffix="",
    key=params.code,
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
    journal=params.journal,
)
