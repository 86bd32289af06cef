"""Store the condensed features of the neurons of a shard in the chosen form."""

from pathlib import Path

from spinome.neurons.features import STORAGES
from spinome.neurons.units import load
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
domains = Finished.read(inputs.domains)
suffix, write = STORAGES[params.storage]


def compute(unit, part):
    found = load(domains[unit.name])
    write(part, found["log_hks"], found["label"])


units = step.units_after(domains)
step.run_units(snakemake, units, compute, suffix=suffix, published=Path(output.done).parent / params.storage)
