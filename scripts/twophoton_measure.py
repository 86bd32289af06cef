"""Measure the spines of a stack."""

import numpy as np

from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.twophoton.corrections import correct_spines, table_of
from spinome.twophoton.measure import measure, saturation
from spinome.twophoton.registered import read_registered

log_to(snakemake.log)
params = snakemake.params
stack = read_registered(snakemake.input.stack)
candidates = read_table(snakemake.input.spines)
spines, outcomes = correct_spines(candidates, table_of(params.corrections), stack.voxel_um[0])
spines = spines[spines["counts"]].drop(columns="counts")
ceiling = saturation(stack.voxels)
voxels = stack.voxels.astype(np.float32)
write_table(
    measure(voxels, stack.voxel_um, spines, params.psf_xy_um, params.psf_z_um, ceiling), snakemake.output.spines
)
write_table(outcomes, snakemake.output.corrections)
