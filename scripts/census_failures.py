"""Gather the failed units of every step, and count what is missing of each."""

from pathlib import Path

import pandas as pd

from spinome.census.completeness import completeness
from spinome.failures import COLUMNS
from spinome.io.tables import read_table, write_table
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
# units that went through by step
finished = {
    name: sum(len(read_table(table)) for table in tables) for name, tables in step.by_name(inputs, "finished").items()
}
tables = [pd.DataFrame(columns=COLUMNS)]
for path in inputs.failures:
    table, folder = read_table(path)[COLUMNS].astype(str), Path(path).parent.name
    if folder in params.jobs:
        # a job is a unit
        finished[folder] = finished.get(folder, 0) + (not len(table))
    # the shards of a volume are in a folder of its name
    table["unit"] = table["unit"].where(table["step"] == folder, f"{folder}/" + table["unit"])
    tables.append(table)
failures = pd.concat(tables, ignore_index=True).astype(str).sort_values(COLUMNS, ignore_index=True)
missing = completeness(finished, failures, read_table(inputs.neurons) if inputs.neurons else None)
print(missing.to_string())
write_table(failures, output.failures)
write_table(missing, output.completeness)
