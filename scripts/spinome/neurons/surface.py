"""Points on a surface: the nearest place, how far it is, and which vertex is there."""

from __future__ import annotations

import numpy as np
import trimesh
from scipy.spatial import cKDTree

CANDIDATES = 4
BATCH = 20_000


def nearest_on_surface(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertex nearest to each point's foot on the surface, and the distance to that foot.

    The foot is searched on the faces around the few nearest vertices; a vertex alone can be much farther than
    the face that the point lies on.

    Parameters
    ----------
    vertices : (V, 3), faces : (F, 3), points : (N, 3), finite

    Returns
    -------
    vertex (N,) int, distance (N,) in the unit of the vertices
    """
    used = np.unique(faces)
    order = np.argsort(faces.reshape(-1), kind="stable")
    starts = np.searchsorted(faces.reshape(-1)[order], np.arange(len(vertices) + 1))
    count = min(CANDIDATES, len(used))
    _, near = cKDTree(vertices[used]).query(points, k=count)
    near = used[np.reshape(near, (len(points), count))]
    vertex, distance = np.zeros(len(points), np.int64), np.full(len(points), np.inf)
    for first in range(0, len(points), BATCH):
        batch = slice(first, first + BATCH)
        vertex[batch], distance[batch] = _nearest_foot(vertices, faces, points[batch], near[batch], order // 3, starts)
    return vertex, distance


def _nearest_foot(vertices, faces, points, near, face_of, starts) -> tuple[np.ndarray, np.ndarray]:
    """Closest foot on the faces at the `near` (N, k) vertices of each point."""
    count = starts[near + 1] - starts[near]
    point = np.repeat(np.arange(len(points)), count.sum(axis=1))
    count = count.reshape(-1)
    inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    face = face_of[np.repeat(starts[near.reshape(-1)], count) + inside]
    corners = vertices[faces[face]]
    foot = trimesh.triangles.closest_point(corners, points[point])
    length = np.linalg.norm(foot - points[point], axis=1)
    best = np.lexsort([face, length, point])
    best = best[np.searchsorted(point[best], np.arange(len(points)))]
    corner = np.linalg.norm(corners[best] - foot[best][:, None], axis=2).argmin(axis=1)
    return faces[face[best], corner], length[best]
