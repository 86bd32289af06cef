"""Write the labels, and count the voxels of objects in blocks, in one shard of a volume's cuboids."""

import numpy as np

from spinome.cuboids import cuboids
from spinome.hashing import content_hash, file_hash
from spinome.io.tables import write_table
from spinome.io.volumes import chunks_to_write, fingerprint, open_labels, require_same_grid, require_voxel_size
from spinome.synapses.density.blocks import block_axes, count_voxels
from spinome.synapses.density.mask import open_mask
from spinome.synapses.objects.patches import load_parts, paint_parts
from spinome.workflow import step
from spinome.workflow.shards import Finished, Unit
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
labels, chunks = open_labels(inputs.labels), chunks_to_write(inputs.labels)
voxel_nm, given, mask = require_voxel_size(labels), params.aside.row["mask"], None
if given:
    mask = open_labels(given, params.voxel_nm)
    require_same_grid([labels, mask])
elif inputs.mask:
    mask = open_mask(inputs.mask, labels)
axes, grid = block_axes(labels.shape, voxel_nm, tuple(params.block_um))
blocks = {block.name: block for block in cuboids(labels.shape, tuple(params.cuboid))}
files = Finished.read(inputs.parts)
ids = np.load(inputs.ids)


def compute(unit, path):
    core, parts, found = blocks[unit.name].core, load_parts(files[unit.name]), ids[unit.name]
    if found.any():
        chunks[core] = paint_parts(parts, found.astype(np.uint64))
    valid = mask[core] > 0 if mask else None
    within = [axis[part] for axis, part in zip(axes, core)]
    write_table(count_voxels(parts.runs, found[parts.runs[:, -1]], valid, within, grid), path)


# the label volume is made anew by every merge, and what was painted into an earlier one is not in it
state = content_hash(fingerprint(inputs.labels), source_stamp(given or inputs.mask or None), file_hash(inputs.ids))
step.run_units(
    snakemake,
    [Unit(name, f"{state}|{files.key(name)}") for name in ids.files],
    compute,
    suffix=".parquet",
    state=voxel_nm,
)
