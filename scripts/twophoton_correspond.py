"""Where the spines of each session of a series should lie in the sessions beside it."""

import tifffile

from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.twophoton.correspond import POSITION, correspond_series
from spinome.twophoton.registered import registered_grid

log_to(snakemake.log)
inputs, params = snakemake.input, snakemake.params
places = [read_table(path)[POSITION].to_numpy(float) for path in inputs.spines]
projections = [tifffile.imread(path) for path in inputs.projections]
voxels = [registered_grid(path)[1] for path in inputs.stacks]
expected, shifts = correspond_series(
    places, projections, voxels, params.max_shift_um, params.gate_um, params.gap_sessions
)
print(shifts.to_string())
write_table(expected, snakemake.output.expected)
write_table(shifts, snakemake.output.shifts)
