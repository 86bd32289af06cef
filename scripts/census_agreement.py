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
from spinome.io.meshes import read_mesh, vertex_areas
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.candidates import read_candidates
from spinome.linking.typing import working_stride
from spinome.logs import log_to
from spinome.neurons.instances import SPINE
from spinome.neurons.labelled import read_labelled
from spinome.neurons.members import members

log_to(snakemake.log)
params, given = snakemake.params, snakemake.input
every_link, every_spine = read_table(given.links), read_table(given.spines)
truth = {volume: read_table(file) for volume, file in zip(params.scored, given.truth)}
tables = []
for number, (volume, source, stored_nm) in enumerate(params.rows):
    links = every_link[every_link["volume"] == volume]
    candidates = read_candidates(given.candidates[number * params.shards : (number + 1) * params.shards])
    best = best_candidates(links, candidates, read_table(given.typing[number]))
    segments = open_labels(source, stored_nm)
    voxel_nm = require_voxel_size(segments)
    upper = np.multiply(segments.shape, voxel_nm)[::-1]
    border = np.multiply(working_stride(voxel_nm, params.working_nm), voxel_nm)[::-1]
    spines = every_spine[every_spine["source"] == volume]
    if volume not in params.with_synapses:
        spines = spines.drop(columns="synapses")
    file_of = dict(read_table(given.labelled[number])[["unit", "file"]].itertuples(index=False))
    compared, failed = [], []
    for neuron in members(f"volume-{volume}", {}, given.meshes[number]):
        if neuron.unit not in file_of:
            failed.append(int(neuron.neuron))
            continue
        mesh, labels = read_mesh(neuron.mesh), read_labelled(file_of[neuron.unit])
        area, segment = vertex_areas(mesh.vertices, mesh.faces), mesh.vertex_data["segment"]
        surface = LabelledSurface(mesh.vertices, area, segment, labels.spine, labels.probability[:, SPINE])
        own = spines[spines["neuron"] == neuron.neuron]
        compared.append(compare_mesh(int(neuron.neuron), surface, own, best, params.threshold, (upper, border)))
    table = decided_right(agreement_table(compared, best, failed), links, truth.get(volume))
    table.insert(0, "volume", volume)
    tables.append(table)
result = proofread_first(pd.concat(tables, ignore_index=True))
print(result.groupby(["volume", "verdict"]).size().to_string())
write_table(result, snakemake.output[0])
