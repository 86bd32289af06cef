"""Find the basins of one shard of a volume's cuboids, joined as far as each cuboid alone can tell."""

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.volumes import open_labels, open_probability, require_same_grid, require_voxel_size
from spinome.linking.basins import basins
from spinome.linking.flooding_heights import landscape, reach
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
membranes, given = step.source(snakemake, "membrane"), step.source(snakemake, "mask")
membrane = open_probability(membranes, params.voxel_nm)
mask = open_labels(given, params.voxel_nm) if given else None
require_same_grid([membrane, *([mask] if mask else [])])
voxel_nm = require_voxel_size(membrane)
halo = reach(voxel_nm, params.settings["smoothing_nm"], params.settings["spacing_nm"])
blocks = {block.name: block for block in cuboids(membrane.shape, tuple(params.cuboid), halo)}


def compute(unit, path):
    block = blocks[unit.name]
    inside = mask[block.padded] != 0 if mask else None
    height, seed = landscape(membrane[block.padded], voxel_nm, mask=inside, **params.settings)
    basin, left = basins(height, seed, block, membrane.shape)
    np.savez_compressed(path, basin=basin, **vars(left))


units = step.own_units(snakemake, blocks, source_stamp(membranes, given))
step.run_units(snakemake, units, compute, suffix=".npz", read=[membranes, given])
