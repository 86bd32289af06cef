"""Counts by cell, and fractions, counts and sizes by cell class beside published ones."""

from spinome.census.counts import count_parts
from spinome.census.tables import census_by_class
from spinome.design import cell_samples, with_design
from spinome.io.tables import read_table, write_table
from spinome.workflow import step
from spinome.workflow.samples import CellRow, read_sheet

inputs, params, output = step.begin(snakemake)
known = {
    row.root_id: row.classes
    for sheet in inputs.cells
    for row in read_sheet(sheet, CellRow, design=params.design["columns"])
}
neurons = read_table(inputs.neurons)
every = count_parts(inputs.synapses, inputs.spines, neurons, params.classes, known, params.roots)
write_table(with_design(every, cell_samples(every), params.design), output.counts)
write_table(census_by_class(every), output.classes)
