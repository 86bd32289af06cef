"""Fewer vertices for the same surface, and where each vertex went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import fast_simplification
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from spinome.io.meshes import read_mesh
from spinome.mesh.surface import Mesh, mesh_edges, vertex_areas
from spinome.mesh.welding import proper_faces, weld

# components with fewer vertices are kept as they are: there is nothing to gain, and they could vanish
SMALLEST_SIMPLIFIED = 200


@dataclass(frozen=True)
class Simplified:
    """`vertices` (S, 3) nm, `faces` (F, 3), and for each vertex of the original mesh its one in `vertex_of` (V,).

    `reduced` says whether faces were removed, or seams welded alone.
    """

    vertices: np.ndarray
    faces: np.ndarray
    vertex_of: np.ndarray
    reduced: bool = False


def simplify(
    mesh: Mesh, vertices_per_um2: float | None = None, reduction: float | None = None, aggressiveness: int = 7
) -> Simplified:
    """Weld the seams, then collapse edges by quadric error (Garland and Heckbert 1997).

    Without a density or a reduction the seams alone are welded. The signatures that selected inversion gives need
    no fewer vertices, and agree between densities; the eigenpairs of the published route do need them.

    Parameters
    ----------
    mesh : any triangle mesh in nm; components, holes and edges of more than two faces are kept as they are
    vertices_per_um2 : density of vertices to come down to; a mesh that is less dense is kept, as it is where None
    reduction : fraction of the faces to remove instead
    aggressiveness : how boldly fast-simplification removes faces, from 0 (slow and exact) to 10 (fast)

    Returns
    -------
    Simplified, in which every vertex has a face, and every vertex of `mesh`, used or not, has one of them

    Raises
    ------
    ValueError: if no face has an area.
    """
    welded, vertex_of = weld(mesh)
    if not len(welded.faces):
        raise ValueError("no face of the mesh has an area; write the mesh again")
    vertices, faces, reduced = welded.vertices, welded.faces, False
    if reduction is None:
        reduction = 0.0
        if vertices_per_um2 is not None:
            area_um2 = vertex_areas(vertices, faces).sum() / 1e6
            reduction = max(0.0, 1 - vertices_per_um2 * area_um2 / len(vertices))
    if reduction > 0:
        component = _components(len(vertices), faces)
        large = np.bincount(component)[component] > SMALLEST_SIMPLIFIED
        if large.any():
            vertices, faces, moved = _decimate(vertices, faces, large, reduction, aggressiveness)
            vertex_of, reduced = moved[vertex_of], True
    vertices, faces, vertex_of = _drop_unused(vertices, faces, vertex_of, mesh.vertices)
    return Simplified(vertices, faces, vertex_of.astype(np.int32), reduced)


def write_simplified(path: str | Path, simplified: Simplified) -> None:
    """Write a mesh that lost faces; of one that lost none nothing but the fact, since welding again is quick."""
    names = ("vertices", "faces", "vertex_of") if simplified.reduced else ()
    arrays = {name: getattr(simplified, name) for name in names}
    if arrays and len(simplified.vertices) < np.iinfo(np.int32).max:
        arrays["faces"] = arrays["faces"].astype(np.int32)
    np.savez(path, **arrays)


def read_simplified(path: str | Path, mesh: str) -> Simplified:
    """Read what `write_simplified` wrote, with the mesh that it was made from where it is needed.

    Parameters
    ----------
    mesh : source of the mesh
    """
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    return Simplified(**arrays, reduced=True) if arrays else simplify(read_mesh(mesh))


def _decimate(
    vertices: np.ndarray, faces: np.ndarray, large: np.ndarray, reduction: float, aggressiveness: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decimate the vertices `large` (V,), keep the others; new vertices and faces, and the new vertex of each.

    Which vertex went where is read off the list of collapses, in place of fast-simplification's replay of it, which
    takes a quarter of the time of the decimation. A vertex that lost all of its faces stays, without any.
    """
    number = np.cumsum(large) - 1
    points = vertices[large].astype(np.float32)
    triangles = number[faces[large[faces[:, 0]]]].astype(np.int32)
    kept, kept_faces, collapses = fast_simplification.simplify(
        points, triangles, target_reduction=reduction, agg=aggressiveness, return_collapses=True
    )
    into = np.arange(len(points))
    into[collapses[:, 1]] = collapses[:, 0]
    while (into[into] != into).any():
        into = into[into]
    left = proper_faces(into[triangles])
    used = np.zeros(len(points), bool)
    used[left] = True
    new = np.where(used, np.cumsum(used) - 1, -1)
    if not np.array_equal(new[left], kept_faces):
        raise RuntimeError(
            "fast-simplification leaves other faces than its collapses say; install the version in requirements.lock"
        )
    lost = np.flatnonzero((into == np.arange(len(points))) & ~used)
    new[lost] = len(kept) + np.arange(len(lost))
    rest = np.flatnonzero(~large)
    place = np.empty(len(vertices), np.int64)
    place[large] = new[into]
    place[rest] = len(kept) + len(lost) + np.arange(len(rest))
    faces = np.concatenate([kept_faces, place[faces[~large[faces[:, 0]]]]])
    return np.concatenate([kept, points[lost], vertices[rest]], dtype=np.float64), faces, place


def _components(count: int, faces: np.ndarray) -> np.ndarray:
    edges = mesh_edges(faces)
    graph = sp.coo_array((np.ones(len(edges), np.int8), tuple(edges.T)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _drop_unused(
    vertices: np.ndarray, faces: np.ndarray, vertex_of: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Renumber so that each vertex has a face; an original vertex whose own is gone takes the nearest."""
    faces = proper_faces(faces)
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    number = np.where(used, np.cumsum(used) - 1, -1)
    vertex_of, vertices = number[vertex_of], vertices[used]
    lost = vertex_of < 0
    if lost.any():
        vertex_of[lost] = cKDTree(vertices).query(positions[lost])[1]
    return vertices, number[faces], vertex_of
