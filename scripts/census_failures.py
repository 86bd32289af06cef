"""Gather the failed units of every step, and count what is missing of each."""

from pathlib import Path

import pandas as pd

from spinome.census.completeness import completeness
from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.shards import FAILURE_COLUMNS

log_to(snakemake.log)
given, steps = snakemake.input, snakemake.params.steps
# of each step the units that went through
finished = {step: sum(len(read_table(table)) for table in given[step]) for step in steps}
tables = [pd.DataFrame(columns=FAILURE_COLUMNS)]
for path in given.failures:
    table, folder = read_table(path)[FAILURE_COLUMNS].astype(str), Path(path).parent.name
    if folder in snakemake.params.jobs:
        # a job is a unit
        finished[folder] = finished.get(folder, 0) + (not len(table))
    # the shards of a volume are in a folder of its name
    table["unit"] = table["unit"].where(table["step"] == folder, f"{folder}/" + table["unit"])
    tables.append(table)
failures = pd.concat(tables, ignore_index=True).astype(str).sort_values(FAILURE_COLUMNS, ignore_index=True)
missing = completeness(finished, failures, read_table(given.neurons) if given.neurons else None)
print(missing.to_string())
write_table(failures, snakemake.output.failures)
write_table(missing, snakemake.output.completeness)
