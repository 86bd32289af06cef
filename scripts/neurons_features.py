"""Store the condensed features of the neurons of a shard in the chosen form."""

from pathlib import Path

from spinome.logs import log_to
from spinome.neurons.members import load, next_units
from spinome.neurons.storage import STORAGES
from spinome.provenance import content_hash
from spinome.shards import run_shard

log_to(snakemake.log)
params = snakemake.params
units, (meshes, domains) = next_units(snakemake.input.simplified, snakemake.input.domains)
suffix, write = STORAGES[params.storage]


def compute(unit, part):
    found = load(domains[unit.name])
    write(part, found["log_hks"], found["label"][load(meshes[unit.name])["vertex_of"]])


run_shard(
    units,
    compute,
    step=snakemake.rule,
    store=Path(snakemake.output.done).parent / params.storage,
    suffix=suffix,
    key=content_hash(params.storage, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
    journal=params.journal,
)
