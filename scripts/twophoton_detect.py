"""Detect spines in every slice of a registered stack, or take the boxes of another detector."""

import torch

from spinome.io.synapflow import BOXES, read_boxes
from spinome.io.tables import write_table
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import load_detector
from spinome.twophoton.registered import read_registered
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
torch.set_num_threads(snakemake.threads)
stack = read_registered(inputs.stack)
if inputs.boxes:
    boxes = read_boxes(inputs.boxes, ".".join(snakemake.wildcards), stack.voxel_um)
    boxes = boxes[[*BOXES, *(["id"] if "id" in boxes else [])]]
else:
    model, _ = load_detector(step.model_file(snakemake))
    boxes = detect(stack.voxels, stack.voxel_um, model)
print(f"{len(boxes)} boxes in {len(stack.voxels)} slices")
write_table(boxes, output.boxes)
