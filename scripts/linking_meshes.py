"""Mesh the linked dendrites of a volume, each with its input synapses, as a small sample sheet of neurons."""

import numpy as np
import pandas as pd

from spinome.gaps import boxes_at_gaps, gap_table
from spinome.io.atomic import atomic
from spinome.io.datasets import read_rows
from spinome.io.meshes import write_mesh
from spinome.io.tables import read_table, write_table
from spinome.io.thinned import Thinned
from spinome.io.volumes import open_labels
from spinome.linking.line_graph import rename_neurites
from spinome.linking.measure import SIDES
from spinome.linking.meshes import dendrite_mesh, meshed_dendrites, synapse_tables
from spinome.linking.pieces import read_pieces
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
volume = Thinned.to(open_labels(step.source(snakemake, "segmentation"), params.voxel_nm), params.working_nm)
typing, bridges = read_table(inputs.typing), read_rows(inputs.bridges, "volume", [snakemake.wildcards.volume])
shafts = meshed_dendrites(typing, bridges, params.min_thickest_nm)
files = Finished.read(*inputs.pieces)
synapses = {}
if inputs.synapses:
    parents = dict(zip(bridges["orphan"].tolist(), bridges["shaft"].tolist()))
    synapses = synapse_tables(rename_neurites(read_table(inputs.synapses[0]), parents), shafts)
# which cuboids have a piece of which dendrite, and which dendrites may lack one
places: dict[int, list[str]] = {number: [] for number in range(1, len(shafts) + 1)}
for name, file in files.items():
    with np.load(file) as pieces:
        for number in pieces["labels"].tolist():
            places[number].append(name)
missing = gap_table(volume.shape, volume.cuboid(params.cuboid), files, volume.voxel_nm)
boxes = typing[list(SIDES)].to_numpy()
cut = typing.loc[boxes_at_gaps(boxes[:, ::2], boxes[:, 1::2] - 1, missing), "segment"]
cut = {*cut, *bridges.loc[bridges["orphan"].isin(cut), "shaft"]}
rows = []
with atomic(output[0]) as folder:
    folder.mkdir()
    for number, names in places.items():
        shaft = int(shafts[number - 1])
        if shaft in cut or not names:
            print(f"{shaft}: has no mesh, since a cuboid that it may reach into failed")
            continue
        parts = []
        for name in names:
            pieces = read_pieces(files[name])
            with np.load(files[name]) as stored:
                segments = stored["segments"]
            parts.append((*pieces.of(number), segments[pieces.vertices_of(number)]))
        write_mesh(folder / f"{shaft}.npz", dendrite_mesh(parts, volume.voxel_nm, params.error_nm))
        row = {"neuron": f"{shaft}", "mesh": f"{shaft}.npz", "synapses": ""}
        if shaft in synapses:
            row["synapses"] = f"{shaft}_synapses.parquet"
            write_table(synapses[shaft], folder / row["synapses"])
        rows.append(row)
    write_table(pd.DataFrame(rows, columns=["neuron", "mesh", "synapses"]), folder / "neurons.tsv")
    if inputs.gaps:
        write_table(read_table(inputs.gaps), folder / "synapse_gaps.parquet")
print(f"{len(rows)} meshes")
