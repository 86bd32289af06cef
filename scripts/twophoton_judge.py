"""Judge the candidates of a stack: which of them are spines."""

from spinome.io.models import load_model
from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.twophoton.judge import FEATURES, LEAST_SCORE, candidate_features, judged
from spinome.twophoton.registered import read_registered

log_to(snakemake.log)
spines = read_table(snakemake.input.spines)
threshold = 0.5
if snakemake.input.judge:
    stack = read_registered(snakemake.input.stack)
    model = load_model(snakemake.input.judge, FEATURES)
    spines = spines[spines["score"] >= LEAST_SCORE].reset_index(drop=True)
    features = candidate_features(stack.voxels, stack.voxel_um, spines)
    probability = model.probabilities(features.to_numpy())[:, 1] if len(spines) else features["score"].to_numpy()
    spines = judged(spines, features, probability, stack.voxel_um)
    threshold = model.card["threshold"]
threshold = snakemake.params.score if snakemake.params.score is not None else threshold
spines["counts"] = spines["score"] >= threshold
print(f"{len(spines)} candidates, {spines['counts'].sum()} of them score at least {threshold}")
write_table(spines, snakemake.output.spines)
