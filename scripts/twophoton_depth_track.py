"""Give the boxes of a stack that belong to one spine one id, and make one row a spine."""

from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detector import load_detector
from spinome.twophoton.registered import read_registered

log_to(snakemake.log)
params = snakemake.params
boxes = read_table(snakemake.input.boxes)
threshold = params.score if params.score is not None else load_detector(snakemake.input.detector)[1]["threshold"]
stack = read_registered(snakemake.input.stack)
spines, boxes["candidate"] = find_spines(boxes, stack.voxels, stack.voxel_um, params.gap_slices)
spines["counts"] = spines["score"] >= threshold
print(f"{len(spines)} candidates, {spines['counts'].sum()} of them score at least {threshold}")
write_table(boxes, snakemake.output.boxes)
write_table(spines, snakemake.output.spines)
