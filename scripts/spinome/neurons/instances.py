"""Spines as instances: which vertices belong to which spine."""

from __future__ import annotations

import numba
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, dijkstra

from spinome.neurons.classify import CLASSES
from spinome.union_find import find_root

SPINE = CLASSES.index("spine")
# a spine that rises less than this above its neighbour is a knob of it
RISE_NM = 300.0


def shaft_distance(
    vertices: np.ndarray, edges: np.ndarray, on_spine: np.ndarray, area: np.ndarray, min_area_um2: float = 0.2
) -> np.ndarray:
    """Way along the edges from each vertex (V,) to the shaft or the soma, in nm; inf where it does not lead there.

    Parameters
    ----------
    vertices : (V, 3) nm and edges : (E, 2), of the welded mesh
    on_spine : (V,) bool
    area : (V,) nm^2
    min_area_um2 : what is not spine but smaller than this is a fleck on a spine, and no shaft to start from
    """
    a, b = edges.T
    length = np.linalg.norm(vertices[a] - vertices[b], axis=1)
    piece = connected_pieces(a, b, ~on_spine)
    shaft = ~on_spine & (np.bincount(piece, np.where(on_spine, 0, area)) >= min_area_um2 * 1e6)[piece]
    inside = on_spine[a] | on_spine[b]
    graph = sp.coo_array((length[inside], (a[inside], b[inside])), shape=(len(vertices),) * 2).tocsr()
    border = np.concatenate([a[inside & shaft[a]], b[inside & shaft[b]]])
    if not len(border):
        return np.where(shaft, 0.0, np.inf)
    return np.where(shaft, 0.0, dijkstra(graph, directed=False, indices=np.unique(border), min_only=True))


def spine_instances(
    edges: np.ndarray,
    on_spine: np.ndarray,
    distance: np.ndarray,
    area: np.ndarray,
    min_area_um2: float = 0.2,
    rise_nm: float = RISE_NM,
) -> np.ndarray:
    """Number the spines: (V,) int32, -1 where there is none.

    A spine is a connected region of spine vertices, or a part of one: from the tips downwards, the region is
    filled like a landscape whose height is the distance from the shaft, and where two peaks meet they are two
    spines if both rise by `rise_nm` above the place and have enough surface, else one (topological persistence,
    Edelsbrunner et al. 2002). Two heads on one neck are thus two spines, a knobbly head is one.

    Parameters
    ----------
    edges : (E, 2) of the welded mesh
    on_spine : (V,) bool
    distance : (V,) from `shaft_distance`, nm
    area : (V,) nm^2
    min_area_um2 : smaller ones are no spines; a number of vertices would depend on how dense the mesh is
    rise_nm : height that a peak needs to be a spine of its own
    """
    a, b = edges.T
    inside = on_spine[a] & on_spine[b]
    # a piece that no way leads to from the shaft is flat, and stays whole
    height = np.where(np.isfinite(distance), distance, 0.0)
    graph = sp.coo_array((inside[inside], (a[inside], b[inside])), shape=(len(on_spine),) * 2).tocsr()
    graph = (graph + graph.T).tocsr()
    members = np.flatnonzero(on_spine)
    order = members[np.argsort(-height[members], kind="stable")]
    peak = _peaks(order, graph.indptr, graph.indices, height, area, rise_nm, min_area_um2 * 1e6)
    own, number = np.unique(peak[members], return_inverse=True)
    large = np.bincount(number, area[members], minlength=len(own)) >= max(min_area_um2 * 1e6, np.finfo(float).tiny)
    spine_of = np.full(len(on_spine), -1, np.int32)
    spine_of[members] = np.where(large, np.cumsum(large) - 1, -1)[number]
    return spine_of


def connected_pieces(a: np.ndarray, b: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Connected piece (V,) of each vertex among the `chosen` (V,); the others are each a piece."""
    inside = chosen[a] & chosen[b]
    graph = sp.coo_array((inside[inside], (a[inside], b[inside])), shape=(len(chosen),) * 2)
    return connected_components(graph, directed=False)[1]


@numba.njit(cache=True)
def _peaks(order, indptr, indices, height, area, rise, min_area):
    """The peak (V,) that each vertex belongs to; vertices are given from the highest to the lowest."""
    parent = np.full(len(height), -1)  # -1: not reached yet
    top, mass = np.zeros(len(height)), np.zeros(len(height))
    for v in order:
        parent[v], top[v], mass[v] = v, height[v], 0.0
        highest, steepest = -1, -1
        for u in indices[indptr[v] : indptr[v + 1]]:
            if parent[u] < 0 or u == v:
                continue
            root = find_root(parent, u)
            if root == v:
                continue
            if highest < 0 or top[root] > top[highest]:
                highest = root
            if steepest < 0 or height[u] > height[steepest]:
                steepest = u
        if highest < 0:
            mass[v] = area[v]
            continue
        for u in indices[indptr[v] : indptr[v + 1]]:
            if parent[u] < 0 or u == v:
                continue
            root = find_root(parent, u)
            if root == highest:
                continue
            low = top[root] - height[v] < rise or mass[root] < min_area or mass[highest] < min_area
            if low:
                parent[root] = highest
                mass[highest] += mass[root]
        root = find_root(parent, steepest)
        parent[v] = root
        mass[root] += area[v]
    for v in order:
        parent[v] = find_root(parent, v)
    return parent
