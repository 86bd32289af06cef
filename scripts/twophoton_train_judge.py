"""Train the forest that judges candidates on the series that the configuration names."""

import numpy as np

from spinome.io.models import Model, save_model
from spinome.io.tables import read_table
from spinome.twophoton.depth import learn_depth
from spinome.twophoton.judge import (
    FEATURES,
    LEAST_SCORE,
    candidate_features,
    depth_examples,
    place_examples,
    taught,
    train_judge,
)
from spinome.twophoton.place import learn_place
from spinome.twophoton.registered import read_registered, to_train_on
from spinome.twophoton.traits import describe_session, known_of
from spinome.twophoton.truth import read_truth
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, candidates = step.by_name(inputs, "stacks"), step.by_name(inputs, "candidates")
spines, dendrites = step.by_name(inputs, "truth_spines"), step.by_name(inputs, "truth_dendrites")
rows, names = params.each, to_train_on(params.each, stacks, params.aside.max_failed_fraction)


def teaching(name):
    """Stack, voxel size, candidates and truth of a stack."""
    stack = read_registered(stacks[name])
    truth, traced = read_truth(spines[name], dendrites.get(name), rows[name]["timepoint"], stack.voxel_um)
    return stack.voxels, stack.voxel_um, read_table(candidates[name]), truth, traced


# depth first: candidates are described where they lie; simulated slices say little of how light spreads in tissue
real = [name for name in names if not rows[name]["simulated"]]
depths = [depth_examples(*teaching(name)[:4]) for name in real or names]
depth = learn_depth(*(np.concatenate(parts) for parts in zip(*depths)))
examples = [place_examples(*teaching(name)[:4], depth) for name in real or names]
*around, offsets = (np.concatenate(parts) for parts in zip(*examples))
place = learn_place(around, offsets)
learned, simulated, sessions, truths = [], [], [], 0
for name in names:
    voxels, voxel_um, found, truth, traced = teaching(name)
    likely = found[found["score"] >= LEAST_SCORE]
    described = candidate_features(voxels, voxel_um, likely, depth, place)
    learned.append(taught(*described, truth, traced, rows[name]["series"], voxel_um[0]))
    simulated.append(np.full(len(learned[-1][1]), name not in real))
    sessions.append(describe_session(described[1], voxel_um))
    truths += len(truth) if name in (real or names) else 0
features, labels, groups = (np.concatenate(parts) for parts in zip(*learned))
model, threshold, f1 = train_judge(features, labels, groups, truths, params.seed, np.concatenate(simulated))
series = sorted({row["series"] for row in rows.values()})
card = {"trained_on": series, "spines": truths, "candidates": len(labels), "threshold": threshold, "unseen_f1": f1}
card |= {"depth": depth, "place": place, "training data": known_of(sessions).for_card()}
print(card)
save_model(output.model, Model(model, FEATURES, card))
