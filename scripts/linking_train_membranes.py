"""Train the membrane forest on volumes with a dense truth."""

import numpy as np

from spinome.blocks import cuboids
from spinome.io.models import Model, save_model
from spinome.io.volumes import open_labels, open_volume, require_same_grid, require_voxel_size
from spinome.linking.membranes import FEATURES, halo, train_membranes, training_voxels
from spinome.logs import log_to
from spinome.shards import seed_of

log_to(snakemake.log)
params = snakemake.params
parts = []
for name, image_source, truth_source, voxel_nm in params.rows:
    image, truth = open_volume(image_source, voxel_nm), open_labels(truth_source, voxel_nm)
    require_same_grid([image, truth])
    voxel_nm, seed = require_voxel_size(image), seed_of(name, params.seed)
    blocks = list(cuboids(image.shape, tuple(params.cuboid), halo(voxel_nm)))
    chosen = np.random.default_rng(seed).permutation(len(blocks))[: params.cuboids]
    most = params.voxels // len(params.rows)
    parts.append(training_voxels(image, truth, voxel_nm, [blocks[number] for number in sorted(chosen)], most, seed))
features, labels = (np.concatenate(part) for part in zip(*parts))
forest = train_membranes(features, labels, params.seed)
card = {"trained_on": [row[0] for row in params.rows], "voxels": len(labels), "seed": params.seed}
save_model(snakemake.output[0], Model(forest, FEATURES, card))
print(f"trained on {len(labels)} voxels of {', '.join(card['trained_on'])}")
