"""Counts by cell, and fractions, counts and sizes by cell class beside published ones."""

from spinome.census.counts import READ, add_up_parts, count_by_cell, has_rows
from spinome.census.tables import census_by_class
from spinome.design import cell_samples, with_design
from spinome.io.datasets import parts_of
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
spines = {name.removeprefix("neurons-"): file for name, file in parts_of(inputs.spines).items()}


def counts():
    """What is counted of the neurons of one shard after another, and of those that no shard has a row of."""
    left = neurons
    for shard, file in parts_of(inputs.synapses).items():
        synapses, found = read_table(file, columns=READ), read_table(spines[shard])
        ours = has_rows(left, synapses, found)
        yield count_by_cell(synapses, found, params.classes, known, params.roots, left[ours])
        left = left[~ours]
    yield count_by_cell(synapses[:0], found[:0], params.classes, known, params.roots, left)


every = add_up_parts(counts())
write_table(with_design(every, cell_samples(every), params.design), output.counts)
write_table(census_by_class(every), output.classes)
