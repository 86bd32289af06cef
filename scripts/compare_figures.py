"""Draw the comparisons of conditions."""

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.report.compare import draw_all
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
with atomic(output[0]) as folder:
    draw_all(folder, read_table(inputs.comparisons), read_table(inputs.points))
