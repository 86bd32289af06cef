"""Match the spines of specimens that several branches saw in one frame."""

from spinome.census.matches import match_views
from spinome.io.tables import read_table, write_table
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
write_table(match_views(read_table(inputs.spines)), output[0])
