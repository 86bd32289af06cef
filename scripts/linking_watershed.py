"""Join the basins of all cuboids of a volume to superpixels; a cuboid that failed has none."""

from dataclasses import fields

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.atomic import atomic
from spinome.io.volumes import create_volume, fill_pyramid, open_probability, require_voxel_size
from spinome.linking.basins import Basins, paint
from spinome.linking.watershed import flood
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
membrane = open_probability(step.source(snakemake, "membrane"), params.voxel_nm)
files = Finished.read(*inputs.done)


def read(block):
    with np.load(files[block.name]) as left:
        return Basins(**{field.name: left[field.name] for field in fields(Basins)})


voxel_nm, cuboid, superpixels = require_voxel_size(membrane), tuple(params.cuboid), 0
blocks = list(cuboids(membrane.shape, cuboid))
with atomic(output[0]) as part:
    array = create_volume(part, membrane.shape, np.uint64, voxel_nm, cuboid)
    for block in blocks:
        if block.name not in files:
            array[block.core] = 0
    for block, labels in flood([block for block in blocks if block.name in files], read):
        with np.load(files[block.name]) as left:
            array[block.core] = paint(left["basin"], labels)
        superpixels = max(superpixels, int(labels.max(initial=0)))
    fill_pyramid(part)
print(f"{superpixels} superpixels in {np.prod(membrane.shape) / 1e6:.1f} Mvoxel")
