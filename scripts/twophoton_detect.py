"""Detect spines in every slice of a registered stack and find heads in all of it, or take boxes of another detector."""

import pandas as pd
import torch

from spinome.io.synapflow import BOXES, read_boxes
from spinome.io.tables import write_table
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import load_detector
from spinome.twophoton.heatmap import HEAD_COLUMNS, find_heads, load_finder
from spinome.twophoton.registered import read_registered
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
torch.set_num_threads(snakemake.threads)
stack = read_registered(inputs.stack)
if inputs.boxes:
    boxes = read_boxes(inputs.boxes, ".".join(snakemake.wildcards), stack.voxel_um)
    boxes = boxes[[*BOXES, *(["id"] if "id" in boxes else [])]]
    # who gave the boxes has decided
    heads = pd.DataFrame(columns=HEAD_COLUMNS, dtype=float)
else:
    model, _ = load_detector(step.model_file(snakemake))
    boxes = detect(stack.voxels, stack.voxel_um, model)
    finder = load_finder(step.model_file(snakemake, "heatmap"))
    heads = find_heads(
        stack.voxels, stack.voxel_um, finder, f"{snakemake.wildcards.specimen}.{snakemake.wildcards.field}"
    )
print(f"{len(boxes)} boxes and {len(heads)} heads in {len(stack.voxels)} slices")
write_table(boxes, output.boxes)
write_table(heads, output.heads)
