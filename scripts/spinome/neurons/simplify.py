"""Fewer vertices for the same surface, and where each vertex went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import fast_simplification
import numpy as np
from scipy.spatial import cKDTree

from spinome.mesh.surface import Mesh, components, vertex_areas
from spinome.mesh.welding import proper_faces, used_vertices, weld
from spinome.neurons.somata import broad

# components with fewer vertices are kept as they are: there is nothing to gain, and they could vanish
SMALLEST_SIMPLIFIED = 200
# surface of a soma keeps this many vertices per um^2: a spine's head on it still has a dozen. No labels were looked at
SOMA_VERTICES_PER_UM2 = 15.0
# in a mesh of fewer vertices to look for somata costs as much as is saved
FEWEST_WITH_SOMA = 1_000_000
AGGRESSIVENESS = 7


@dataclass(frozen=True)
class Collapses:
    """The vertices `merged` (M,) of a mesh went into `into` (M,); those of `moved` (K,) are at `place` (K, 3) nm."""

    merged: np.ndarray
    into: np.ndarray
    moved: np.ndarray
    place: np.ndarray

    def apply(self, mesh: Mesh) -> tuple[Mesh, np.ndarray]:
        """The mesh with the faces that are left, and which vertex each of its vertices (V,) is now.

        Vertices keep their numbers: those that were merged are still there, without a face.
        """
        vertices, now = mesh.vertices.astype(float), np.arange(len(mesh.vertices))
        vertices[self.moved] = self.place
        now[self.merged] = self.into
        return Mesh(vertices, proper_faces(now[mesh.faces]), {}), now


@dataclass(frozen=True)
class Simplified:
    """`vertices` (S, 3) nm, `faces` (F, 3), and for each vertex of the original mesh its one in `vertex_of` (V,).

    `collapses` are those of the welded mesh, by which it is made again, and `welded` says how many vertices with a face
    that has.
    """

    vertices: np.ndarray
    faces: np.ndarray
    vertex_of: np.ndarray
    collapses: Collapses
    welded: int


def simplify(
    mesh: Mesh,
    vertices_per_um2: float | None = None,
    reduction: float | None = None,
    aggressiveness: int = AGGRESSIVENESS,
    soma_vertices_per_um2: float | None = None,
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
    soma_vertices_per_um2 : density to come down to on the somata of large meshes (`spinome.neurons.somata.broad`),
        before all else

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
    left, now = welded, np.arange(len(welded.vertices))
    if soma_vertices_per_um2 is not None and len(welded.vertices) >= FEWEST_WITH_SOMA:
        patch = broad(left.vertices, left.faces)
        left, now = _collapsed(left, now, patch, _too_many(left, patch, soma_vertices_per_um2), aggressiveness)
    if reduction is None:
        used = np.zeros(len(left.vertices), bool)
        used[left.faces] = True
        reduction = 0.0 if vertices_per_um2 is None else _too_many(left, used, vertices_per_um2)
    if reduction > 0:
        component = components(len(left.vertices), left.faces)
        large = np.bincount(component)[component] > SMALLEST_SIMPLIFIED
        left, now = _collapsed(left, now, large, reduction, aggressiveness)
    merged = np.flatnonzero(now != np.arange(len(now)))
    moved = np.flatnonzero((left.vertices != welded.vertices).any(axis=1))
    collapses = Collapses(merged, now[merged], moved, left.vertices[moved])
    return _numbered(left, now[vertex_of], mesh.vertices, collapses, used_vertices(welded))


def write_simplified(path: str | Path, simplified: Simplified) -> None:
    """Write the collapses alone: nothing of a mesh that had none, since welding again is quick."""
    arrays = vars(simplified.collapses)
    if len(simplified.vertex_of) < np.iinfo(np.int32).max:
        arrays = {name: array if name == "place" else array.astype(np.int32) for name, array in arrays.items()}
    # fast-simplification places vertices in single precision
    np.savez(path, **arrays | {"place": arrays["place"].astype(np.float32)})


def read_simplified(path: str | Path, given: Mesh) -> Simplified:
    """Make the mesh again of which `write_simplified` wrote the collapses.

    Parameters
    ----------
    given : the mesh that they were made on
    """
    with np.load(path, allow_pickle=False) as data:
        collapses = Collapses(**data)
    welded, vertex_of = weld(given)
    left, now = collapses.apply(welded)
    return _numbered(left, now[vertex_of], given.vertices, collapses, used_vertices(welded))


def _too_many(mesh: Mesh, chosen: np.ndarray, vertices_per_um2: float) -> float:
    """The share of the vertices `chosen` (V,) that a density does without."""
    area_um2 = vertex_areas(mesh.vertices, mesh.faces)[chosen].sum() / 1e6
    return max(0.0, 1 - vertices_per_um2 * area_um2 / max(1, int(chosen.sum())))


def _collapsed(
    mesh: Mesh, now: np.ndarray, chosen: np.ndarray, reduction: float, aggressiveness: int
) -> tuple[Mesh, np.ndarray]:
    """Collapse edges among the vertices `chosen` (V,): the mesh, and which vertex each of `now` (V,) is after it.

    Faces beside follow the vertices that were merged, so that nothing is torn. Which vertex went where is read off the
    list of collapses, in place of fast-simplification's replay of it, which takes a quarter of the time.
    """
    inside = chosen[mesh.faces].all(axis=1)
    if reduction <= 0 or not inside.any():
        return mesh, now
    rows = np.flatnonzero(chosen)
    number = np.cumsum(chosen) - 1
    triangles = number[mesh.faces[inside]].astype(np.int32)
    place, faces, steps = fast_simplification.simplify(
        mesh.vertices[rows].astype(np.float32),
        triangles,
        target_reduction=reduction,
        agg=aggressiveness,
        return_collapses=True,
    )
    into = np.arange(len(rows))
    into[steps[:, 1]] = steps[:, 0]
    while (into[into] != into).any():
        into = into[into]
    left = proper_faces(into[triangles])
    # a vertex that lost all of its faces here stays where it is
    used = np.zeros(len(rows), bool)
    used[left] = True
    if not np.array_equal((np.cumsum(used) - 1)[left], faces):
        raise RuntimeError(
            "fast-simplification leaves other faces than its collapses say; install the version in requirements.lock"
        )
    merged = np.flatnonzero(into != np.arange(len(rows)))
    collapsed, became = Collapses(rows[merged], rows[into[merged]], rows[used], place.astype(float)).apply(mesh)
    return collapsed, became[now]


def _numbered(
    mesh: Mesh, vertex_of: np.ndarray, positions: np.ndarray, collapses: Collapses, welded: int
) -> Simplified:
    """Renumber so that each vertex has a face; an original vertex whose own is gone takes the nearest."""
    used = np.zeros(len(mesh.vertices), bool)
    used[mesh.faces] = True
    number = np.where(used, np.cumsum(used) - 1, -1)
    vertex_of, vertices = number[vertex_of], mesh.vertices[used]
    lost = vertex_of < 0
    if lost.any():
        vertex_of[lost] = cKDTree(vertices).query(positions[lost])[1]
    return Simplified(vertices, number[mesh.faces], vertex_of.astype(np.int32), collapses, welded)
