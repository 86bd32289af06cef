"""Train the forest that judges candidates on the series that the configuration names."""

import numpy as np

from spinome.io.models import Model, save_model
from spinome.io.tables import read_table
from spinome.twophoton.judge import (
    FEATURES,
    LEAST_SCORE,
    TRAINED_UM,
    blocks,
    candidate_features,
    label_candidates,
    train_judge,
)
from spinome.twophoton.registered import read_registered, to_train_on
from spinome.twophoton.truth import distance_to_dendrites, read_truth_dendrites, read_truth_spines
from spinome.workflow import step

step.begin(snakemake)
inputs, params = snakemake.input, snakemake.params
features, labels, groups, truths = [], [], [], 0
known = to_train_on(params.max_failed_fraction, inputs.stacks, params.rows, inputs.candidates)
for path, row, candidates in zip(*known):
    stack, spines = read_registered(path), read_table(candidates)
    spines = spines[spines["score"] >= LEAST_SCORE]
    truth = read_truth_spines(row["truth_spines"], row["timepoint"], stack.voxel_um)
    used = np.ones(len(spines), bool)
    if row["truth_dendrites"]:
        dendrites = read_truth_dendrites(row["truth_dendrites"], row["timepoint"], stack.voxel_um)
        used = distance_to_dendrites(spines[["z_um", "y_um", "x_um"]].to_numpy(float), dendrites) <= TRAINED_UM
    features.append(candidate_features(stack.voxels, stack.voxel_um, spines).to_numpy()[used])
    labels.append(label_candidates(spines, truth, stack.voxel_um[0])[used])
    groups.append(blocks(spines, f"{row['specimen']}.{row['field']}")[used])
    truths += len(truth)
table, label = np.concatenate(features), np.concatenate(labels)
model, threshold, f1 = train_judge(table, label, np.concatenate(groups), truths, params.seed)
series = sorted({f"{row['specimen']}.{row['field']}" for row in params.rows})
card = {"trained_on": series, "spines": truths, "candidates": len(label), "threshold": threshold, "unseen_f1": f1}
print(card)
save_model(snakemake.output.model, Model(model, FEATURES, card))
