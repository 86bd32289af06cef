"""Match the spines of specimens that several branches saw in one frame."""

from spinome.census.matches import match_views
from spinome.io.tables import read_table, write_table
from spinome.logs import log_to

log_to(snakemake.log)

write_table(match_views(read_table(snakemake.input[0])), snakemake.output[0])
