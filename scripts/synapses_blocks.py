"""Gather the objects and the blocks of all volumes."""

from pathlib import Path

import pandas as pd

from spinome.io.tables import concatenate, read_table, write_table
from spinome.io.volumes import open_labels
from spinome.synapses.density import assign_blocks, block_table, count_unplaced, gather_counts
from spinome.workflow import step
from spinome.workflow.shards import Finished

step.begin(snakemake)
block_um = tuple(snakemake.params.block_um)
all_objects, all_blocks = [], []
for volume, merged, labels in zip(snakemake.params.volumes, snakemake.input.objects, snakemake.input.labels):
    done = Finished.read(*(file for file in snakemake.input.counts if Path(file).parent.name == volume))
    counts = gather_counts(concatenate([done[unit] for unit in done]))
    assigned = assign_blocks(counts)
    opened = open_labels(labels)
    blocks = block_table(counts, assigned, opened.shape, opened.voxel_nm, block_um)
    objects = read_table(merged).merge(assigned, on="synapse", how="left")
    print(f"{volume}: {len(objects)} synapses, {len(blocks)} blocks; in no block: {count_unplaced(objects) or 'none'}")
    all_objects.append(objects.assign(volume=volume))
    all_blocks.append(blocks.assign(volume=volume))
for tables, file in ((all_objects, snakemake.output.objects), (all_blocks, snakemake.output.blocks)):
    table = pd.concat(tables, ignore_index=True)
    write_table(table[["volume", *table.columns.drop("volume")]], file)
