"""Train the detector on the series and field views that the configuration names."""

import numpy as np
import torch

from spinome.hashing import content_hash
from spinome.io.tables import write_table
from spinome.twophoton.detector import load_detector, save_detector
from spinome.twophoton.fields import read_fields
from spinome.twophoton.registered import read_registered, to_train_on
from spinome.twophoton.train import calibrate, fit
from spinome.twophoton.training_images import field_view, hold_out, stack_view
from spinome.twophoton.truth import read_truth
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
torch.set_num_threads(snakemake.threads)
stacks, spines, dendrites = (step.by_name(inputs, kind) for kind in ("stacks", "truth_spines", "truth_dendrites"))
settings, views = params.settings, []
for name in to_train_on(params.each, stacks, params.aside.max_failed_fraction):
    stack = read_registered(stacks[name])
    truth = read_truth(spines[name], dendrites.get(name), params.each[name]["timepoint"], stack.voxel_um)
    views.append(stack_view(stack.voxels, stack.voxel_um, *truth))
for number, folder in enumerate(inputs.fields):
    # one pixel for all folders, or one for each
    pixel_um = settings["pixel_um"][number % len(settings["pixel_um"])]
    views += [field_view(field, pixel_um, number) for field in read_fields(folder)]
training, held_out = hold_out(views)
print(f"{len(training)} views to train on, {len(held_out)} held out")
facts = [
    [list(view.stack.shape), float(view.stack.sum()), float(np.sum(view.spines)), view.folder, view.group]
    for view in views
]
start = load_detector(params.aside.start)[0] if params.aside.start else None
weights = [float(weight.double().sum()) for weight in start.parameters()] if start else []
key = content_hash(facts, weights, settings, params.seed, params.code)
checkpoint, steps = step.store(snakemake) / "checkpoint.pt", settings["steps"]
model, history = fit(training, held_out, steps, checkpoint, key, params.seed, start=start)
threshold, f1 = calibrate(model, held_out)
save_detector(output.model, model, {"threshold": threshold, "held_out_f1": f1, "steps": steps})
write_table(history, output.history)
