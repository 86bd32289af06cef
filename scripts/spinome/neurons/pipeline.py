"""The steps of this branch one after the other, for a notebook: a mesh to its features or its labels in one call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from spinome.io.models import Model
from spinome.mesh.hks import log_hks
from spinome.mesh.surface import Mesh
from spinome.neurons.classify import class_probabilities, domain_features
from spinome.neurons.condense import Domains, condense
from spinome.neurons.morphometry import carried
from spinome.neurons.simplify import SOMA_VERTICES_PER_UM2, simplify
from spinome.neurons.spines import Labelled, label_mesh
from spinome.neurons.synapses import label_synapses


@dataclass(frozen=True)
class LabelledNeuron:
    """The `vertices` of a mesh with their labels, the table of its `spines`, and of its `synapses` if it has any."""

    vertices: Labelled
    spines: pd.DataFrame
    synapses: pd.DataFrame | None


def condense_mesh(
    mesh: Mesh,
    reduction: float | None = None,
    distance: float = 3.0,
    vertices_per_um2: float | None = None,
    soma_vertices_per_um2: float | None = SOMA_VERTICES_PER_UM2,
    **hks: Any,
) -> Domains:
    """Domains of similar heat kernel signature of a mesh.

    Parameters
    ----------
    mesh : vertices in nm
    reduction : fraction of the faces to remove first; None keeps every vertex (`simplify`)
    distance : height at which Ward's tree is cut (`condense`)
    vertices_per_um2 : density to come down to in place of a fraction (`simplify`)
    soma_vertices_per_um2 : density to come down to on somata; None keeps every vertex there (`simplify`)
    hks : options of `log_hks`

    Returns
    -------
    Domains, whose `label` (V,) is that of the vertices of `mesh`

    Raises
    ------
    SpectrumError, ValueError: if a part of the mesh cannot be solved, or no face has an area.
    """
    small = simplify(mesh, vertices_per_um2, reduction, soma_vertices_per_um2=soma_vertices_per_um2)
    domains = condense(small.vertices, small.faces, log_hks(small.vertices, small.faces, **hks), distance)
    return replace(domains, label=domains.label[small.vertex_of], vertices=small.welded)


def label_neuron(mesh: Mesh, model: Model, synapses: pd.DataFrame | None = None, **options: Any) -> LabelledNeuron:
    """Soma, shaft or spine for each vertex and each synapse of a neuron, and its spines with what they carry.

    Parameters
    ----------
    mesh : vertices in nm
    model : what `spinome.neurons.classify.load_forest` returns
    synapses : what `spinome.io.cave.read_synapses` returns
    options : options of `condense_mesh`, those that the model was trained with

    Raises
    ------
    SpectrumError, ValueError: as `condense_mesh` and `label_synapses`.
    """
    domains = condense_mesh(mesh, **options)
    probability = class_probabilities(model, domain_features(domains))
    vertices, spines = label_mesh(mesh, probability[domains.label])
    if synapses is None:
        return LabelledNeuron(vertices, spines, None)
    table = label_synapses(synapses, mesh.vertices, mesh.faces, vertices.probability, vertices.spine)
    return LabelledNeuron(vertices, carried(spines, table), table)
