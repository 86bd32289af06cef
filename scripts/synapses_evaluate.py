"""Score found synapses against the true ones of all volumes that have truth."""

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels
from spinome.synapses.objects.evaluate import compare, evaluate
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
objects, gaps = read_table(inputs.objects), read_table(inputs.gaps)
labels = step.by_name(inputs, "labels")
compared = [
    compare(
        open_labels(row["truth_synapses"], row["voxel_nm"]),
        open_labels(labels[volume]),
        objects[objects["volume"] == volume],
        gaps[gaps["volume"] == volume],
    )
    for volume, row in params.aside.rows.items()
]
write_table(evaluate(compared, params.seed), output[0])
