"""Surfaces of segments in pieces, cuboid by cuboid, and the mesh that they are welded to.

Marching cubes has its vertices half way between voxels, so that places are whole numbers of half voxels, and pieces of
two cuboids meet without a gap. A surface is put into one order before it is simplified; so a mesh does not depend on
the pieces it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import zmesh

from spinome.cuboids import Box, Cuboid, Shape, and_next
from spinome.io.units import VoxelSize
from spinome.mesh.surface import Mesh

# zmesh sees no finer place than half a unit, and no more than so many of them
MOST_HALVES = 2**20
BITS = 21


@dataclass(frozen=True)
class Pieces:
    """The surfaces of N segments as far as they lie in a cuboid.

    Attributes
    ----------
    labels : (N,) uint64
    vertex_ends, face_ends : (N,) int64, where the rows of each segment end
    vertices : (V, 3) int32, x y z in half voxels of the volume, the centre of its first voxel at 0
    faces : (F, 3) int32, of the segment's own vertices
    """

    labels: np.ndarray
    vertex_ends: np.ndarray
    face_ends: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray

    def of(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and faces of a segment that is here."""
        return self.vertices[self.vertices_of(label)], self.faces[self._rows(label, self.face_ends)]

    def vertices_of(self, label: int) -> slice:
        """The rows of the vertices of a segment that is here."""
        return self._rows(label, self.vertex_ends)

    def _rows(self, label: int, ends: np.ndarray) -> slice:
        (place,) = np.flatnonzero(self.labels == np.uint64(label))
        return slice(ends[place - 1] if place else 0, ends[place])


def find_pieces(read: Callable[[Box], np.ndarray], cuboid: Cuboid, shape: Shape) -> Pieces:
    """The surfaces in a cuboid and up to the voxels after it; what the volume cuts is closed there.

    Parameters
    ----------
    read : labels (Z, Y, X) of a box, 0 for what has no surface
    cuboid : its core counts
    shape : of the volume
    """
    labels = read(and_next(cuboid, shape))
    before = [int(side.start == 0) for side in cuboid.core]
    after = [int(side.stop == length) for side, length in zip(cuboid.core, shape)]
    # a border of background closes what the volume cuts; zmesh's own border moves the vertices by a voxel
    labels = np.pad(labels.astype(np.uint64), list(zip(before, after)))
    corner = 2 * (np.array(cuboid.start) - before)[::-1]
    mesher = zmesh.Mesher((1, 1, 1))
    mesher.mesh(np.asfortranarray(labels.transpose(2, 1, 0)), close=False)
    ids = sorted(mesher.ids())
    vertices, faces = [np.zeros((0, 3), np.int32)], [np.zeros((0, 3), np.int32)]
    for label in ids:
        mesh = mesher.get(label, normals=False, reduction_factor=0)
        mesher.erase(label)
        vertices.append((np.rint(2 * mesh.vertices) + corner).astype(np.int32))
        faces.append(mesh.faces.astype(np.int32))
    ends = [np.cumsum([len(rows) for rows in parts[1:]], dtype=np.int64) for parts in (vertices, faces)]
    return Pieces(np.array(ids, np.uint64), *ends, np.concatenate(vertices), np.concatenate(faces))


def save_pieces(path: str | Path, pieces: Pieces, **more: np.ndarray) -> None:
    """Write the pieces of a cuboid, with other arrays."""
    with Path(path).open("wb") as file:
        np.savez(file, **vars(pieces), **more)


def read_pieces(path: str | Path) -> Pieces:
    """Read what `save_pieces` wrote."""
    with np.load(path) as stored:
        return Pieces(**{field.name: stored[field.name] for field in fields(Pieces)})


def cuboids_of(box: np.ndarray, cuboid: Shape) -> Iterator[str]:
    """Names of the cuboids that may hold a piece of a segment with a bounding box `z0 z1 y0 y1 x0 x1`."""
    # its surface begins half a voxel before it
    first, last = np.maximum(box[::2] - 1, 0) // cuboid, (box[1::2] - 1) // cuboid
    for place in np.ndindex(*(last - first + 1)):
        yield "-".join(str(start) for start in ((first + place) * cuboid).tolist())


def gather(names: Iterable[str], read: Callable[[str], Pieces], wanted: Collection[int]) -> dict[int, list]:
    """The pieces of the wanted segments from cuboids that are read one at a time."""
    found: dict[int, list] = {label: [] for label in wanted}
    for name in names:
        pieces = read(name)
        for label in found.keys() & set(pieces.labels.tolist()):
            found[label].append(pieces.of(label))
    return found


def weld_pieces(pieces: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One surface from its pieces, vertices and faces in an order of their own.

    Returns
    -------
    vertices (V, 3) in half voxels, faces (F, 3), and the row (V,) of each vertex in the vertices of all pieces
    """
    vertices, faces, count = [], [], 0
    for own_vertices, own_faces in pieces:
        vertices.append(own_vertices.astype(np.int64))
        faces.append(own_faces.astype(np.int64) + count)
        count += len(own_vertices)
    places = np.concatenate(vertices) + 2
    x, y, z = places.T
    keys, rows, number = np.unique((z << 2 * BITS) | (y << BITS) | x, return_index=True, return_inverse=True)
    corners = number[np.concatenate(faces)]
    # the lowest corner first, and the way round as it was
    turned = (corners.argmin(axis=1)[:, None] + np.arange(3)) % 3
    corners = np.take_along_axis(corners, turned, axis=1)
    corners = corners[np.lexsort(corners.T[::-1])]
    mask = (1 << BITS) - 1
    return np.stack([keys & mask, keys >> BITS & mask, keys >> 2 * BITS], axis=1) - 2, corners, rows


def simplified(vertices: np.ndarray, faces: np.ndarray, voxel_nm: VoxelSize, error_nm: float) -> Mesh:
    """A mesh from a welded surface: edges collapsed as long as the surface moves less than `error_nm`.

    Parameters
    ----------
    vertices, faces : of `weld_pieces`
    voxel_nm : size of a voxel (z, y, x)

    Returns
    -------
    vertices x y z in nm, the first voxel's corner at 0
    """
    places = (vertices / 2 + 0.5) * np.array(voxel_nm[::-1])
    corner = places.min(axis=0)
    # in nm, or in more of them where the surface is longer than zmesh can tell
    unit = 2.0 ** max(0, np.ceil(np.log2(2 * float((places - corner).max()) / (MOST_HALVES - 2))))
    mesh = zmesh.Mesh((np.rint(2 * (places - corner) / unit) / 2).astype(np.float32), faces.astype(np.uint32), None)
    # zmesh divides by the diagonal of a voxel, here of one unit, and rounds down; it then counts in half units
    error = (np.floor(2 * error_nm / unit) + 0.5) * 3**0.5
    made = zmesh.Mesher((1, 1, 1)).simplify(mesh, reduction_factor=8, max_error=error)
    return Mesh(made.vertices.astype(np.float64) * unit + corner, made.faces.astype(np.int64))
