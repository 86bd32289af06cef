"""Draw the figures of the census."""

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.report.census import draw_all
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
with atomic(output[0]) as folder:
    draw_all(folder, **{name: read_table(path) for name, path in inputs.items()})
