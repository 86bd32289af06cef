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
parts = {}
for name, file in files.items():
    with np.load(file) as left:
        parts[name] = Basins(**{field.name: left[field.name] for field in fields(Basins)})
labels = dict(zip(parts, flood(list(parts.values())))) if parts else {}
print(f"{max(map(np.max, labels.values()), default=0)} superpixels in {np.prod(membrane.shape) / 1e6:.1f} Mvoxel")
voxel_nm, cuboid = require_voxel_size(membrane), tuple(params.cuboid)
with atomic(output[0]) as part:
    array = create_volume(part, membrane.shape, np.uint64, voxel_nm, cuboid)
    for block in cuboids(membrane.shape, cuboid):
        if block.name not in files:
            array[block.core] = 0
            continue
        with np.load(files[block.name]) as left:
            array[block.core] = paint(left["basin"], labels[block.name])
    fill_pyramid(part)
