"""Judge the candidates of a series: which of them are spines."""

import pandas as pd
import tifffile

from spinome.io.models import load_model
from spinome.io.tables import read_table, write_table
from spinome.twophoton.agreement import agreed_scores
from spinome.twophoton.judge import FEATURES, LEAST_SCORE, candidate_features, judged
from spinome.twophoton.registered import read_registered, standing
from spinome.workflow import step

step.begin(snakemake)
inputs, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
model = load_model(inputs.judge, FEATURES) if inputs.judge else None
stacks, names, paths, images = standing(inputs.stacks, params.timepoints, inputs.spines, inputs.projections)
sessions, voxels, sizes = [], [], []
for path, table in zip(stacks, paths):
    spines, stack = read_table(table), read_registered(path)
    if model:
        spines = spines[spines["score"] >= LEAST_SCORE].reset_index(drop=True)
        features = candidate_features(stack.voxels, stack.voxel_um, spines)
        probability = model.probabilities(features.to_numpy())[:, 1] if len(spines) else features["score"].to_numpy()
        spines = judged(spines, features, probability, stack.voxel_um)
    sessions.append(spines)
    voxels.append(stack.voxel_um)
    sizes.append(stack.size_um)
# scores of another detector are no probabilities
if model and params.across_sessions:
    projections = [tifffile.imread(path) for path in images]
    scores = agreed_scores(sessions, projections, voxels, sizes, params.max_shift_um, params.gate_um)
    sessions = [spines.assign(score=score) for spines, score in zip(sessions, scores)]
threshold = params.score if params.score is not None else model.card["threshold"] if model else 0.5
spines = pd.concat([own.assign(timepoint=name) for own, name in zip(sessions, names)], ignore_index=True)
spines = spines.assign(specimen=wildcards.specimen, field=wildcards.field, counts=spines["score"] >= threshold)
print(f"{len(spines)} candidates, {spines['counts'].sum()} of them score at least {threshold}")
write_table(spines.astype({"timepoint": str}), snakemake.output.spines)
