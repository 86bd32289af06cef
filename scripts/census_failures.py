"""Gather the failed units of every step."""

from spinome.failures import COLUMNS
from spinome.io.tables import concatenate, write_table
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
failures = concatenate(inputs, COLUMNS)[COLUMNS].astype(str)
write_table(failures.sort_values(COLUMNS, ignore_index=True), output[0])
