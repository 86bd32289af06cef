"""Gather the objects, the blocks and the gaps of all volumes; of blocks that a gap touches nothing is known."""

import numpy as np
import pandas as pd

from spinome.design import volume_samples, with_design
from spinome.gaps import gap_table
from spinome.io.datasets import write_dataset
from spinome.io.tables import concatenate, read_table, write_table
from spinome.io.volumes import open_labels
from spinome.limits import LIMIT_COLUMNS
from spinome.synapses.density.blocks import (
    COUNT_COLUMNS,
    assign_blocks,
    block_table,
    blocks_at_gaps,
    count_unplaced,
    cut_objects,
    gather_counts,
)
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
merged, labels = step.by_name(inputs, "objects"), step.by_name(inputs, "labels")
all_blocks, all_gaps = [], []
# of volumes whose synapses are given there is nothing to say
limits = concatenate(step.by_name(inputs, "limits").values(), ["volume", *LIMIT_COLUMNS])
unlikeness = limits.set_index("volume")["unlikeness"].astype(float)


def designed(table):
    table = with_design(table, volume_samples(table), params.design)
    return table[["volume", *table.columns.drop("volume")]]


def objects_of(volume, file):
    """The objects of a volume with their blocks; what is counted of it is kept aside."""
    done = Finished.read(*step.by_name(inputs, f"counts/{volume}").values())
    counts = gather_counts(concatenate([done[unit] for unit in done], COUNT_COLUMNS).astype(np.int64))
    opened, objects = open_labels(labels[volume]), read_table(file)
    grid = opened.shape, opened.voxel_nm, tuple(params.block_um)
    gaps = gap_table(opened.shape, tuple(params.cuboid), set(done), opened.voxel_nm)
    assigned = assign_blocks(counts, objects["synapse"])
    kept = cut_objects(assigned, objects, gaps)
    blocks = block_table(counts, kept, *grid, blocks_at_gaps(assigned, kept, gaps, *grid))
    objects = objects.merge(kept, on="synapse", how="left")
    print(f"{volume}: {len(objects)} synapses, {len(blocks)} blocks; in no block: {count_unplaced(objects) or 'none'}")
    print(f"{volume}: {len(gaps)} cuboids and {(~blocks['known']).sum()} blocks are not known")
    own = {"volume": volume, "unlikeness": unlikeness.get(volume, np.nan)}
    all_blocks.append(blocks.assign(**own))
    all_gaps.append(gaps.assign(volume=volume))
    return designed(objects.assign(**own))


write_dataset(((volume, objects_of(volume, file)) for volume, file in merged.items()), output.objects)
for name, tables in (("blocks", all_blocks), ("gaps", all_gaps)):
    table = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    if name == "gaps":
        write_table(table[["volume", *table.columns.drop("volume")]], output[name])
    else:
        write_table(designed(table), output[name])
write_table(limits, output.limits)
