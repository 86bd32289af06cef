"""Where the spines of each session of a series should lie in the sessions beside it."""

import tifffile

from spinome.io.tables import read_table, write_table
from spinome.twophoton.correspond import POSITION, correspond_series
from spinome.twophoton.registered import registered_grid, standing
from spinome.workflow import step

step.begin(snakemake)
inputs, params = snakemake.input, snakemake.params
stacks, tables, images = standing(inputs.stacks, inputs.spines, inputs.projections)
places = [read_table(path)[POSITION].to_numpy(float) for path in tables]
projections = [tifffile.imread(path) for path in images]
voxels = [registered_grid(path)[1] for path in stacks]
expected, shifts = correspond_series(
    places, projections, voxels, params.max_shift_um, params.gate_um, params.gap_sessions
)
print(shifts.to_string())
write_table(expected, snakemake.output.expected)
write_table(shifts, snakemake.output.shifts)
