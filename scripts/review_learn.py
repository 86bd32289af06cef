"""Teach the judge of two-photon candidates from what people answered, and keep the old one where that is not better."""

import shutil

import numpy as np
import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.models import Model, load_model, save_model
from spinome.io.tables import read_table, write_table
from spinome.review.answers import Answers, standing
from spinome.review.learn import learn, spines_said
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
answers = spines_said(standing(Answers(params.aside.answers).read()))
taken, scores, threshold = learn(
    table, np.concatenate(features), np.concatenate(groups), answers, old.card["threshold"], params.seed
)
print(scores.T.to_string())
write_table(scores, output.scores)
if taken is None:
    with atomic(output.model) as part:
        shutil.copyfile(file, part)
else:
    # how deep heads lie is what the old judge knows
    card = {"learned_from_answers": scores.astype(object).iloc[0].to_dict(), "taught_by": old.card}
    card |= {"depth": old.card["depth"]}
    save_model(output.model, Model(taken, FEATURES, card | {"threshold": threshold}))
