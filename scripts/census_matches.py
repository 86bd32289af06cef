"""Match the spines of specimens that several branches saw in one frame."""

from spinome.census.matches import match_views
from spinome.io.datasets import read_rows
from spinome.io.tables import read_table, write_table
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
seen = read_table(inputs.specimens)
# a specimen that one view alone saw has nothing to match
several = seen.loc[seen.duplicated("specimen", keep=False), "specimen"].unique()
write_table(match_views(read_rows(inputs.spines, "specimen", several)), output[0])
