"""Train the heat map of heads on the series that the configuration names."""

import torch

from spinome.twophoton.heatmap import save_finder
from spinome.twophoton.registered import read_registered, to_train_on
from spinome.twophoton.train_heatmap import teach, teacher
from spinome.twophoton.truth import read_truth
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
torch.set_num_threads(snakemake.threads)
stacks = step.by_name(inputs, "stacks")
spines, dendrites = step.by_name(inputs, "truth_spines"), step.by_name(inputs, "truth_dendrites")
teachers, truths = [], 0
for name in to_train_on(params.each, stacks, params.aside.max_failed_fraction):
    row, stack = params.each[name], read_registered(stacks[name])
    truth, traced = read_truth(spines[name], dendrites.get(name), row["timepoint"], stack.voxel_um)
    teachers.append(teacher(stack.voxels, stack.voxel_um, truth, traced, row["simulated"]))
    truths += len(truth)
series = sorted({row["series"] for row in params.each.values()})
finder = teach(teachers, series, seed=params.seed)
save_finder(output.model, finder, {"spines": truths})
