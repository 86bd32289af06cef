"""Predict membranes in one shard of a volume's cuboids."""

import numpy as np

from spinome.blocks import cuboids
from spinome.io.models import load_model
from spinome.io.volumes import fingerprint, open_volume, require_voxel_size
from spinome.linking.forest import flatten_forest
from spinome.linking.membranes import FEATURES, grey_range, halo, predict_membranes
from spinome.logs import log_to
from spinome.provenance import content_hash, file_hash
from spinome.shards import Unit, run_shard, shard_of

log_to(snakemake.log)
params, shard = snakemake.params, int(snakemake.wildcards.shard)
image = open_volume(params.image, params.voxel_nm)
voxel_nm = require_voxel_size(image)
grey = grey_range(image)
forests = [flatten_forest(forest) for forest in load_model(snakemake.input.model, FEATURES).estimator]
blocks = {block.name: block for block in cuboids(image.shape, tuple(params.cuboid), halo(voxel_nm))}


def compute(unit, path):
    block = blocks[unit.name]
    membrane = predict_membranes(image[block.padded], block.inner, grey, voxel_nm, forests)
    np.savez_compressed(path, membrane=membrane)


state = fingerprint(params.image)
run_shard(
    [Unit(name, state) for name in blocks if shard_of(name, params.shards) == shard],
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".npz",
    key=content_hash(file_hash(snakemake.input.model), grey, voxel_nm, params.cuboid, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
