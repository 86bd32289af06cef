"""Teach the judge of two-photon candidates from what people answered, and keep the old one where that is not better."""

import numpy as np
import pandas as pd

from spinome.io.models import load_model
from spinome.io.tables import read_table
from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.conclude import conclude, save_taken
from spinome.review.learn import learn
from spinome.twophoton.judge import FEATURES, LEAST_SCORE, blocks, candidate_features, expected_threshold, judged
from spinome.twophoton.registered import read_registered
from spinome.twophoton.registered import standing as registered
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, candidates = step.by_name(inputs, "stacks"), step.by_name(inputs, "candidates")
file = step.model_file(snakemake)
old = load_model(file, FEATURES)
tables, features, groups = [], [], []
for name in registered(params.each, stacks):
    row, stack = params.each[name], read_registered(stacks[name])
    found = read_table(candidates[name])
    found = found[found["score"] >= LEAST_SCORE].reset_index(drop=True)
    found, described = candidate_features(stack.voxels, stack.voxel_um, found, old.card["depth"])
    probability = old.probabilities(described.to_numpy())[:, 1] if len(found) else np.zeros(0)
    scored = judged(found, probability, stack.voxel_um[0])
    kept = np.flatnonzero(found["candidate"].isin(scored["candidate"]))
    said = {name: row[name] for name in ("specimen", "field", "timepoint", "series")}
    tables.append(scored.assign(**said))
    features.append(described.to_numpy()[kept])
    groups.append(blocks(found, row["series"])[kept])
table = pd.concat(tables, ignore_index=True)
# as the run accepts them, each series from its own threshold on
least = table.groupby("series")["score"].transform(lambda scores: expected_threshold(scores, old.card["threshold"]))
table["accepted"] = table["score"] >= least
answers = candidates_said(standing(Answers(params.aside.answers).read()), "spine")
taken, scores, threshold = learn(
    table, np.concatenate(features), np.concatenate(groups), answers, old.card["threshold"], params.seed
)
said = conclude(scores, output.scores)
# how deep heads lie is what the old judge knows
save_taken(output.model, taken, said, old, file, depth=old.card["depth"], threshold=threshold)
