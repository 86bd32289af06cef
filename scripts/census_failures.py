"""Gather the failed units of every step, and count what is missing of each."""

from spinome.census.completeness import completeness, gather_failures
from spinome.io.tables import read_table, write_table
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
finished, failures = gather_failures(step.by_name(inputs, "finished"), inputs.failures)
missing = completeness(finished, failures, read_table(inputs.neurons) if inputs.neurons else None)
print(missing.to_string())
write_table(failures, output.failures)
write_table(missing, output.completeness)
