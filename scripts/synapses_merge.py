"""Merge the parts of all cuboids of a volume to objects; which object each part belongs to goes to its shard."""

import json
from pathlib import Path

import numpy as np

from spinome.cuboids import cuboids
from spinome.gaps import gap_table
from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.io.volumes import create_volume, fill_with_zeros, open_volume, require_voxel_size
from spinome.seeds import number_of
from spinome.synapses.classifiers import load_card
from spinome.synapses.objects.judge import Judge
from spinome.synapses.objects.merge import Rules, merge_candidates
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
row, cuboid, settings = params.aside.row, tuple(params.cuboid), dict(params.rules)
volume = open_volume(row["synapses"] or row["image"], params.voxel_nm)
voxel_nm = require_voxel_size(volume)
files = Finished.read(*inputs.parts)
names = [block.name for block in cuboids(volume.shape, cuboid) if block.name in files]
connectivity = settings.pop("connectivity")
if row["synapses"]:
    # given objects are taken as they are
    rules, judge = Rules(), None
else:
    tuned = load_card(step.model_file(snakemake))
    # what people answered goes before what the model came with
    learned = json.loads(Path(inputs.learned).read_text()) if inputs.learned else {}
    own, network = snakemake.wildcards.volume, learned.get("network", [])
    tuned = load_card(inputs.network) if own in network else tuned
    # a judge of what the network finds is for its candidates alone
    tuned = learned if learned.get("judge") and (own in network or not network) else tuned
    rules, judge = Rules.of(settings, tuned), Judge.of_card(tuned)
parts = [files[name] for name in names]
candidates, ids = merge_candidates(parts, volume.shape, voxel_nm, connectivity, rules, judge)
objects = candidates[candidates["synapse"] > 0].reset_index(drop=True)
with atomic(output.labels) as part:
    # the shards of synapses_density write the chunks that hold objects, one cuboid each
    create_volume(part, volume.shape, np.uint64, voxel_nm, cuboid)
    fill_with_zeros(part)
found, shards = dict(zip(names, ids)), step.by_name(output, "ids")
for shard, file in shards.items():
    own = [name for name in names if number_of(name, len(shards)) == int(shard)]
    with atomic(Path(file)) as part:
        np.savez(part, **{name: found[name] for name in own})
write_table(objects, output.objects)
write_table(candidates, output.candidates)
gaps = gap_table(volume.shape, cuboid, set(names), voxel_nm)
write_table(gaps, output.gaps)
print(f"{len(objects)} synapses from {sum(map(len, ids))} parts in {len(names)} cuboids; {len(gaps)} are not known")
