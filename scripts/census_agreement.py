"""Hold the links of all volumes against the labels that the neurons branch gives the linked meshes."""

import numpy as np
import pandas as pd

from spinome.census.agreement import (
    LabelledSurface,
    agreement_table,
    best_candidates,
    compare_mesh,
    decided_right,
    proofread_first,
)
from spinome.io.meshes import read_mesh
from spinome.io.tables import read_table, write_table
from spinome.io.units import working_stride
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.candidates import read_candidates
from spinome.mesh.surface import vertex_areas
from spinome.neurons.instances import SPINE
from spinome.neurons.spines import read_labelled
from spinome.neurons.units import volume_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
candidates, typing, made, meshes, labelled, truth = (
    step.by_name(inputs, kind) for kind in ("candidates", "typing", "segments", "meshes", "labelled", "truth")
)
every_link, every_spine = read_table(inputs.links), read_table(inputs.spines)
tables = []
for volume, said in params.each.items():
    links = every_link[every_link["volume"] == volume]
    best = best_candidates(links, read_candidates(candidates[volume]), read_table(typing[volume]))
    segments = open_labels(params.aside.segmentation[volume] or made[volume], said["voxel_nm"])
    voxel_nm = require_voxel_size(segments)
    upper = np.multiply(segments.shape, voxel_nm)[::-1]
    border = np.multiply(working_stride(voxel_nm, params.working_nm), voxel_nm)[::-1]
    spines = every_spine[every_spine["source"] == volume]
    if not said["with_synapses"]:
        spines = spines.drop(columns="synapses")
    file_of = Finished.read(labelled[volume])
    compared, failed = [], []
    for neuron in volume_neurons(volume, meshes[volume]).values():
        if neuron.unit not in file_of:
            failed.append(int(neuron.neuron))
            continue
        mesh, labels = read_mesh(neuron.mesh), read_labelled(file_of[neuron.unit])
        area, segment = vertex_areas(mesh.vertices, mesh.faces), mesh.vertex_data["segment"]
        surface = LabelledSurface(mesh.vertices, area, segment, labels.spine, labels.probability[:, SPINE])
        own = spines[spines["neuron"] == neuron.neuron]
        compared.append(compare_mesh(int(neuron.neuron), surface, own, best, params.threshold, (upper, border)))
    true_links = read_table(truth[volume]) if volume in truth else None
    table = decided_right(agreement_table(compared, best, failed), links, true_links)
    table.insert(0, "volume", volume)
    tables.append(table)
result = proofread_first(pd.concat(tables, ignore_index=True))
print(result.groupby(["volume", "verdict"]).size().to_string())
write_table(result, output[0])
