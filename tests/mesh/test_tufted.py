"""The Laplacian beside that of the reference implementation (robust_laplacian)."""

import numpy as np
import pytest
import robust_laplacian

from spinome.io.meshes import read_mesh
from spinome.mesh.surface import Mesh
from spinome.mesh.tufted import tufted_laplacian


def reference(mesh, mollify=1e-5):
    stiffness, mass = robust_laplacian.mesh_laplacian(np.asarray(mesh.vertices), np.asarray(mesh.faces), mollify)
    return stiffness.tocsr(), mass.diagonal()


def agree(mesh, mollify=1e-5):
    stiffness, mass = tufted_laplacian(mesh.vertices, mesh.faces, mollify)
    expected, expected_mass = reference(mesh, mollify)
    assert abs(stiffness - expected).max() < 1e-8 * abs(expected).max()
    assert mass == pytest.approx(expected_mass, rel=1e-9)


def fan(faces):
    """Some faces on one edge."""
    turn = np.linspace(0, 2 * np.pi, faces, endpoint=False) + 0.1
    rim = np.stack([2000 * np.cos(turn), 2000 * np.sin(turn), np.linspace(100, 900, faces)], axis=1)
    corners = [[0, 1, number + 2] if number % 2 else [1, 0, number + 2] for number in range(faces)]
    return Mesh(np.concatenate([[[0.0, 0, 0], [0, 0, 2000.0]], rim]), np.array(corners))


def needles():
    """A strip of long thin faces, which flips change."""
    x = np.arange(12) * 10.0
    strip = np.concatenate([np.stack([x, 0 * x, 0 * x], 1), np.stack([x + 200, 0 * x + 300, 0 * x], 1)])
    a, b = np.arange(11), np.arange(11) + 12
    return Mesh(strip, np.concatenate([np.stack([a, a + 1, b], 1), np.stack([a + 1, b + 1, b], 1)]))


@pytest.mark.parametrize("shape", ["sphere", "tube"])
def test_closed_and_open_surfaces(shape, request):
    agree(request.getfixturevalue(shape))


@pytest.mark.parametrize("faces", [1, 2, 3, 4, 7])
def test_any_number_of_faces_on_an_edge(faces):
    stiffness, mass = tufted_laplacian(fan(faces).vertices, fan(faces).faces)
    if faces < 3:
        agree(fan(faces))
    # with more, the reference goes around the edge in another order, and both are Laplacians
    values = np.linalg.eigvalsh(stiffness.toarray())
    assert abs(values[0]) < 1e-9 and values[1] > 1e-3
    assert mass.sum() == pytest.approx(reference(fan(faces))[1].sum())


def test_edges_are_flipped():
    mesh = needles()
    agree(mesh)
    stiffness, _ = tufted_laplacian(mesh.vertices, mesh.faces)
    off = stiffness.tocoo()
    assert off.data[off.row != off.col].max() < 1e-9  # no negative cotangent is left


def test_faces_turned_inside_out_and_flat_faces(sphere):
    faces = sphere.faces.copy()
    faces[::3] = faces[::3, ::-1]
    agree(Mesh(sphere.vertices, faces))
    flat = Mesh(np.array([[0.0, 0, 0], [1000, 0, 0], [500, 0, 0], [500, 800, 0]]), np.array([[0, 1, 2], [0, 1, 3]]))
    agree(flat)


def test_a_constant_has_no_energy(tube):
    stiffness, _ = tufted_laplacian(tube.vertices, tube.faces)
    assert abs(stiffness.sum(axis=1)).max() < 1e-9


@pytest.mark.parametrize("name", ["dendrite_sample.gltf", "864691134900032266_labelled.npz"])
def test_real_meshes(shared_data, name):
    mesh = read_mesh(str(shared_data("neurons") / name))
    used = np.unique(mesh.faces)
    mesh = Mesh(mesh.vertices[used], np.searchsorted(used, mesh.faces))
    stiffness, mass = tufted_laplacian(mesh.vertices, mesh.faces)
    expected, expected_mass = reference(mesh)
    # a few edges lie on a circle with both of their neighbours, and may be flipped or not
    assert np.quantile(abs(stiffness - expected).data, 0.999) < 1e-9
    assert np.quantile(np.abs(mass / expected_mass - 1), 0.999) < 1e-9
