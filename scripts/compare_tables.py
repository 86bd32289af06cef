"""Join all comparisons, and correct the p-values of those named together."""

from spinome.compare.tables import correct, join, read_schema
from spinome.io.tables import read_table, write_table
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
schema = read_schema(params.aside.schema)
comparisons = correct(join(map(read_table, inputs.effects), schema["comparisons"]))
write_table(comparisons, output.comparisons)
write_table(comparisons, output.comparisons_csv)
write_table(join(map(read_table, inputs.points), schema["points"]), output.points)
write_table(join(map(read_table, inputs.plans), schema["plans"]), output.plans)
