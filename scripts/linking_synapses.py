"""Find the two neurites of each synapse of a volume."""

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid, require_voxel_size
from spinome.linking.line_graph import synapse_centres, synapse_neurites
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
segments = open_labels(step.source(snakemake, "segmentation"), params.voxel_nm)
voxel_nm = require_voxel_size(segments)
if given := step.source(snakemake, "synapses"):
    synapses = open_labels(given, params.voxel_nm)
    require_same_grid([segments, synapses])
    centres = synapse_centres(synapses[:], voxel_nm)
else:
    centres = read_table(inputs.objects, ["synapse", "z_nm", "y_nm", "x_nm", "voxels"])
neurites = synapse_neurites(segments, centres, voxel_nm)
print(f"{len(neurites)} synapses, {(neurites['neurite_b'] != 0).sum()} of them between two neurites")
write_table(neurites, output[0])
