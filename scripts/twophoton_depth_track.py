"""Give the boxes of a stack that belong to one spine one id, and make one row a spine."""

from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.twophoton.depth_track import depth_track, summarise
from spinome.twophoton.detector import load_detector
from spinome.twophoton.registered import registered_grid

log_to(snakemake.log)
params = snakemake.params
boxes = read_table(snakemake.input.boxes)
threshold = params.score if params.score is not None else load_detector(snakemake.input.detector)[1]["threshold"]
_, voxel_um = registered_grid(snakemake.input.stack)
boxes["candidate"] = depth_track(boxes, params.gap_slices)
spines = summarise(boxes, boxes["candidate"])
spines["z_um"] = spines["z_slice"] * voxel_um[0]
spines["counts"] = spines["score"] >= threshold
print(f"{len(spines)} candidates, {spines['counts'].sum()} of them score at least {threshold}")
write_table(boxes, snakemake.output.boxes)
write_table(spines, snakemake.output.spines)
