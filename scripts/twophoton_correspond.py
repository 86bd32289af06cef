"""Where the spines of each session of a series should lie in the sessions beside it."""

import tifffile

from spinome.columns import POSITION
from spinome.io.tables import read_table, write_table
from spinome.twophoton.correspond import correspond_series
from spinome.twophoton.registered import registered_grid, standing
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, spines, projections = (step.by_name(inputs, kind) for kind in ("stacks", "spines", "projections"))
names = standing(params.timepoints, stacks)
expected, shifts = correspond_series(
    [read_table(spines[name])[POSITION].to_numpy(float) for name in names],
    [tifffile.imread(projections[name]) for name in names],
    [registered_grid(stacks[name])[1] for name in names],
    params.max_shift_um,
    params.gate_um,
    params.gap_sessions,
)
print(shifts.to_string())
write_table(expected, output.expected)
write_table(shifts, output.shifts)
