"""Put the cuboids of predicted membranes together; one that failed stays all membrane, so that nothing grows there."""

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.atomic import atomic
from spinome.io.volumes import create_volume, fill_pyramid, open_volume, require_voxel_size
from spinome.linking.membranes import LEVELS
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
image = open_volume(step.source(snakemake, "image"), params.voxel_nm)
files = Finished.read(*inputs.done)
with atomic(output[0]) as part:
    voxel_nm = require_voxel_size(image)
    array = create_volume(part, image.shape, np.uint8, voxel_nm, tuple(params.cuboid), kind="image")
    for block in cuboids(image.shape, tuple(params.cuboid)):
        array[block.core] = np.load(files[block.name])["membrane"] if block.name in files else LEVELS
    fill_pyramid(part)
