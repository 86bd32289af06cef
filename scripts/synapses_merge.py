"""Merge the parts of all cuboids of a volume, and write its objects and its label volume."""

import numpy as np

from spinome.blocks import cuboids
from spinome.io.atomic import atomic
from spinome.io.tables import concatenate, write_table
from spinome.io.volumes import create_volume, open_volume, require_voxel_size
from spinome.logs import log_to
from spinome.synapses.classifiers import load_card
from spinome.synapses.merge import Rules, merge_parts
from spinome.synapses.parts import load_labels

log_to(snakemake.log)
row, cuboid, settings = snakemake.params.row, tuple(snakemake.params.cuboid), dict(snakemake.params.rules)
volume = open_volume(row["synapses"] or row["image"], row["voxel_nm"])
voxel_nm = require_voxel_size(volume)
files = concatenate(snakemake.input.parts).set_index("unit")["file"]
blocks = [block for block in cuboids(volume.shape, cuboid) if block.name in files.index]
connectivity = settings.pop("connectivity")
if row["synapses"]:
    # given objects are taken as they are
    rules = Rules()
else:
    tuned = load_card(snakemake.input.model[0])
    for name in ("min_volume_um3", "min_peak"):
        settings[name] = tuned[name] if settings[name] is None else settings[name]
    rules = Rules(**settings)
paths = files[[block.name for block in blocks]]
objects, ids = merge_parts(list(paths), volume.shape, voxel_nm, connectivity, rules)
with atomic(snakemake.output.labels) as part:
    labels = create_volume(part, volume.shape, np.uint64, voxel_nm, cuboid)
    for block, path, lookup in zip(blocks, paths, ids):
        if lookup.any():
            labels[block.core] = lookup[load_labels(path)].astype(np.uint64)
write_table(objects, snakemake.output.objects)
print(f"{len(objects)} synapses from {sum(map(len, ids)) - len(ids)} parts in {len(blocks)} cuboids")
