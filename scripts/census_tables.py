"""Counts by cell, and fractions, counts and sizes by cell class beside published ones."""

from spinome.census.counts import count_by_cell
from spinome.census.tables import census_by_class
from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.samples import Cell, read_sheet

log_to(snakemake.log)

inputs = snakemake.input
spines = read_table(inputs.spines)
cells = inputs.get("cells")
known = {row.root_id: row.classes for row in read_sheet(cells, Cell)} if cells else {}
counts = count_by_cell(
    read_table(inputs.synapses),
    spines[spines["source"] == "neurons"],
    snakemake.params.classes,
    known,
    snakemake.params.roots,
    read_table(inputs.neurons),
)
write_table(counts, snakemake.output.counts)
write_table(census_by_class(counts), snakemake.output.classes)
