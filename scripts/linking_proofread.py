"""Order the orphans of all volumes by what a decision is worth, each with its view in Neuroglancer."""

from pathlib import Path

import numpy as np
import pandas as pd

from spinome.io.datasets import read_rows
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.proofread import proofreading_queue, viewer_address, viewer_source, viewer_state
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
segmentations = step.sources(snakemake, "segmentation")
typings, synapse_files, gap_files = (step.by_name(inputs, kind) for kind in ("typing", "synapses", "gaps"))
queues = []
for volume, row in params.aside.rows.items():
    source, image = segmentations[volume], row["image"]
    links = read_rows(inputs.links, "volume", [volume])
    none = pd.DataFrame({"neurite_a": [], "neurite_b": []}, dtype=np.int64)
    synapses = read_table(synapse_files[volume]) if volume in synapse_files else none
    gaps = read_table(gap_files[volume]) if volume in gap_files else None
    queue = proofreading_queue(links, read_table(typings[volume]), synapses, gaps)
    opened = open_labels(source, row["voxel_nm"])
    size = require_voxel_size(opened)
    shown = links[links["rank"].between(1, params.candidates)].groupby("orphan")["shaft"].agg(list)
    queue["candidates"] = [" ".join(map(str, shown.get(orphan, []))) for orphan in queue["orphan"]]
    labels, grey = (viewer_source(place, params.url, Path.cwd()) if place else None for place in (source, image))
    if labels is None:
        print(f"{source}: no view in Neuroglancer, which reads OME-Zarr and precomputed volumes below this folder")
    states = [
        viewer_state(labels, place, orphan, shown.get(orphan, []), size, opened.corner, grey) if labels else None
        for orphan, *place in queue[["orphan", "z_nm", "y_nm", "x_nm"]].itertuples(index=False)
    ]
    queue["view"] = [viewer_address(state, params.viewer) if state else "" for state in states]
    queue.insert(0, "volume", volume)
    queues.append(queue)
table = pd.concat(queues, ignore_index=True).sort_values("worth", ascending=False, kind="stable", ignore_index=True)
print(table.head(20).drop(columns="view").to_string())
write_table(table, output[0])
