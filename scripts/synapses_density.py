"""Count the voxels of objects in blocks in one shard of a volume's cuboids."""

from spinome.blocks import cuboids
from spinome.io.tables import write_table
from spinome.io.volumes import fingerprint, open_labels, require_same_grid, require_voxel_size
from spinome.logs import log_to
from spinome.provenance import content_hash
from spinome.shards import Unit, run_shard, shard_of
from spinome.synapses.density import block_axes, count_voxels

log_to(snakemake.log)
params, row, shard = snakemake.params, snakemake.params.row, int(snakemake.wildcards.shard)
labels = open_labels(snakemake.input.labels)
voxel_nm = require_voxel_size(labels)
mask = open_labels(row["mask"], row["voxel_nm"]) if row["mask"] else None
require_same_grid([labels, mask] if mask else [labels])
axes, grid = block_axes(labels.shape, voxel_nm, tuple(params.block_um))
blocks = {block.name: block for block in cuboids(labels.shape, tuple(params.cuboid))}


def compute(unit, path):
    core = blocks[unit.name].core
    valid = mask[core] > 0 if mask else None
    write_table(count_voxels(labels[core], valid, [axis[part] for axis, part in zip(axes, core)], grid), path)


state = content_hash([fingerprint(source) for source in (snakemake.input.labels, row["mask"]) if source])
run_shard(
    [Unit(name, state) for name in blocks if shard_of(name, params.shards) == shard],
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".parquet",
    key=content_hash(params.cuboid, params.block_um, voxel_nm, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
