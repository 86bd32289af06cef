"""Cut the merge tree of a volume into segments, cuboid by cuboid; what is not known of it are gaps."""

import numpy as np

from spinome.cuboids import cuboids
from spinome.gaps import gap_table
from spinome.io.atomic import atomic
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import create_volume, fill_pyramid, open_labels, require_voxel_size
from spinome.labels import rename
from spinome.linking.agglomerate import cut
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
superpixels, cuboid = open_labels(inputs.superpixels), tuple(params.cuboid)
voxel_nm = require_voxel_size(superpixels)
files = Finished.read(*inputs.contacts)
parts = [np.zeros(0, np.uint64)]
for name in files:
    with np.load(files[name]) as contacts:
        parts.append(contacts["labels"])
labels = np.unique(np.concatenate(parts))
segments = cut(read_table(inputs.tree), labels, params.threshold).astype(np.uint64)
print(f"{len(labels)} superpixels in {segments.max(initial=0)} segments")
# where membranes could not be predicted, nothing grows, and nothing is known either
finished = set(files).intersection(Finished.read(*inputs.basins))
if inputs.predicted:
    finished &= set(Finished.read(*inputs.predicted))
with atomic(output.segments) as part:
    array = create_volume(part, superpixels.shape, np.uint64, voxel_nm, cuboid)
    for block in cuboids(superpixels.shape, cuboid):
        array[block.core] = rename(superpixels[block.core], labels, segments) if block.name in finished else 0
    fill_pyramid(part)
gaps = gap_table(superpixels.shape, cuboid, finished, voxel_nm)
print(f"{len(gaps)} cuboids are not known")
write_table(gaps, output.gaps)
