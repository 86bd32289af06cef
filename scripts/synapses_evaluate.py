"""Score found synapses against the true ones of all volumes that have truth."""

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels
from spinome.synapses.evaluate import compare, evaluate
from spinome.workflow import step

step.begin(snakemake)
params = snakemake.params
objects = read_table(snakemake.input.objects)
compared = [
    compare(open_labels(truth), open_labels(labels), objects[objects["volume"] == volume])
    for (volume, truth), labels in zip(params.truth.items(), snakemake.input.labels)
]
write_table(evaluate(compared, params.seed), snakemake.output[0])
