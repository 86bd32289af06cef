"""Measure the spines and dendrites of a stack."""

import numpy as np

from spinome.io.tables import read_table, write_table
from spinome.twophoton.backbone import given_backbones, lengths, nearest_backbone, place_along, trace
from spinome.twophoton.corrections import correct_spines, table_of
from spinome.twophoton.measure import measure, saturation
from spinome.twophoton.registered import read_registered
from spinome.twophoton.shaft import shafts
from spinome.twophoton.truth import read_truth_dendrites
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stack = read_registered(inputs.stack)
candidates = read_table(inputs.spines)
candidates = candidates[candidates["timepoint"] == snakemake.wildcards.timepoint].reset_index(drop=True)
candidates = candidates.drop(columns=["specimen", "field", "timepoint"])
spines, outcomes = correct_spines(candidates, table_of(params.corrections), stack.voxel_um[0])
spines = spines[spines["counts"]].drop(columns="counts")
ceiling = saturation(stack.voxels)
voxels = stack.voxels.astype(np.float32)
found = shafts(voxels, stack.voxel_um[1:])
spines = measure(voxels, stack.voxel_um, spines, params.psf_xy_um, params.psf_z_um, ceiling, found)
if inputs.dendrites:
    given = read_truth_dendrites(inputs.dendrites, snakemake.wildcards.timepoint, stack.voxel_um)
    backbones = given_backbones(given)
    spines["dendrite"] = nearest_backbone(spines, backbones)
else:
    backbones = trace(voxels, stack.voxel_um, found)
write_table(spines.assign(along_um=place_along(spines, backbones)), output.spines)
write_table(lengths(backbones), output.dendrites)
write_table(outcomes, output.corrections)
