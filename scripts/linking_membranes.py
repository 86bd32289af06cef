"""Predict membranes in one shard of a volume's cuboids."""

import numpy as np

from spinome.cuboids import cuboids
from spinome.flat_forest import flatten_forest
from spinome.io.models import load_model
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.linking.membranes import FEATURES, grey_range, halo, predict_membranes
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
source, model = step.source(snakemake, "image"), step.model_file(snakemake)
image = open_volume(source, params.voxel_nm)
voxel_nm = require_voxel_size(image)
grey = grey_range(image)
forests = [flatten_forest(forest) for forest in load_model(model, FEATURES).estimator]
blocks = {block.name: block for block in cuboids(image.shape, tuple(params.cuboid), halo(voxel_nm))}


def compute(unit, path):
    block = blocks[unit.name]
    membrane = predict_membranes(image[block.padded], block.inner, grey, voxel_nm, forests)
    np.savez_compressed(path, membrane=membrane)


units = step.own_units(snakemake, blocks, source_stamp(source, str(model)))
step.run_units(snakemake, units, compute, suffix=".npz", state=[grey, voxel_nm])
