"""Join the spines of all branches in one table."""

from spinome.census.spines import from_linking, from_neurons, from_twophoton, join, read_schema, write_spines
from spinome.io.tables import read_table
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
tables = {name: read_table(path) for name, path in inputs.items()}
parts = []
if "twophoton" in tables:
    parts.append(from_twophoton(tables["twophoton"]))
if "linking" in tables:
    parts.append(from_linking(tables["linking"]))
if "neurons" in tables:
    parts.append(from_neurons(tables["neurons"], tables["neuron_synapses"]))
write_spines(join(parts, read_schema(params.aside.schema)), output[0])
