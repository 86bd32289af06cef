"""Train the membrane network on volumes with a dense truth."""

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.networks import write_network
from spinome.io.volumes import open_labels, open_volume, require_same_grid, require_voxel_size
from spinome.linking.membrane_training import teachers_of, train_membranes
from spinome.linking.membranes import Pixels, grey_range, load_membranes
from spinome.seeds import seed_of
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
rows, teachers = params.aside.rows, {}
for name, row in rows.items():
    image, truth = open_volume(row["image"], row["voxel_nm"]), open_labels(row["truth_segmentation"], row["voxel_nm"])
    require_same_grid([image, truth])
    pixels = Pixels(image, require_voxel_size(image), grey_range(image))
    blocks = list(cuboids(image.shape, tuple(params.cuboid)))
    chosen = np.random.default_rng(seed_of(name, params.seed)).permutation(len(blocks))[: params.cuboids]
    teachers[name] = list(teachers_of(pixels, truth, [blocks[number] for number in sorted(chosen)]))
start = load_membranes(params.aside.start) if params.aside.start else None
net = train_membranes(teachers, params.steps, params.seed, start)
card = {"trained_on": list(rows), "steps": params.steps, "seed": params.seed, "from_shipped": start is not None}
write_network(output[0], net, card)
