"""Measure the spines and dendrites of a stack."""

from spinome.io.tables import read_table, write_table
from spinome.twophoton.corrections import correct_spines, table_of
from spinome.twophoton.measure import measure_stack
from spinome.twophoton.registered import read_registered
from spinome.twophoton.truth import read_truth_dendrites
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stack, timepoint = read_registered(inputs.stack), snakemake.wildcards.timepoint
candidates = read_table(inputs.spines)
candidates = candidates[candidates["timepoint"] == timepoint].drop(columns=["specimen", "field", "timepoint"])
spines, outcomes = correct_spines(candidates, table_of(params.corrections), stack.voxel_um[0])
spines = spines[spines["accepted"]].drop(columns="accepted")
traced = read_truth_dendrites(inputs.dendrites, timepoint, stack.voxel_um) if inputs.dendrites else None
spines, dendrites = measure_stack(stack.voxels, stack.voxel_um, spines, params.psf_xy_um, params.psf_z_um, given=traced)
write_table(spines, output.spines)
write_table(dendrites, output.dendrites)
write_table(outcomes, output.corrections)
