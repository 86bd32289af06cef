"""Examples from neurons with truth, of vertices or of points, and the forest that they make."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from spinome.io.cave import POSITION
from spinome.io.models import Model
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.mesh.surface import Mesh
from spinome.neurons import truth
from spinome.neurons.classify import CLASSES, Examples, domain_features, join_examples, train_forest, vertex_examples
from spinome.neurons.condense import Domains
from spinome.neurons.validation_groups import branches


def neuron_examples(
    neuron: str,
    mesh: Mesh,
    domains: Domains,
    truth_file: str,
    synapses: pd.DataFrame | None = None,
    weight: float = 1.0,
) -> Examples:
    """Examples of one neuron.

    Parameters
    ----------
    domains : whose `label` (V,) is of the vertices of the mesh
    truth_file : labels of vertices (.npz) or of points (a table)
    synapses : synapses of the neuron, from `read_synapses`, where the truth names them by id or by row
    weight : weight of the neuron, where others have 1

    Raises
    ------
    ValueError: if the truth labels nothing on this neuron; the message names the file.
    """
    label = vertex_labels(mesh, truth_file, synapses)
    if not ((label >= 0) & (label < len(CLASSES))).any():
        raise ValueError(f"{truth_file}: labels no place of {neuron} as {', '.join(CLASSES)}; is it another neuron's?")
    branch = branches(mesh, label == CLASSES.index("soma"))
    return vertex_examples(domain_features(domains), domains.label, label, branch, neuron, weight)


def vertex_labels(mesh: Mesh, truth_file: str, synapses: pd.DataFrame | None) -> np.ndarray:
    """True code of each vertex (V,), -1 where none is known: of all, or of those under labelled points."""
    if not truth.is_table(truth_file):
        return truth.read_vertex_truth(truth_file, mesh).label
    table = truth.read_synapse_truth(truth_file)
    if set(truth.POINT) <= set(table):
        points, code = table[truth.POINT].to_numpy(float), table["label"].to_numpy()
    elif synapses is not None:
        points, code = synapses[POSITION].to_numpy(float), truth.truth_of_synapses(table, synapses)
    else:
        raise ValueError(f"{truth_file}: names synapses by id or row; fill the column synapses of the sample sheet")
    known = (code >= 0) & np.isfinite(points).all(axis=1)
    label = np.full(len(mesh.vertices), -1)
    if known.any():
        vertex, distance = nearest_on_surface(mesh.vertices, mesh.faces, points[known])
        near = distance <= truth.ON_SURFACE_NM
        label[vertex[near]] = code[known][near]
    return label


def train(parts: Mapping[str, Examples], seed: int) -> Model:
    """A forest from the examples of neurons by name."""
    return train_forest(join_examples(list(parts.values())), seed)
