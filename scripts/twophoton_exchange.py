"""Write a series for others: boxes in the columns of SynapFlow, tracks for napari, and what a person should look at."""

from spinome.io.napari import napari_tracks
from spinome.io.synapflow import stack_boxes, tracked_boxes, write_boxes
from spinome.io.tables import read_table, write_table
from spinome.twophoton.registered import registered_grid, standing
from spinome.twophoton.review import review_form
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, tables = step.by_name(inputs, "stacks"), step.by_name(inputs, "boxes")
spines, timepoints = read_table(inputs.spines), standing(params.timepoints, stacks)
detected, tracked = [], []
for timepoint in timepoints:
    own, boxes = spines[spines["timepoint"] == timepoint], read_table(tables[timepoint])
    place = (".".join([*snakemake.wildcards, timepoint]), *registered_grid(stacks[timepoint]))
    detected.append(stack_boxes(boxes, *place))
    tracked.append(tracked_boxes(boxes, own, *place))
write_boxes(output.detections, detected)
write_boxes(output.tracks, tracked)
write_table(napari_tracks(spines, timepoints), output.napari)
form = review_form(spines, read_table(inputs.links), read_table(inputs.expected), timepoints)
write_table(form, output.review)
