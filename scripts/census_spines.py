"""Join the spines of all branches in one data set."""

import pandas as pd

from spinome.census.specimens import add_levels, by_level, by_specimen
from spinome.census.spines import from_linking, from_neurons, from_twophoton, join, read_schema, write_spines
from spinome.design import neuron_samples, stack_samples, volume_samples, with_design
from spinome.io.datasets import parts_of, write_dataset
from spinome.io.tables import read_table, write_table
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
schema = read_schema(params.aside.schema) | {name: {"type": kind} for name, kind in params.design["columns"].items()}
factors = [name for name, kind in params.design["columns"].items() if kind == "string"]
nothing = join([], schema)
specimens, levels = [by_specimen(nothing)], [by_level(nothing, factors)]


def parts():
    """The rows of each branch; of the neurons those of one shard after another."""
    if inputs.get("twophoton"):
        spines = read_table(inputs.twophoton)
        yield "twophoton", with_design(from_twophoton(spines), stack_samples(spines), params.design)
    if inputs.get("linking"):
        for volume, file in parts_of(inputs.linking).items():
            spines = read_table(file)
            yield f"linking-{volume}", with_design(from_linking(spines), volume_samples(spines), params.design)
    if inputs.get("neurons"):
        synapses = parts_of(inputs.neuron_synapses)
        for shard, file in parts_of(inputs.neurons).items():
            spines = read_table(file)
            rows = from_neurons(spines, read_table(synapses[shard], columns=["source", "neuron", "spine", "id"]))
            yield f"neurons-{shard}", with_design(rows, neuron_samples(spines), params.design)


def joined():
    """The same in the columns of the schema."""
    empty = True
    for name, part in parts():
        table = join([part], schema)
        specimens.append(by_specimen(table))
        levels.append(by_level(table, factors))
        empty = False
        yield name, table
    if empty:
        yield "none", nothing


write_dataset(joined(), output.spines, write_spines)
write_table(pd.concat(specimens, ignore_index=True), output.specimens)
write_table(add_levels(levels), output.levels)
