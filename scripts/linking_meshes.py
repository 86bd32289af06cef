"""Mesh the linked dendrites of a volume, each with its input synapses, as a small sample sheet of neurons."""

import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.meshes import write_mesh
from spinome.io.tables import read_table, write_table
from spinome.io.units import working_stride
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.line_graph import rename_neurites
from spinome.linking.meshes import join_orphans, segment_meshes, synapse_tables, vertex_segments
from spinome.mesh.surface import Mesh
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
volume = open_labels(step.source(snakemake, "segmentation"), params.voxel_nm)
voxel_nm = require_voxel_size(volume)
stride = working_stride(voxel_nm, params.working_nm)
working_nm = tuple(size * step for size, step in zip(voxel_nm, stride))
typing, bridges = read_table(inputs.typing), read_table(inputs.bridges)
bridges = bridges[bridges["volume"] == snakemake.wildcards.volume]
thick = typing["thickest_nm"] >= params.settings["min_thickest_nm"]
chosen = (typing["kind"] == "shaft") & (thick | typing["segment"].isin(bridges["shaft"]))
shafts = typing.loc[chosen, "segment"].sort_values().to_numpy()
thinned = volume[tuple(slice(None, None, step) for step in stride)]
labels = join_orphans(thinned, bridges, shafts, working_nm, params.settings["bridge_nm"])
synapses = {}
if inputs.synapses:
    parents = dict(zip(bridges["orphan"].tolist(), bridges["shaft"].tolist()))
    synapses = synapse_tables(rename_neurites(read_table(inputs.synapses[0]), parents), shafts)
rows = []
with atomic(output[0]) as folder:
    folder.mkdir()
    for number, mesh in segment_meshes(labels, working_nm, params.settings["error_nm"]):
        shaft = int(shafts[number - 1])
        origin = vertex_segments(mesh.vertices, thinned, labels, number, working_nm)
        write_mesh(folder / f"{shaft}.npz", Mesh(mesh.vertices, mesh.faces, {"segment": origin}))
        row = {"neuron": f"{shaft}", "mesh": f"{shaft}.npz", "synapses": ""}
        if shaft in synapses:
            row["synapses"] = f"{shaft}_synapses.parquet"
            write_table(synapses[shaft], folder / row["synapses"])
        rows.append(row)
    write_table(pd.DataFrame(rows, columns=["neuron", "mesh", "synapses"]), folder / "neurons.tsv")
    if inputs.gaps:
        write_table(read_table(inputs.gaps), folder / "synapse_gaps.parquet")
print(f"{len(rows)} meshes")
