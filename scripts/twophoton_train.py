"""Train the detector on the series and field views that the configuration names."""

import numpy as np
import torch

from spinome.hashing import content_hash
from spinome.io.tables import write_table
from spinome.twophoton.detector import load_detector, save_detector
from spinome.twophoton.registered import read_registered, to_train_on
from spinome.twophoton.train import calibrate, fit
from spinome.twophoton.truth import read_truth_dendrites, read_truth_spines
from spinome.twophoton.views import field_view, hold_out, read_fields, stack_view
from spinome.workflow import step

step.begin(snakemake)
torch.set_num_threads(snakemake.threads)
inputs, params = snakemake.input, snakemake.params
settings = params.settings
views = []
for path, row in zip(*to_train_on(params.max_failed_fraction, inputs.stacks, params.rows)):
    stack = read_registered(path)
    truth = read_truth_spines(row["truth_spines"], row["timepoint"], stack.voxel_um)
    traced = row["truth_dendrites"]
    dendrites = read_truth_dendrites(traced, row["timepoint"], stack.voxel_um) if traced else None
    views.append(stack_view(stack.voxels, stack.voxel_um, truth, dendrites))
if settings["fields"]:
    views += [field_view(*field, settings["pixel_um"]) for field in read_fields(settings["fields"])]
training, held_out = hold_out(views)
print(f"{len(training)} views to train on, {len(held_out)} held out")
facts = [[list(view.stack.shape), float(view.stack.sum()), float(np.sum(view.spines))] for view in views]
start = load_detector(settings["start"])[0] if settings["start"] else None
weights = [float(weight.double().sum()) for weight in start.parameters()] if start else []
key = content_hash(facts, weights, settings, params.seed, params.code)
model, history = fit(training, held_out, settings["steps"], params.checkpoint, key, params.seed, start=start)
threshold, f1 = calibrate(model, held_out)
save_detector(snakemake.output.model, model, {"threshold": threshold, "held_out_f1": f1, "steps": settings["steps"]})
write_table(history, snakemake.output.history)
