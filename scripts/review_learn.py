"""Teach the judge of two-photon candidates from what people answered, and keep the old one where that is not better."""

import numpy as np
import pandas as pd

from spinome.io.models import load_model
from spinome.io.tables import read_table
from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.conclude import conclude, save_taken
from spinome.review.learn import learn
from spinome.review.learn_depth import at_first_depth, depths_taught, heads_seen, relearn_depth
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.judge import FEATURES, LEAST_SCORE, blocks, candidate_features, expected_threshold, judged
from spinome.twophoton.registered import read_registered
from spinome.twophoton.registered import standing as registered
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, candidates = step.by_name(inputs, "stacks"), step.by_name(inputs, "candidates")
file = step.model_file(snakemake)
old = load_model(file, FEATURES)
answers = candidates_said(standing(Answers(params.aside.answers).read()), "spine")
heads, depth = heads_seen(answers), old.card["depth"]
# depth first: candidates are described where they lie, and answers find them where people were asked about them
taught = [(np.zeros((0, len(ESTIMATES))), np.zeros(0), np.zeros(0, bool))]
for name in registered(params.each, stacks):
    row = params.each[name]
    own = heads[heads["unit"] == f"{row['specimen']}.{row['field']}.{row['timepoint']}"]
    if len(own):
        stack = read_registered(stacks[name])
        taught.append(depths_taught(stack.voxels, stack.voxel_um, read_table(candidates[name]), own, depth))
deeper, depths = relearn_depth(*(np.concatenate(parts) for parts in zip(*taught)), depth)
depth = deeper or depth
tables, ranked, moved, features, groups = [], [], [], [], []
for name in registered(params.each, stacks):
    row, stack = params.each[name], read_registered(stacks[name])
    found = read_table(candidates[name])
    found = found[found["score"] >= LEAST_SCORE].reset_index(drop=True)
    asked, described = candidate_features(stack.voxels, stack.voxel_um, found, old.card["depth"])
    probability = old.probabilities(described.to_numpy())[:, 1] if len(found) else np.zeros(0)
    scored = judged(asked, probability, stack.voxel_um[0])
    kept = np.flatnonzero(found["candidate"].isin(scored["candidate"]))
    ranked.append(scored["score"].to_numpy(float))
    deep = asked
    if deeper and len(found):
        deep, described = candidate_features(stack.voxels, stack.voxel_um, found, depth)
        scored["score"] = old.probabilities(described.to_numpy())[kept, 1]
    said = {name: row[name] for name in ("specimen", "field", "timepoint", "series")}
    tables.append(scored.assign(**said))
    moved.append(deep["z_um"].to_numpy(float)[kept])
    features.append(described.to_numpy()[kept])
    groups.append(blocks(found, row["series"])[kept])
table = pd.concat(tables, ignore_index=True)
# as the run accepted them, each series from its own threshold on
before = pd.Series(np.concatenate(ranked))
least = before.groupby(table["series"]).transform(lambda scores: expected_threshold(scores, old.card["threshold"]))
table["accepted"] = before >= least
if deeper:
    answers = at_first_depth(answers, table, table.assign(z_um=np.concatenate(moved)))
taken, scores, threshold = learn(
    table, np.concatenate(features), np.concatenate(groups), answers, old.card["threshold"], params.seed
)
said = conclude(scores.assign(**depths), output.scores)
# depths alone go with the judge of before
model = old.estimator if taken is None and deeper else taken
card = {name: old.card[name] for name in ("training data",) if name in old.card}
save_taken(output.model, model, said, old, file, depth=depth, threshold=threshold, **card)
