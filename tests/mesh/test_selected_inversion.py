import numpy as np
import pytest
import scipy.sparse as sp

from spinome.mesh import elimination_order as elimination
from spinome.mesh import selected_inversion
from spinome.mesh.laplacian import mesh_laplacian
from spinome.mesh.selected_inversion import inverse_diagonals
from spinome.mesh.surface import Mesh

SHIFTS = np.geomspace(1e-8, 1e-3, 11)


def inverse(stiffness, mass, shifts):
    found = np.empty((len(mass), len(shifts)), shifts.dtype)
    for some, diagonals in inverse_diagonals(stiffness, mass, shifts):
        found[:, some] = diagonals
    return found


def oracle(stiffness, mass, shifts):
    return np.stack([np.diag(np.linalg.inv(stiffness.toarray() + np.diag(s * mass))) for s in shifts], axis=1)


def plane():
    x, y = np.meshgrid(np.arange(20) * 100.0, np.arange(15) * 100.0, indexing="ij")
    number = np.arange(300).reshape(20, 15)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return Mesh(np.stack([x.ravel(), y.ravel(), np.zeros(300)], axis=1), faces)


def fan():
    """Three faces on one edge."""
    corners = [[0.0, 0, 0], [0, 0, 2000], [2000, 0, 0], [0, 2000, 0], [-2000, -500, 0]]
    return Mesh(np.array(corners), np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]]))


def triangle():
    return Mesh(np.array([[0.0, 0, 0], [2000, 0, 0], [0, 2000, 0]]), np.array([[0, 1, 2]]))


@pytest.fixture(params=[elimination.DENSE, 12, 1], ids="dense from {}".format)
def dense(request, monkeypatch):
    """Columns of the factor from these many entries on are worked on as dense fronts; with 1 entry nearly all."""
    monkeypatch.setattr(elimination, "DENSE", request.param)


@pytest.mark.usefixtures("dense")
@pytest.mark.parametrize("shape", ["sphere", plane])
def test_complex_shifts(shape, request):
    """Beside the spectrum, near an eigenvalue and far from all."""
    mesh = request.getfixturevalue(shape) if isinstance(shape, str) else shape()
    stiffness, mass = mesh_laplacian(mesh.vertices, mesh.faces)
    shifts = -1e-5 - 1j * np.geomspace(1e-9, 1e-4, 5)
    assert np.allclose(inverse(stiffness, mass, shifts), oracle(stiffness, mass, shifts), rtol=1e-6)


@pytest.mark.usefixtures("dense")
@pytest.mark.parametrize("shape", ["sphere", "coarse_tube", plane, fan, triangle, "several"])
def test_the_diagonals_are_those_of_the_inverse(shape, request, joined):
    if shape == "several":
        mesh = joined(request.getfixturevalue("sphere"), triangle(), plane(), fan())
    else:
        mesh = request.getfixturevalue(shape) if isinstance(shape, str) else shape()
    stiffness, mass = mesh_laplacian(mesh.vertices, mesh.faces)
    found, expected = inverse(stiffness, mass, SHIFTS), oracle(stiffness, mass, SHIFTS)
    # a component's own constant vector makes the inverse large, and the oracle loses digits there too
    assert np.allclose(found, expected, rtol=1e-6)


@pytest.mark.usefixtures("dense")
@pytest.mark.parametrize("seed", range(5))
def test_any_symmetric_pattern(seed):
    rng = np.random.default_rng(seed)
    links = sp.random_array((60, 60), density=0.04, rng=rng)
    links = links + links.T
    stiffness = (sp.diags_array(links.sum(axis=1)) - links).tocsr()
    mass = rng.uniform(0.5, 2, 60)
    shifts = np.array([0.01, 0.1, 1.0])
    assert np.allclose(inverse(stiffness, mass, shifts), oracle(stiffness, mass, shifts), rtol=1e-9)


def test_an_indefinite_matrix_is_an_error(sphere):
    stiffness, mass = mesh_laplacian(sphere.vertices, sphere.faces)
    with pytest.raises(ValueError, match="not positive semidefinite"):
        inverse(-stiffness, mass, SHIFTS)


@pytest.mark.parametrize(
    ("shifts", "fitting", "rounds"),
    [(24, 100, [24]), (24, 24, [24]), (24, 23, [8, 8, 8]), (24, 0, [8, 8, 8]), (11, 20, [11]), (40, 39, [24, 16])],
)
def test_shifts_are_worked_on_in_rounds_that_leave_few_lanes_idle(monkeypatch, sphere, shifts, fitting, rounds):
    stiffness, mass = mesh_laplacian(sphere.vertices, sphere.faces)
    entries = len(elimination.eliminate(stiffness).column_rows)
    monkeypatch.setattr(selected_inversion, "FACTOR_BYTES", 8 * entries * fitting)
    every = np.geomspace(1e-8, 1e-3, shifts)
    slices = [some for some, _ in inverse_diagonals(stiffness, mass, every)]
    assert [some.stop - some.start for some in slices] == rounds
    np.testing.assert_allclose(inverse(stiffness, mass, every)[:, ::10], inverse(stiffness, mass, every[::10]), 1e-12)
