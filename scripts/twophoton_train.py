"""Train the detector on the series and field views that the configuration names."""

import numpy as np
import torch

from spinome.io.tables import write_table
from spinome.logs import log_to
from spinome.provenance import content_hash
from spinome.twophoton.detector import save_detector
from spinome.twophoton.registered import read_registered
from spinome.twophoton.train import calibrate, fit, hold_out, read_fields, stack_view
from spinome.twophoton.truth import read_truth_spines

log_to(snakemake.log)
torch.set_num_threads(snakemake.threads)
inputs, params = snakemake.input, snakemake.params
settings = params.settings
views = []
for path, truth, timepoint in zip(inputs.stacks, inputs.truths, params.timepoints):
    stack = read_registered(path)
    views.append(stack_view(stack.voxels, stack.voxel_um, read_truth_spines(truth, timepoint, stack.voxel_um)))
if settings["fields"]:
    views += read_fields(settings["fields"], settings["box_um"])
training, held_out = hold_out(views)
print(f"{len(training)} views to train on, {len(held_out)} held out")
facts = [[list(view.stack.shape), float(view.stack.sum()), float(np.sum(view.spines))] for view in views]
key = content_hash(facts, settings, params.seed, params.code)
model, history = fit(training, held_out, settings["steps"], params.checkpoint, key, params.seed)
threshold, f1 = calibrate(model, held_out)
save_detector(snakemake.output.model, model, {"threshold": threshold, "held_out_f1": f1, "steps": settings["steps"]})
write_table(history, snakemake.output.history)
