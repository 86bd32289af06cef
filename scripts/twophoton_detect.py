"""Detect spines in every slice of a registered stack, or take the boxes of another detector."""

import torch

from spinome.io.synapflow import BOXES, read_boxes
from spinome.io.tables import write_table
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import load_detector
from spinome.twophoton.registered import read_registered
from spinome.workflow import step

step.begin(snakemake)
torch.set_num_threads(snakemake.threads)
wildcards = snakemake.wildcards
name = f"{wildcards.specimen}.{wildcards.field}.{wildcards.timepoint}"
stack = read_registered(snakemake.input.stack)
if snakemake.input.boxes:
    boxes = read_boxes(snakemake.input.boxes, name, stack.voxel_um)[BOXES]
else:
    model, _ = load_detector(snakemake.input.detector)
    boxes = detect(stack.voxels, stack.voxel_um, model)
print(f"{len(boxes)} boxes in {len(stack.voxels)} slices")
write_table(boxes, snakemake.output.boxes)
