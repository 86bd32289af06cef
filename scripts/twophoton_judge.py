"""Judge the candidates of a series: which of them are spines, and whether the judge knows such series."""

import numpy as np
import pandas as pd
import tifffile

from spinome.io.models import load_model
from spinome.io.tables import read_table, write_table
from spinome.limits import tell_unlike
from spinome.twophoton.cross_session import agreed
from spinome.twophoton.judge import FEATURES, LEAST_SCORE, candidate_features, expected_threshold, judge_described
from spinome.twophoton.registered import read_registered, standing
from spinome.twophoton.traits import describe_session, judge_limits
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, candidates, projections = (step.by_name(inputs, kind) for kind in ("stacks", "candidates", "projections"))
names, file = standing(params.timepoints, stacks), step.model_file(snakemake)
sessions, threshold, described, card = [read_table(candidates[name]) for name in names], 0.5, [], {}
if file:
    model, voxels, sizes = load_model(file, FEATURES), [], []
    card = model.card
    if "depth" not in card:
        raise ValueError(f"{file}: does not say how deep heads lie; train the judge again with `twophoton.train_judge`")
    for number, name in enumerate(names):
        stack = read_registered(stacks[name])
        likely = sessions[number][sessions[number]["score"] >= LEAST_SCORE]
        found, features = candidate_features(stack.voxels, stack.voxel_um, likely, card["depth"], card.get("place"))
        sessions[number] = judge_described(found, features, model, stack.voxel_um[0])
        described.append(describe_session(features, stack.voxel_um))
        voxels.append(stack.voxel_um)
        sizes.append(stack.size_um)
    if params.across_sessions:
        images = [tifffile.imread(projections[name]) for name in names]
        sessions = agreed(sessions, images, voxels, sizes, **params.across_sessions)
    threshold = expected_threshold(np.concatenate([spines["score"].to_numpy(float) for spines in sessions]))
threshold = threshold if params.score is None else params.score
spines = pd.concat([own.assign(timepoint=name) for own, name in zip(sessions, names)], ignore_index=True)
series = {"specimen": snakemake.wildcards.specimen, "field": snakemake.wildcards.field}
spines = spines.assign(**series, accepted=spines["score"] >= threshold)
print(f"{len(spines)} candidates, {spines['accepted'].sum()} of them score at least {threshold}")
write_table(spines.astype({"timepoint": str}), output.spines)
name = f"{series['specimen']}.{series['field']}"
limits = pd.DataFrame([{"series": name} | judge_limits(described, card)])
print(*tell_unlike(limits, "judge of spines"), sep="\n")
write_table(limits, output.limits)
