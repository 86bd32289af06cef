"""Give the boxes of a stack that belong to one spine one id, and make one row per candidate."""

from spinome.io.tables import read_table, write_table
from spinome.twophoton.depth_track import find_spines, given_spines
from spinome.twophoton.registered import read_registered, registered_grid
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
boxes = read_table(inputs.boxes)
if params.given:
    _, voxel_um = registered_grid(inputs.stack)
    spines, boxes["candidate"] = given_spines(boxes, voxel_um[0], params.gap_slices)
else:
    stack = read_registered(inputs.stack)
    spines, boxes["candidate"] = find_spines(boxes, stack.voxels, stack.voxel_um, params.gap_slices)
print(f"{len(boxes)} boxes of {len(spines)} candidates")
write_table(boxes, output.boxes)
write_table(spines, output.spines)
