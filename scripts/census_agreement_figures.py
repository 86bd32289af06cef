"""Draw how links and labels of the linked meshes agree, and the conflicts to look at first."""

import shutil
from pathlib import Path

from spinome.io.meshes import read_mesh
from spinome.io.tables import read_table
from spinome.neurons.labelled import read_labelled
from spinome.neurons.units import volume_neurons
from spinome.report.agreement import Conflict, draw_agreement, draw_conflicts
from spinome.report.style import save_figure
from spinome.workflow import step
from spinome.workflow.shards import Finished

SHOWN = 4

step.begin(snakemake)
given, folder = snakemake.input, Path(snakemake.output[0])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
table = read_table(given.agreement)
if len(table):
    save_figure(
        draw_agreement(table),
        folder,
        "agreement",
        "Two kinds of evidence: links and labels",
        "Left: what the links of orphans and the labels of the linked meshes say together. Right: orphans by the "
        "probability of their link and by how much their surface, or the spine at their way, looks like a spine.",
    )
on_mesh = table["spine_probability"].notna() & table["verdict"].str.startswith("linked")
disputed = table[on_mesh & (table["evidence"] == "conflict")].head(SHOWN)
if len(disputed):
    file_of = Finished.read(*given.labelled)
    neurons = {
        (volume, int(neuron.neuron)): neuron
        for volume, sheet in zip(snakemake.params.volumes, given.meshes)
        for neuron in volume_neurons(volume, sheet).values()
    }
    conflicts = []
    for _, row in disputed.iterrows():
        neuron = neurons[row["volume"], row["shaft"]]
        mesh, labels = read_mesh(neuron.mesh), read_labelled(file_of[neuron.unit])
        conflicts.append(Conflict(mesh, labels.label, mesh.vertex_data["segment"], row))
    save_figure(
        draw_conflicts(conflicts),
        folder,
        "conflicts",
        "Links that the mesh speaks against",
        "The orphan in the full colour of its label (red spine, yellow shaft, green soma), its dendrite pale, 4 µm "
        "across, the most doubtful first; `census/agreement.parquet` has their places.",
    )
