"""Spines as instances: which vertices belong to which spine."""

from __future__ import annotations

import numba
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, dijkstra

from spinome.neurons.classes import CLASSES
from spinome.union_find import find_root

SPINE = CLASSES.index("spine")
# a spine that rises less than this above its neighbour is a knob of it
RISE_NM = 300.0
# whether two peaks are two spines is doubtful where the rise is within this factor of the border
DOUBTFUL = 3.0


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
    return instances_and_pairs(edges, on_spine, distance, area, min_area_um2, rise_nm)[0]


def instances_and_pairs(
    edges: np.ndarray,
    on_spine: np.ndarray,
    distance: np.ndarray,
    area: np.ndarray,
    min_area_um2: float = 0.2,
    rise_nm: float = RISE_NM,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `spine_instances`, with the pairs of peaks of which it is doubtful whether they are one spine or two.

    Returns
    -------
    spine (V,) of each vertex; the pairs (P, 2), as vertices, the lower peak first; how far the lower one rises above
        the place where they meet (P,) nm, within `DOUBTFUL` of `rise_nm`
    """
    a, b = edges.T
    inside = on_spine[a] & on_spine[b]
    # a piece that no way leads to from the shaft is flat, and stays whole
    height = np.where(np.isfinite(distance), distance, 0.0)
    graph = sp.coo_array((inside[inside], (a[inside], b[inside])), shape=(len(on_spine),) * 2).tocsr()
    graph = (graph + graph.T).tocsr()
    members = np.flatnonzero(on_spine)
    order = members[np.argsort(-height[members], kind="stable")]
    least, most = rise_nm / DOUBTFUL, rise_nm * DOUBTFUL
    peak, met, rise = _peaks(order, graph.indptr, graph.indices, height, area, rise_nm, min_area_um2 * 1e6, least)
    own, number = np.unique(peak[members], return_inverse=True)
    large = np.bincount(number, area[members], minlength=len(own)) >= max(min_area_um2 * 1e6, np.finfo(float).tiny)
    spine_of = np.full(len(on_spine), -1, np.int32)
    spine_of[members] = np.where(large, np.cumsum(large) - 1, -1)[number]
    # two spines meet all along their border, first at its highest place
    first = np.sort(np.unique(met, axis=0, return_index=True)[1])
    met, rise = met[first], rise[first]
    asked = (rise <= most) & (spine_of[met] >= 0).all(axis=1)
    return spine_of, met[asked], rise[asked]


def decided(
    spine_of: np.ndarray, edges: np.ndarray, vertices: np.ndarray, pairs: np.ndarray, one: np.ndarray
) -> np.ndarray:
    """The spines as a person says: two that are one are joined, and one that is two is parted.

    A spine is parted between its two places: each vertex goes to the one that is nearer along the surface. What is
    joined is joined after that, so that a part may become one with a neighbour.

    Parameters
    ----------
    spine_of : (V,) of `spine_instances`
    edges : (E, 2), vertices : (V, 3) nm, of the welded mesh
    pairs : (P, 2) vertices at the two places, on spines
    one : (P,) whether they are one spine, or two

    Returns
    -------
    spine (V,), numbered on without a gap
    """
    out = spine_of.astype(np.int64)
    for first, second in pairs[~one]:
        if out[first] != out[second] or first == second:
            continue
        members = np.flatnonzero(out == out[first])
        local = np.full(len(out), -1)
        local[members] = np.arange(len(members))
        a, b = local[edges[(out[edges] == out[first]).all(axis=1)]].T
        length = np.linalg.norm(vertices[members[a]] - vertices[members[b]], axis=1)
        graph = sp.coo_array((length, (a, b)), shape=(len(members),) * 2).tocsr()
        ways = dijkstra(graph, directed=False, indices=[local[first], local[second]])
        out[members[ways[1] < ways[0]]] = out.max() + 1
    joined = out[pairs[one]]
    count = int(out.max(initial=-1)) + 1
    graph = sp.coo_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(count, count))
    group = connected_components(graph, directed=False)[1]
    members = out >= 0
    out[members] = np.unique(group[out[members]], return_inverse=True)[1]
    return out.astype(np.int32)


def connected_pieces(a: np.ndarray, b: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Connected piece (V,) of each vertex among the `chosen` (V,); the others are each a piece."""
    inside = chosen[a] & chosen[b]
    graph = sp.coo_array((inside[inside], (a[inside], b[inside])), shape=(len(chosen),) * 2)
    return connected_components(graph, directed=False)[1]


@numba.njit(cache=True)
def _peaks(order, indptr, indices, height, area, rise, min_area, least):
    """The peak (V,) that each vertex belongs to; vertices are given from the highest to the lowest.

    Also the pairs of peaks (M, 2) that meet, both of enough surface and the lower one, which is first, at least `least`
    above the place; and how far (M,).
    """
    met, risen = [(0, 0) for _ in range(0)], [0.0 for _ in range(0)]
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
            small = mass[root] < min_area or mass[highest] < min_area
            low = top[root] - height[v] < rise or small
            if not small and top[root] - height[v] >= least:
                met.append((root, highest))
                risen.append(top[root] - height[v])
            if low:
                parent[root] = highest
                mass[highest] += mass[root]
        root = find_root(parent, steepest)
        parent[v] = root
        mass[root] += area[v]
    for v in order:
        parent[v] = find_root(parent, v)
    pairs = np.empty((len(met), 2), np.int64)
    for number, (lower, higher) in enumerate(met):
        pairs[number] = lower, higher
    return parent, pairs, np.array(risen)
