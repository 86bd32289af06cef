"""Draw the figures of the census."""

from spinome.io.atomic import atomic
from spinome.io.datasets import count_rows, sample_rows
from spinome.io.tables import read_table
from spinome.report.census import draw_all
from spinome.report.style import MOST_ROWS
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
with atomic(output[0]) as folder:
    tables = {name: read_table(path) for name, path in inputs.items() if name != "spines"}
    draw_all(folder, sample_rows(inputs.spines, None, MOST_ROWS), **tables, rows=count_rows(inputs.spines))
