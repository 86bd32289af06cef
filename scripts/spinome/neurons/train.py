"""Examples from neurons with truth, of vertices or of points, and the forest that they make."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from spinome.io.cave import POSITION
from spinome.io.models import Model
from spinome.mesh.hks import log_hks
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.mesh.surface import Mesh, vertex_areas
from spinome.mesh.welding import used_vertices, weld
from spinome.neurons import truth
from spinome.neurons.classes import CLASSES
from spinome.neurons.classify import (
    Examples,
    copied_from,
    copy_name,
    domain_features,
    join_examples,
    train_forest,
    vertex_examples,
)
from spinome.neurons.condense import Domains, condense
from spinome.neurons.simplify import simplify
from spinome.neurons.validation_groups import branches

# vertices per um^2 that each mesh is simplified to as well, so that a forest knows meshes of low resolution; of meshes
# with fewer than DENSER times as many there is no such copy
COARSER, DENSER = (20.0, 5.0), 1.5


@dataclass(frozen=True)
class Copy:
    """`domains` of the mesh that they were made on, and its vertex (V,) for each vertex of the mesh that was given."""

    domains: Domains
    vertex_of: np.ndarray

    @property
    def given(self) -> Domains:
        """The domains with the label of each vertex of the mesh that was given."""
        return replace(self.domains, label=self.domains.label[self.vertex_of])


def coarser_copies(neuron: str, mesh: Mesh, distance: float = 3.0, **hks: Any) -> dict[str, Copy]:
    """Copies of a mesh with fewer vertices, by name (`copy_name`).

    Parameters
    ----------
    distance : height at which Ward's tree is cut (`condense`)
    hks : options of `log_hks`
    """
    density = used_vertices(weld(mesh)[0]) / (vertex_areas(mesh.vertices, mesh.faces).sum() / 1e6)
    copies = {}
    for target in COARSER:
        if density > DENSER * target:
            small = simplify(mesh, target)
            signature = log_hks(small.vertices, small.faces, **hks)
            domains = condense(small.vertices, small.faces, signature, distance)
            copies[copy_name(neuron, target)] = Copy(domains, small.vertex_of)
    return copies


def copy_shares(copies: Collection[str]) -> dict[str, float]:
    """The share of a neuron's weight by copy: half for the mesh as it is, which comes first, half for all others."""
    others = len(copies) - 1
    return {name: 0.5 / others if number else 1.0 if not others else 0.5 for number, name in enumerate(copies)}


def neuron_examples(
    neuron: str,
    mesh: Mesh,
    domains: Domains,
    truth_file: str,
    synapses: pd.DataFrame | None = None,
    weight: float = 1.0,
) -> Examples:
    """Examples of one neuron, or of a copy of it; both are in the same groups.

    Parameters
    ----------
    neuron : its name, or that of the copy
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
    return vertex_examples(domain_features(domains), domains.label, label, branch, copied_from(neuron), weight)


def vertex_labels(mesh: Mesh, truth_file: str, synapses: pd.DataFrame | None) -> np.ndarray:
    """True code of each vertex (V,), -1 where none is known: of all, or of those under labelled points."""
    if not truth.is_table(truth_file):
        return truth.read_vertex_truth(truth_file, mesh).label
    table = truth.read_synapse_truth(truth_file)
    if set(truth.POINT) <= set(table):
        points, code = table[truth.POINT].to_numpy(float), table["label"].to_numpy()
    elif synapses is not None:
        points, code = synapses[POSITION].to_numpy(float), truth.truth_of_synapses(table, synapses, truth_file)
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
