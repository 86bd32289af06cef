"""A mesh as overlapping chunks that are small enough to decompose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, dijkstra, laplacian
from scipy.sparse.linalg import LinearOperator, eigsh

from spinome.mesh.laplacian import factorise
from spinome.mesh.surface import mesh_edges

# a side smaller than this fraction is no half: cut at the median of the Fiedler vector instead
SMALLEST_SIDE = 0.02


@dataclass(frozen=True)
class Chunk:
    """Vertices of a chunk in ascending order, and which of them it `owns`: every vertex is owned once."""

    vertices: np.ndarray
    owns: np.ndarray


def edge_graph(vertices: np.ndarray, faces: np.ndarray) -> sp.csr_array:
    """The mesh's edges as a symmetric graph (V, V), weighted by length."""
    a, b = mesh_edges(faces).T
    length = np.linalg.norm(vertices[a] - vertices[b], axis=1)
    both = sp.coo_array((np.r_[length, length], (np.r_[a, b], np.r_[b, a])), shape=(len(vertices),) * 2)
    return both.tocsr()


def split(
    graph: sp.csr_array, max_vertices: int = 6000, overlap_nm: float = 10_000.0, max_overlapping: int = 18_000
) -> Iterator[Chunk]:
    """Cut each component in two by its Fiedler vector until no part is too large, then let the parts overlap.

    The sign of the Fiedler vector cuts few edges, which on a neurite is its cross-section, and leaves both
    sides connected (Fiedler 1975); the overlap keeps the border's effect away from what a chunk owns
    (Pedigo et al. 2026).

    Parameters
    ----------
    graph : (V, V) symmetric, weighted by edge length in nm
    max_vertices : a part is cut until it owns no more
    overlap_nm : a chunk also holds what is this near along the edges
    max_overlapping : but no more vertices than this, the nearest first; never fewer than it owns
    """
    for owned in _parts(graph, max_vertices):
        distance = dijkstra(graph, directed=True, indices=owned, min_only=True, limit=overlap_nm)
        vertices = np.flatnonzero(np.isfinite(distance))
        most = max(max_overlapping, len(owned))
        if len(vertices) > most:
            nearest = np.argsort(distance[vertices], kind="stable")[:most]
            vertices = np.sort(vertices[nearest])
        yield Chunk(vertices, np.isin(vertices, owned, assume_unique=True))


def _parts(graph: sp.csr_array, max_vertices: int) -> Iterator[np.ndarray]:
    waiting = [np.arange(graph.shape[0])]
    while waiting:
        part = waiting.pop()
        count, component = connected_components(graph[part][:, part], directed=False)
        if count > 1:
            order = np.argsort(component, kind="stable")
            waiting += np.split(part[order], np.cumsum(np.bincount(component))[:-1])
        elif len(part) <= max_vertices:
            yield part
        else:
            side = _bisect(graph[part][:, part])
            waiting += [part[side], part[~side]]


def _bisect(graph: sp.csr_array) -> np.ndarray:
    """One side of a connected graph (V,) bool, by the sign of the Fiedler vector of its unweighted Laplacian."""
    count = graph.shape[0]
    ones = sp.csr_array((np.ones(graph.nnz), graph.indices, graph.indptr), shape=graph.shape)
    matrix = laplacian(ones).tocsc()
    shift = -1e-7
    inverse = LinearOperator(matrix.shape, factorise(matrix, shift).solve, dtype=float)
    start = np.random.default_rng(0).standard_normal(count)
    _, vectors = eigsh(matrix, k=2, sigma=shift, OPinv=inverse, tol=1e-3, v0=start)
    fiedler = vectors[:, 1]
    side = fiedler >= 0
    if not SMALLEST_SIDE < side.mean() < 1 - SMALLEST_SIDE:
        side = np.argsort(np.argsort(fiedler, kind="stable"), kind="stable") < count // 2
    return side
