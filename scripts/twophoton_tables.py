"""The tables of all series: spines, links, corrections, turnover, survival and changes of size."""

import pandas as pd

from spinome.io.tables import concatenate, write_table
from spinome.logs import log_to
from spinome.twophoton.dynamics import survival, turnover
from spinome.twophoton.size_changes import size_changes

log_to(snakemake.log)
inputs, output = snakemake.input, snakemake.output
spines = concatenate(inputs.spines)
sessions = pd.DataFrame(snakemake.params.sessions, columns=["specimen", "field", "timepoint", "day"])
write_table(spines, output.spines)
write_table(concatenate(inputs.links), output.links)
write_table(concatenate(inputs.corrections), output.corrections)
for name, table in (("turnover", turnover), ("survival", survival), ("size_changes", size_changes)):
    write_table(table(spines, sessions, snakemake.params.seed), output[name])
