"""Small surfaces with known geometry."""

from collections.abc import Callable

import numpy as np
import pytest
import trimesh
from skimage import measure

from spinome.mesh.surface import Mesh


@pytest.fixture(scope="session")
def sphere():
    """A sphere of 1 um radius."""
    shape = trimesh.creation.icosphere(subdivisions=3, radius=1000.0)
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces))


@pytest.fixture(scope="session")
def tube():
    """An open tube of 500 nm radius, 30 um long, along x."""
    return make_tube(500.0, 30_000.0, 16, 300)


@pytest.fixture(scope="session")
def bumpy_tube():
    """A tube of uneven girth, no two places alike."""

    def girth(x, turn):
        return 450 * (1 + 0.25 * np.sin(x / 900) * np.cos(turn - x / 2500) + 0.15 * np.cos(2 * turn + x / 1700))

    return make_tube(girth, 12_000.0, 20, 150)


def make_tube(radius: float | Callable, length: float, around: int, along: int) -> Mesh:
    """An open tube along x; `radius` may depend on x and the angle."""
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    x, turn = np.meshgrid(np.linspace(0, length, along), angle, indexing="ij")
    radius = radius(x, turn) if callable(radius) else radius
    vertices = np.stack([x, radius * np.cos(turn), radius * np.sin(turn)], axis=-1).reshape(-1, 3)
    number = np.arange(along * around).reshape(along, around)
    a, b = number[:-1], number[1:]
    c, d = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return Mesh(vertices, faces)


def make_revolution(radii: np.ndarray, step: float, around: int = 32) -> Mesh:
    """A closed surface of revolution along z with these radii every `step`."""
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    z = np.arange(len(radii)) * step
    rings = np.stack(
        [np.outer(radii, np.cos(angle)), np.outer(radii, np.sin(angle)), np.repeat(z[:, None], around, 1)], axis=-1
    )
    number = np.arange(len(radii) * around).reshape(len(radii), around)
    a, b = number[:-1], number[1:]
    c, d = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    tip, foot = number.max() + 1, number.max() + 2
    last, first = number[-1], number[0]
    faces = np.concatenate(
        [
            faces,
            np.stack([last, np.roll(last, -1), np.full(around, tip)], -1),
            np.stack([np.roll(first, -1), first, np.full(around, foot)], -1),
        ]
    )
    return Mesh(np.concatenate([rings.reshape(-1, 3), [[0, 0, z[-1]]], [[0, 0, 0]]]), faces)


@pytest.fixture(scope="session")
def coarse_tube():
    """The same tube with few enough vertices for a dense decomposition."""
    return make_tube(500.0, 30_000.0, 8, 120)


@pytest.fixture(scope="session")
def mushroom():
    """A neck of 100 nm radius, 800 nm long, on a base plate, with a spherical head of 400 nm radius; and its parts.

    Returns the mesh and the part (V,) of each vertex: 0 shaft (the lowest 200 nm), 1 spine.
    """
    step, head, neck = 20.0, 400.0, 100.0
    low = np.full(10, 600.0)
    stalk = np.full(40, neck)
    height = np.arange(0, 2 * head, step)
    start = head - np.sqrt(head**2 - neck**2)
    ball = np.sqrt(np.maximum(head**2 - (height + start - head) ** 2, 0))
    radii = np.concatenate([low, stalk, ball[height + start < 2 * head - 1]])
    mesh = make_revolution(radii, step)
    return mesh, (mesh.vertices[:, 2] >= 10 * step - 1).astype(int), head, neck, 40 * step


def join(*meshes: Mesh) -> Mesh:
    """Meshes as one, not connected."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts)]),
    )


@pytest.fixture(scope="session")
def joined():
    return join


@pytest.fixture(scope="session")
def cell():
    """A soma of 6 um whose inside has a surface of its own, and a branch of 0.8 um along x up to 24 um."""
    step = 0.2
    z, y, x = np.mgrid[-7:7:step, -7:7:step, -7:25:step]
    away = np.sqrt(x**2 + y**2 + z**2)
    branch = np.maximum(np.sqrt(y**2 + z**2) - 0.8, np.abs(x - 12) - 12)
    inside = np.maximum(np.minimum(away - 6, branch), 5.2 - away)
    vertices, faces, _, _ = measure.marching_cubes(inside, 0.0)
    return Mesh((vertices[:, ::-1] * step - 7) * 1000, faces.astype(np.int64))
