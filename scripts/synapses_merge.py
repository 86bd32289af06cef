"""Merge the parts of all cuboids of a volume to objects; which object each part belongs to goes to its shard."""

from pathlib import Path

import numpy as np

from spinome.blocks import cuboids
from spinome.gaps import gap_table
from spinome.io.atomic import atomic
from spinome.io.tables import concatenate, write_table
from spinome.io.volumes import create_volume, open_volume, require_voxel_size
from spinome.logs import log_to
from spinome.shards import shard_of
from spinome.synapses.classifiers import load_card
from spinome.synapses.merge import Rules, merge_parts

log_to(snakemake.log)
row, cuboid, settings = snakemake.params.row, tuple(snakemake.params.cuboid), dict(snakemake.params.rules)
volume = open_volume(row["synapses"] or row["image"], row["voxel_nm"])
voxel_nm = require_voxel_size(volume)
files = concatenate(snakemake.input.parts).set_index("unit")["file"]
names = [block.name for block in cuboids(volume.shape, cuboid) if block.name in files.index]
connectivity = settings.pop("connectivity")
if row["synapses"]:
    # given objects are taken as they are
    rules = Rules()
else:
    tuned = load_card(snakemake.input.model[0])
    for name in ("min_volume_um3", "min_peak"):
        settings[name] = tuned[name] if settings[name] is None else settings[name]
    rules = Rules(**settings)
objects, ids = merge_parts(list(files[names]), volume.shape, voxel_nm, connectivity, rules)
with atomic(snakemake.output.labels) as part:
    # the shards of synapses_density write its chunks, one cuboid each
    create_volume(part, volume.shape, np.uint64, voxel_nm, cuboid)
shards = [shard_of(name, len(snakemake.output.ids)) for name in names]
for shard, file in enumerate(snakemake.output.ids):
    with atomic(Path(file)) as part:
        np.savez(part, **{name: found for name, own, found in zip(names, shards, ids) if own == shard})
write_table(objects, snakemake.output.objects)
gaps = gap_table(volume.shape, cuboid, set(names), voxel_nm)
write_table(gaps, snakemake.output.gaps)
print(f"{len(objects)} synapses from {sum(map(len, ids))} parts in {len(names)} cuboids; {len(gaps)} are not known")
