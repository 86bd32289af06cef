"""Train the membrane forests on volumes with a dense truth."""

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.models import Model, save_model
from spinome.io.volumes import open_labels, open_volume, require_same_grid, require_voxel_size
from spinome.linking.membranes import FEATURES, halo, train_membranes, training_voxels
from spinome.seeds import seed_of
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
rows, teachers = params.aside.rows, []
for name, row in rows.items():
    image, truth = open_volume(row["image"], row["voxel_nm"]), open_labels(row["truth_segmentation"], row["voxel_nm"])
    require_same_grid([image, truth])
    voxel_nm, seed = require_voxel_size(image), seed_of(name, params.seed)
    blocks = list(cuboids(image.shape, tuple(params.cuboid), halo(voxel_nm)))
    chosen = np.random.default_rng(seed).permutation(len(blocks))[: params.cuboids]
    most = params.voxels // len(rows)
    teachers.append((image, truth, voxel_nm, [blocks[number] for number in sorted(chosen)], most, seed))


def draw(first):
    return map(np.concatenate, zip(*(training_voxels(*teacher, first) for teacher in teachers)))


forests = train_membranes(draw, params.seed)
card = {"trained_on": list(rows), "voxels": params.voxels, "seed": params.seed}
save_model(output[0], Model(forests, FEATURES, card))
print(f"trained on up to {params.voxels} voxels of {', '.join(card['trained_on'])}")
