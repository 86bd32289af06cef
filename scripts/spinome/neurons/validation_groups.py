"""Branches of a neuron: what cross-validation keeps together."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from spinome.mesh.surface import Mesh, mesh_edges
from spinome.mesh.welding import weld

# edge of the cubes that stand for branches where one branch is most of the neuron
BLOCK_NM = 20_000.0


def branches(mesh: Mesh, soma: np.ndarray) -> np.ndarray:
    """The branch of each vertex (V,): connected pieces of the surface without its soma.

    Cubes of 20 um stand for branches in the soma, and everywhere where one piece holds more than half of the vertices.

    Parameters
    ----------
    mesh : mesh in nm; vertices at the same place are one
    soma : (V,) bool, the vertices known to be soma
    """
    cube = np.unique((mesh.vertices // BLOCK_NM).astype(int), axis=0, return_inverse=True)[1].reshape(-1)
    welded, origin = weld(mesh)
    inside = np.ones(len(welded.vertices), bool)
    inside[origin[soma]] = False
    edges = mesh_edges(welded.faces)
    edges = edges[inside[edges].all(axis=1)]
    graph = sp.coo_array((np.ones(len(edges), np.int8), tuple(edges.T)), shape=(len(inside),) * 2)
    piece = connected_components(graph, directed=False)[1][origin]
    if np.bincount(piece[~soma], minlength=1).max() > len(soma) / 2:
        return cube
    return np.where(soma, piece.max() + 1 + cube, piece)
