"""Cut the merge tree of a volume into segments."""

import fastremap
import numpy as np

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.io.volumes import open_labels, require_voxel_size, write_volume
from spinome.labels import compact
from spinome.linking.agglomerate import cut
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
volume = open_labels(inputs.superpixels)
superpixels = volume[:]
labels = fastremap.unique(superpixels)
labels = labels[labels != 0]
segments = np.zeros(superpixels.shape, np.uint32)
if len(labels):
    of_superpixels = cut(read_table(inputs.tree), labels, params.threshold)
    print(f"{len(labels)} superpixels in {of_superpixels.max()} segments")
    # the last place stands for what is no superpixel
    segments = np.append(of_superpixels, 0).astype(np.uint32)[compact(superpixels, labels)]
with atomic(output[0]) as part:
    write_volume(part, segments, require_voxel_size(volume))
