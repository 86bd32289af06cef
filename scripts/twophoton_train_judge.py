"""Train the forest that judges candidates on the series that the configuration names."""

import numpy as np

from spinome.io.models import Model, save_model
from spinome.io.tables import read_table
from spinome.twophoton.judge import FEATURES, examples, train_judge
from spinome.twophoton.registered import read_registered, to_train_on
from spinome.twophoton.truth import read_truth
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, candidates = step.by_name(inputs, "stacks"), step.by_name(inputs, "candidates")
spines, dendrites = step.by_name(inputs, "truth_spines"), step.by_name(inputs, "truth_dendrites")
rows, learned, truths = params.each, [], 0
for name in to_train_on(rows, stacks, params.aside.max_failed_fraction):
    row, stack = rows[name], read_registered(stacks[name])
    truth, traced = read_truth(spines[name], dendrites.get(name), row["timepoint"], stack.voxel_um)
    found = read_table(candidates[name])
    learned.append(examples(stack.voxels, stack.voxel_um, found, truth, traced, row["series"]))
    truths += len(truth)
features, labels, groups = (np.concatenate(parts) for parts in zip(*learned))
model, threshold, f1 = train_judge(features, labels, groups, truths, params.seed)
series = sorted({row["series"] for row in rows.values()})
card = {"trained_on": series, "spines": truths, "candidates": len(labels), "threshold": threshold, "unseen_f1": f1}
print(card)
save_model(output.model, Model(model, FEATURES, card))
