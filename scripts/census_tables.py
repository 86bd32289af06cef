"""Counts by cell, and fractions, counts and sizes by cell class beside published ones."""

from spinome.census.counts import count_by_cell
from spinome.census.tables import census_by_class
from spinome.design import cell_samples, with_design
from spinome.io.tables import read_table, write_table
from spinome.workflow import step
from spinome.workflow.samples import CellRow, read_sheet

inputs, params, output = step.begin(snakemake)
spines = read_table(inputs.spines)
known = {
    row.root_id: row.classes
    for sheet in inputs.cells
    for row in read_sheet(sheet, CellRow, design=params.design["columns"])
}
counts = count_by_cell(
    read_table(inputs.synapses),
    spines[spines["source"] == "neurons"],
    params.classes,
    known,
    params.roots,
    read_table(inputs.neurons),
)
write_table(with_design(counts, cell_samples(counts), params.design), output.counts)
write_table(census_by_class(counts), output.classes)
