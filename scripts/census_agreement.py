"""Hold the links of all volumes against the labels that the neurons branch gives the linked meshes."""

import pandas as pd

from spinome.census.agreement import (
    best_candidates,
    compare_meshes,
    decided_right,
    labelled_surface,
    proofread_first,
    volume_edge,
)
from spinome.io.datasets import read_rows
from spinome.io.meshes import read_mesh
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.candidates import read_candidates
from spinome.neurons.instances import SPINE
from spinome.neurons.spines import read_labelled
from spinome.neurons.units import volume_neurons
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
candidates, typing, made, meshes, labelled, truth = (
    step.by_name(inputs, kind) for kind in ("candidates", "typing", "segments", "meshes", "labelled", "truth")
)
linked_from = read_table(inputs.limits).set_index("volume")["linked_from"]
every_spine = read_rows(inputs.spines, "source", list(params.each))


def surfaces(volume):
    """Each linked shaft of a volume with its labelled surface, None where it could not be labelled."""
    files = Finished.read(labelled[volume])
    for neuron in volume_neurons(volume, meshes[volume]).values():
        surface = None
        if neuron.unit in files:
            labels = read_labelled(files[neuron.unit])
            surface = labelled_surface(read_mesh(neuron.mesh), labels.spine, labels.probability[:, SPINE])
        yield int(neuron.neuron), surface


tables = []
for volume, said in params.each.items():
    links, spines = read_rows(inputs.links, "volume", [volume]), every_spine[every_spine["source"] == volume]
    if not said["with_synapses"]:
        spines = spines.drop(columns="synapses")
    measured = read_candidates(Finished.read(*candidates[volume]).values())
    best = best_candidates(links, measured, read_table(typing[volume]))
    segments = open_labels(params.aside.segmentation[volume] or made[volume], said["voxel_nm"])
    edge = volume_edge(segments.shape, require_voxel_size(segments), params.working_nm)
    table = compare_meshes(surfaces(volume), spines, best, linked_from[volume], edge)
    table = decided_right(table, links, read_table(truth[volume]) if volume in truth else None)
    table.insert(0, "volume", volume)
    tables.append(table)
result = proofread_first(pd.concat(tables, ignore_index=True))
print(result.groupby(["volume", "verdict"]).size().to_string())
write_table(result, output[0])
