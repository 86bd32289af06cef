"""Parts of a surface as closed bodies: which faces they own, which way those face, and the volume they enclose."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components


def owned_faces(faces: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces with two or more corners in a region (V,), -1 where none, turned one way; and the region of each.

    Returns
    -------
    faces (F', 3), owner (F',)
    """
    a, b, c = region[faces].T
    owner = np.where(b == c, b, a)
    owned = ((a == b) | (b == c) | (c == a)) & (owner >= 0)
    return oriented(faces[owned]), owner[owned]


def oriented(faces: np.ndarray) -> np.ndarray:
    """The faces (F, 3), each connected piece turned the way that most of its faces have.

    Two faces that run along a shared edge in the same direction do not agree. Each face stands for two nodes of a
    graph, as it is and turned; edges join those that agree, so the two sides of an orientable piece fall apart.
    """
    tail, head = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    keys = np.minimum(tail, head).astype(np.int64) * (int(faces.max(initial=0)) + 1) + np.maximum(tail, head)
    order = np.argsort(keys, kind="stable")
    new = np.r_[True, keys[order][1:] != keys[order][:-1], True] if len(keys) else np.ones(1, bool)
    # edges of exactly two faces; where more meet there is no telling
    first = np.flatnonzero(new[:-2] & ~new[1:-1] & new[2:])
    one, other = order[first], order[first + 1]
    against = (tail < head)[one] == (tail < head)[other]
    if not against.any():
        return faces
    one, other, count = one // 3, other // 3, len(faces)
    ends = np.r_[one, one + count], np.r_[other + against * count, other + ~against * count]
    graph = sp.coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(2 * count,) * 2)
    side = connected_components(graph, directed=False)[1].reshape(2, count)
    piece, turned = side.min(axis=0), side[0] > side[1]
    most = np.bincount(piece, turned) > np.bincount(piece) / 2
    turned ^= most[piece]
    return np.where(turned[:, None], faces[:, ::-1], faces)


def closed_volumes(vertices: np.ndarray, faces: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    """Volume (count,) that the faces of each region enclose, its borders closed by fans, by the divergence theorem.

    Parameters
    ----------
    vertices : (V, 3)
    faces, owner : (F, 3), (F,) from `owned_faces`
    count : number of regions
    """
    if not len(faces):
        return np.zeros(count)
    # about the origin of its own region each term is small, and the sums are exact
    origin = group_mean(vertices[faces].mean(axis=1), owner, count)
    a, b, c = (vertices[faces] - origin[owner][:, None]).transpose(1, 0, 2)
    volume = np.bincount(owner, np.einsum("ij,ij->i", a, np.cross(b, c)), minlength=count)
    tail, head, owner = _borders(faces, owner, len(vertices))
    if len(tail):
        # a loop of the border has a middle of its own; loops of different regions never meet in a node
        nodes, place = np.unique(np.r_[tail, head] * count + np.r_[owner, owner], return_inverse=True)
        tail_node, head_node = np.split(place, 2)
        links = sp.coo_array((np.ones(len(tail)), (tail_node, head_node)), shape=(len(nodes),) * 2)
        _, loop = connected_components(links, directed=False)
        position = vertices[nodes // count] - origin[nodes % count]
        middle = group_mean(position, loop, loop.max() + 1)
        a, b, c = position[head_node], position[tail_node], middle[loop[tail_node]]
        volume += np.bincount(owner, np.einsum("ij,ij->i", a, np.cross(b, c)), minlength=count)
    return np.abs(volume) / 6


def group_mean(points: np.ndarray, group: np.ndarray, count: int, weight: np.ndarray | None = None) -> np.ndarray:
    """Mean (count, 3) of the points (N, 3) of each group (N,), NaN where it is empty."""
    weight = np.ones(len(points)) if weight is None else np.maximum(weight, 1e-9)
    total = np.stack([np.bincount(group, column * weight, minlength=count) for column in points.T], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / np.bincount(group, weight, minlength=count)[:, None]


def _borders(faces: np.ndarray, owner: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directed edges of each region without one the other way: tail, head, region."""
    tail, head = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    region = np.repeat(owner, 3)
    edge = np.minimum(tail, head).astype(np.int64) * size + np.maximum(tail, head)
    # one number for edge and region would be too large for 64 bits in a mesh of 4e7 vertices
    order = np.lexsort((region, edge))
    edge, region = edge[order], region[order]
    first = np.flatnonzero(np.r_[True, (edge[1:] != edge[:-1]) | (region[1:] != region[:-1])])
    excess = np.add.reduceat(np.where(tail < head, 1, -1)[order], first)
    kept = np.repeat(first, np.abs(excess))
    low, high, forward = edge[kept] // size, edge[kept] % size, np.repeat(excess, np.abs(excess)) > 0
    return np.where(forward, low, high), np.where(forward, high, low), region[kept]
