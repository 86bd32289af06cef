"""One table of spines, one of links, one of corrections and one of turnover from all series."""

import pandas as pd

from spinome.io.tables import concatenate, write_table
from spinome.logs import log_to
from spinome.twophoton.dynamics import turnover

log_to(snakemake.log)
spines = concatenate(snakemake.input.spines)
sessions = pd.DataFrame(snakemake.params.sessions, columns=["specimen", "field", "timepoint", "day"])
write_table(spines, snakemake.output.spines)
write_table(concatenate(snakemake.input.links), snakemake.output.links)
write_table(turnover(spines, sessions, snakemake.params.seed), snakemake.output.turnover)
write_table(concatenate(snakemake.input.corrections), snakemake.output.corrections)
