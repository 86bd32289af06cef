"""Predict membranes in one shard of a volume's cuboids."""

from functools import cache

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.linking.membranes import (
    Pixels,
    fit_to,
    grey_range,
    load_membranes,
    predict_membranes,
)
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
source, model = step.source(snakemake, "image"), step.model_file(snakemake)
image = open_volume(source, params.voxel_nm)
voxel_nm = require_voxel_size(image)
pixels = Pixels(image, voxel_nm, grey_range(image))
blocks = {block.name: block for block in cuboids(image.shape, tuple(params.cuboid))}
units = step.own_units(snakemake, blocks, source_stamp(source, str(model)))


@cache
def fitted_net():
    """The network, fitted to the volume where there is a unit left to be made."""
    net, moved = fit_to(load_membranes(model), pixels)
    print(f"the statistics of the network moved by {moved:.2f} when it was fitted to the volume")
    return net


def compute(unit, path):
    np.savez_compressed(path, membrane=predict_membranes(fitted_net(), pixels, blocks[unit.name]))


step.run_units(snakemake, units, compute, suffix=".npz", state=[pixels.grey, voxel_nm], read=[source])
