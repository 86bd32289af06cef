"""Fractions, counts and sizes by cell class, beside published ones."""

from spinome.census.tables import census_by_class
from spinome.io.tables import read_table, write_table
from spinome.logs import log_to

log_to(snakemake.log)

spines = read_table(snakemake.input.spines)
table = census_by_class(
    read_table(snakemake.input.synapses), spines[spines["source"] == "neurons"], snakemake.params.classes
)
write_table(table, snakemake.output[0])
