"""Write the labels, and count the voxels of objects in blocks, in one shard of a volume's cuboids."""

import numpy as np

from spinome.blocks import cuboids
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import chunks_to_write, fingerprint, open_labels, require_same_grid, require_voxel_size
from spinome.logs import log_to
from spinome.provenance import content_hash
from spinome.shards import Unit, run_shard
from spinome.synapses.density import block_axes, count_voxels
from spinome.synapses.mask import open_mask
from spinome.synapses.parts import load_parts, paint_parts

log_to(snakemake.log)
params, row, given = snakemake.params, snakemake.params.row, snakemake.input
labels, chunks = open_labels(given.labels), chunks_to_write(given.labels)
voxel_nm = require_voxel_size(labels)
mask = open_mask(given.mask[0], labels) if given.mask else None
if row["mask"]:
    mask = open_labels(row["mask"], row["voxel_nm"])
    require_same_grid([labels, mask])
axes, grid = block_axes(labels.shape, voxel_nm, tuple(params.block_um))
blocks = {block.name: block for block in cuboids(labels.shape, tuple(params.cuboid))}
files = read_table(given.parts).set_index("unit")
ids = np.load(given.ids)


def compute(unit, path):
    core, parts, found = blocks[unit.name].core, load_parts(files.loc[unit.name, "file"]), ids[unit.name]
    if found.any():
        chunks[core] = paint_parts(parts, found.astype(np.uint64))
    valid = mask[core] > 0 if mask else None
    within = [axis[part] for axis, part in zip(axes, core)]
    write_table(count_voxels(parts.runs, found[parts.runs[:, -1]], valid, within, grid), path)


# the label volume is made anew by every merge
state = content_hash([fingerprint(source) for source in (given.labels, row["mask"], *given.mask) if source])
run_shard(
    [Unit(name, state) for name in ids.files],
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".parquet",
    key=content_hash(params.cuboid, params.block_um, voxel_nm, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
