"""Gather the failed units of every step."""

from spinome.io.tables import concatenate, write_table
from spinome.logs import log_to
from spinome.shards import FAILURE_COLUMNS

log_to(snakemake.log)

failures = concatenate(snakemake.input, FAILURE_COLUMNS)[FAILURE_COLUMNS].astype(str)
write_table(failures.sort_values(FAILURE_COLUMNS, ignore_index=True), snakemake.output[0])
