"""Gather the objects and the blocks of all volumes."""

import pandas as pd

from spinome.io.tables import concatenate, read_table, write_table
from spinome.io.volumes import open_labels
from spinome.synapses.density import assign_blocks, block_table, count_unplaced, gather_counts
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
merged, labels = step.by_name(inputs, "objects"), step.by_name(inputs, "labels")
all_objects, all_blocks = [], []
for volume, file in merged.items():
    done = Finished.read(*step.by_name(inputs, f"counts/{volume}").values())
    counts = gather_counts(concatenate([done[unit] for unit in done]))
    assigned = assign_blocks(counts)
    opened = open_labels(labels[volume])
    blocks = block_table(counts, assigned, opened.shape, opened.voxel_nm, tuple(params.block_um))
    objects = read_table(file).merge(assigned, on="synapse", how="left")
    print(f"{volume}: {len(objects)} synapses, {len(blocks)} blocks; in no block: {count_unplaced(objects) or 'none'}")
    all_objects.append(objects.assign(volume=volume))
    all_blocks.append(blocks.assign(volume=volume))
for tables, file in ((all_objects, output.objects), (all_blocks, output.blocks)):
    table = pd.concat(tables, ignore_index=True)
    write_table(table[["volume", *table.columns.drop("volume")]], file)
