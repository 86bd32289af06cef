"""Train the membrane forest on volumes with a dense truth."""

import numpy as np

from spinome.io.models import Model, save_model
from spinome.io.volumes import open_labels, open_volume, require_same_grid, require_voxel_size
from spinome.linking.membranes import FEATURES, membrane_truth, train_membranes, training_voxels
from spinome.logs import log_to
from spinome.shards import seed_of

log_to(snakemake.log)
params = snakemake.params
parts = []
for name, image_source, truth_source, voxel_nm in params.rows:
    image, truth = open_volume(image_source, voxel_nm), open_labels(truth_source, voxel_nm)
    require_same_grid([image, truth])
    membrane = membrane_truth(truth[:])
    most, seed = params.voxels // len(params.rows), seed_of(name, params.seed)
    parts.append(training_voxels(image[:], membrane, require_voxel_size(image), most, seed))
features, labels = (np.concatenate(part) for part in zip(*parts))
forest = train_membranes(features, labels, params.seed)
card = {"trained_on": [row[0] for row in params.rows], "voxels": len(labels), "seed": params.seed}
save_model(snakemake.output[0], Model(forest, FEATURES, card))
print(f"trained on {len(labels)} voxels of {', '.join(card['trained_on'])}")
