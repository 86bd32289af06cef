"""Find the candidates of a stack again by the detector that learned from answers, if one did."""

import shutil
from pathlib import Path

import torch

from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.review.conclude import is_nothing
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import load_detector
from spinome.twophoton.registered import read_registered
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
torch.set_num_threads(snakemake.threads)
if not is_nothing(inputs.model):
    stack, (model, _) = read_registered(inputs.stack), load_detector(inputs.model)
    boxes = detect(stack.voxels, stack.voxel_um, model)
    spines, boxes["candidate"] = find_spines(boxes, stack.voxels, stack.voxel_um, params.gap_slices)
    print(f"{len(boxes)} boxes of {len(spines)} candidates")
    write_table(boxes, output.boxes)
    write_table(spines, output.spines)
else:
    # what was found before the answers holds on
    for before, now in ((inputs.boxes, output.boxes), (inputs.spines, output.spines)):
        with atomic(Path(now)) as part:
            shutil.copyfile(before, part)
