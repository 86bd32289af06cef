"""Join the spines of all branches in one table."""

from spinome.census.spines import from_linking, from_neurons, from_twophoton, join, read_schema, write_spines
from spinome.design import neuron_samples, stack_samples, volume_samples, with_design
from spinome.io.tables import read_table
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
tables = {name: read_table(path) for name, path in inputs.items()}
parts = []
if "twophoton" in tables:
    spines = tables["twophoton"]
    parts.append(with_design(from_twophoton(spines), stack_samples(spines), params.design))
if "linking" in tables:
    spines = tables["linking"]
    parts.append(with_design(from_linking(spines), volume_samples(spines), params.design))
if "neurons" in tables:
    spines = tables["neurons"]
    rows = from_neurons(spines, tables["neuron_synapses"])
    parts.append(with_design(rows, neuron_samples(spines), params.design))
schema = read_schema(params.aside.schema) | {name: {"type": kind} for name, kind in params.design["columns"].items()}
write_spines(join(parts, schema), output[0])
