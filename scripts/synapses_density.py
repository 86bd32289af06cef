"""Write the labels, and count the voxels of objects in blocks, in one shard of a volume's cuboids."""

import numpy as np

from spinome.blocks import cuboids
from spinome.hashing import content_hash, file_hash
from spinome.io.tables import write_table
from spinome.io.volumes import chunks_to_write, fingerprint, open_labels, require_same_grid, require_voxel_size
from spinome.synapses.density import block_axes, count_voxels
from spinome.synapses.mask import open_mask
from spinome.synapses.parts import load_parts, paint_parts
from spinome.workflow import step
from spinome.workflow.shards import Finished, Unit
from spinome.workflow.stamps import source_stamp

given, params, output = step.begin(snakemake)
row = params.row
labels, chunks = open_labels(given.labels), chunks_to_write(given.labels)
voxel_nm = require_voxel_size(labels)
mask = open_mask(given.mask[0], labels) if given.mask else None
if row["mask"]:
    mask = open_labels(row["mask"], row["voxel_nm"])
    require_same_grid([labels, mask])
axes, grid = block_axes(labels.shape, voxel_nm, tuple(params.block_um))
blocks = {block.name: block for block in cuboids(labels.shape, tuple(params.cuboid))}
files = Finished.read(given.parts)
ids = np.load(given.ids)


def compute(unit, path):
    core, parts, found = blocks[unit.name].core, load_parts(files[unit.name]), ids[unit.name]
    if found.any():
        chunks[core] = paint_parts(parts, found.astype(np.uint64))
    valid = mask[core] > 0 if mask else None
    within = [axis[part] for axis, part in zip(axes, core)]
    write_table(count_voxels(parts.runs, found[parts.runs[:, -1]], valid, within, grid), path)


# the label volume is made anew by every merge
state = content_hash(fingerprint(given.labels), source_stamp(row["mask"], *given.mask), file_hash(given.ids))
step.run_units(
    snakemake,
    [Unit(name, f"{state}|{files.key(name)}") for name in ids.files],
    compute,
    suffix=".parquet",
    state=voxel_nm,
)
