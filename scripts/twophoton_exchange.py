"""Write a series for others: tracked boxes in the columns of SynapFlow, and what a person should look at."""

from spinome.io.synapflow import tracked_boxes, write_tracks
from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.twophoton.registered import registered_grid
from spinome.twophoton.review import review_form

log_to(snakemake.log)
inputs = snakemake.input
spines = read_table(inputs.spines)
tables = []
for (timepoint, _), boxes, stack in zip(snakemake.params.sessions, inputs.boxes, inputs.stacks):
    own = spines.loc[spines["timepoint"] == timepoint].set_index("candidate")["spine"]
    shape, voxel_um = registered_grid(stack)
    name = f"{snakemake.wildcards.specimen}.{snakemake.wildcards.field}.{timepoint}"
    tables.append(tracked_boxes(read_table(boxes), own, name, shape, voxel_um))
write_tracks(snakemake.output.tracks, tables)
timepoints = [timepoint for timepoint, _ in snakemake.params.sessions]
form = review_form(spines, read_table(inputs.links), read_table(inputs.expected), timepoints)
write_table(form, snakemake.output.review)
