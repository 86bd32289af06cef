"""Score found synapses against the true ones of all volumes that have truth."""

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels
from spinome.logs import log_to
from spinome.synapses.evaluate import compare, evaluate

log_to(snakemake.log)
params = snakemake.params
objects, gaps = read_table(snakemake.input.objects), read_table(snakemake.input.gaps)
compared = [
    compare(
        open_labels(truth),
        open_labels(labels),
        objects[objects["volume"] == volume],
        gaps[gaps["volume"] == volume],
    )
    for (volume, truth), labels in zip(params.truth.items(), snakemake.input.labels)
]
write_table(evaluate(compared, params.seed), snakemake.output[0])
