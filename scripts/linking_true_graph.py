"""The true line graph of a volume's synapses, and which detected synapse is which true one."""

import numpy as np
import pandas as pd

from spinome.gaps import labels_at_gaps
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid, require_voxel_size
from spinome.linking.line_graph import line_graph, rename_neurites, synapse_centres, synapse_neurites
from spinome.scores.graphs import match_synapses
from spinome.scores.objects import object_labels
from spinome.scores.overlap import overlaps
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
dense = params.aside.row["truth_segmentation"]
sources = [dense or step.source(snakemake, "segmentation")]
sources += [step.source(snakemake, column) for column in ("truth_synapses", "synapses")]
volumes = [open_labels(source, params.voxel_nm) for source in sources]
require_same_grid(volumes)
segments, truth, synapses = volumes
# a truth may state none, since it lies on the grid of the others
voxel_nm = require_voxel_size(next((volume for volume in volumes if volume.voxel_nm), segments))
true_labels = object_labels(truth[:])
centres = synapse_centres(true_labels, voxel_nm)
if inputs.gaps:
    # a true synapse where none could be looked for is not asked for
    cut = labels_at_gaps(true_labels, read_table(inputs.gaps))
    true_labels = np.where(np.isin(true_labels, cut), 0, true_labels)
    centres = centres[~centres["synapse"].isin(cut)]
    print(f"{len(cut)} true synapses are in cuboids that are not known")
neurites = synapse_neurites(segments, centres, voxel_nm)
if not dense:
    links = read_table(inputs.links)
    neurites = rename_neurites(neurites, dict(zip(links["orphan"].tolist(), links["shaft"].tolist())))
pairs = line_graph(neurites)
# those that are found here keep the labels that their table has
found = object_labels(synapses[:]) if params.aside.row["synapses"] else synapses[:]
match = match_synapses(*overlaps(found, true_labels))
print(f"{len(neurites)} true synapses, {len(pairs)} pairs, {len(match)} synapses found")
write_table(pd.DataFrame(pairs, columns=["synapse_a", "synapse_b"]), output.pairs)
write_table(pd.DataFrame(match.items(), columns=["synapse", "true"], dtype="int64"), output.matches)
