"""What a movable view of a question shows: a box of a volume with chosen objects, or a mesh around a place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spinome.io.volumes import Volume
from spinome.mesh.welding import proper_faces
from spinome.review.pictures import cut, facing, outlined, stretched

# a box has at most so many voxels, which are cut and meshed within a second or two
MOST_VOXELS = 8_000_000
# the mesh is shown in full so far around its place; what lies farther is drawn from one point in a cube of this edge
PATCH_NM, COARSE_NM, WIDTH_NM = 6000.0, 400.0, 4000.0
SURFACE, FAR, PLACE = "#CCCCCC", "#777777", "#D55E00"


@dataclass(frozen=True)
class Scene:
    """Objects around a place; axes are z y x.

    Attributes
    ----------
    place_nm : (3,) place of the question from the corner of the volume, or in the coordinates of a mesh
    width_nm : how much of it is shown at first
    """

    place_nm: np.ndarray
    width_nm: float


@dataclass(frozen=True)
class Block(Scene):
    """A box of a volume.

    Attributes
    ----------
    grey : (Z, Y, X) bytes
    numbers : (Z, Y, X) bytes, the place of an object in `colours`, counted from 1; 0 is anything else
    colours : of the objects
    voxel_nm, first : size of a voxel, and the index of the first one in the volume
    """

    grey: np.ndarray
    numbers: np.ndarray
    colours: tuple[str, ...]
    voxel_nm: tuple[float, float, float]
    first: tuple[int, int, int]


@dataclass(frozen=True)
class Surface(Scene):
    """A mesh in parts, each made only when it is asked for, so that what is near is seen first.

    Attributes
    ----------
    parts : for each a function that gives vertices (V, 3) x y z in nm and faces (F, 3)
    colours : of the parts
    axes : (3, 3) directions x y z to the right, up and toward the viewer
    marks_nm : (M, 3) z y x, the places that are marked
    """

    parts: tuple[Callable[[], tuple[np.ndarray, np.ndarray]], ...]
    colours: tuple[str, ...]
    axes: np.ndarray
    marks_nm: np.ndarray


def block_of(
    grey: Volume | None,
    labels: Volume,
    voxel_nm: tuple[float, float, float],
    first_voxel: float,
    place_um: np.ndarray,
    side_um: float,
    chosen: Sequence[int],
    colours: Sequence[str],
) -> Block:
    """The box around a place with chosen labels; smaller than `side_um` where that would be more than `MOST_VOXELS`.

    Without grey values the outlines of all labels take their place.

    Parameters
    ----------
    first_voxel : see `spinome.review.pictures.slices_view`
    chosen, colours : labels and their colours, alike long; fewer than 256
    """
    voxel = np.array(voxel_nm, float)
    side_nm = min(side_um * 1000, float(np.cbrt(MOST_VOXELS * voxel.prod())))
    index = place_um * 1000 / voxel - first_voxel
    size = (index, (side_nm / voxel[1], side_nm / voxel[2]), max(int(side_nm / voxel[0] / 2), 1))
    box = cut(labels, *size)
    numbers = np.zeros(box.voxels.shape, np.uint8)
    for place, label in enumerate(chosen):
        numbers[box.voxels == label] = place + 1
    picture = outlined(box.voxels) if grey is None else stretched(cut(grey, *size).voxels)
    middle = (index + 0.5) * voxel
    return Block(middle, side_nm / 2, picture, numbers, tuple(colours), tuple(map(float, voxel)), box.start)


def surface_around(
    vertices: np.ndarray,
    faces: np.ndarray,
    place_nm: np.ndarray,
    far: Callable[[], tuple[np.ndarray, np.ndarray]],
    marks_nm: np.ndarray | None = None,
) -> Surface:
    """A mesh around a place, in full where it is near and coarse elsewhere.

    Parameters
    ----------
    vertices, faces : (V, 3) x y z in nm, (F, 3)
    place_nm : (3,) z y x
    far : gives the whole mesh as `coarse` makes it
    marks_nm : (M, 3) z y x; the place itself where none are given
    """

    def near(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
        return (np.abs(places - place_nm[::-1]) < PATCH_NM).all(axis=1)[corners].all(axis=1)

    def patch() -> tuple[np.ndarray, np.ndarray]:
        return used(vertices, faces[near(vertices, faces)])

    def rest() -> tuple[np.ndarray, np.ndarray]:
        few, few_faces = far()
        return used(few, few_faces[~near(few, few_faces)])

    centre = np.asarray(place_nm, float)
    marks = centre[None] if marks_nm is None else np.asarray(marks_nm, float)
    return Surface(centre, WIDTH_NM, (patch, rest), (SURFACE, FAR), facing(vertices, centre[::-1]), marks)


def used(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertices (U, 3) that faces use, and the faces (F, 3) with their numbers."""
    kept = np.zeros(len(vertices), bool)
    kept[faces] = True
    return vertices[kept], (np.cumsum(kept) - 1)[faces]


def coarse(vertices: np.ndarray, faces: np.ndarray, edge_nm: float = COARSE_NM) -> tuple[np.ndarray, np.ndarray]:
    """A mesh with one vertex in each cube, the mean of those in it; faces within a cube are gone.

    For looking at from afar: a second for a million vertices, where quadrics take ten (Rossignac and Borrel 1993).
    """
    if not len(vertices):
        return vertices, faces
    cube = np.floor((vertices - vertices.min(axis=0)) / edge_nm).astype(np.int64)
    size = cube.max(axis=0) + 1
    key = (cube[:, 0] * size[1] + cube[:, 1]) * size[2] + cube[:, 2]
    _, number, count = np.unique(key, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(number, column) / count for column in vertices.T], axis=1)
    return used(means, proper_faces(number[faces]))
