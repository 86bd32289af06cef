import numpy as np
import pytest
import scipy.linalg
import trimesh

from spinome.io.meshes import Mesh, read_mesh, vertex_areas, weld
from spinome.neurons.hks import SOLVERS, TIMES_NM2, log_hks
from spinome.neurons.laplacian import mesh_laplacian
from spinome.neurons.simplify import simplify


def dense(mesh, times=TIMES_NM2, cutoff=np.inf):
    """The definition: every eigenpair of the whole mesh up to a cutoff."""
    stiffness, mass = mesh_laplacian(mesh.vertices, mesh.faces)
    values, vectors = scipy.linalg.eigh(stiffness.toarray(), np.diag(mass))
    kept = values <= cutoff
    return np.log(vectors[:, kept] ** 2 @ np.exp(-np.outer(values[kept], times)))


@pytest.mark.parametrize("solver", SOLVERS)
def test_sphere_agrees_with_spherical_harmonics(sphere, solver):
    times = TIMES_NM2[(TIMES_NM2 > 5e5)]
    degree = np.arange(60)
    exact = np.log(((2 * degree + 1) * np.exp(-np.outer(times, degree * (degree + 1)) / 1000.0**2)).sum(axis=1))
    exact -= np.log(4 * np.pi * 1000.0**2)
    found = log_hks(sphere.vertices, sphere.faces, times, solver)
    assert np.abs(found - exact).max() < 0.03


def test_one_chunk_equals_the_dense_decomposition(sphere):
    found = log_hks(sphere.vertices, sphere.faces, solver="bands", max_vertices=2000)
    assert np.abs(found - dense(sphere, cutoff=1e-5)).max() < 1e-4


def test_borders_of_chunks_leave_no_mark(coarse_tube):
    whole = dense(coarse_tube, cutoff=1e-5)
    found = log_hks(coarse_tube.vertices, coarse_tube.faces, solver="bands", max_vertices=400, overlap_nm=10_000.0)
    error = np.abs(found - whole)
    assert np.median(error) < 1e-4
    assert np.quantile(error[:, 8:], 0.99) < 0.02


@pytest.mark.parametrize("solver", SOLVERS)
def test_heat_is_conserved_at_long_times_on_each_component(sphere, tube, joined, solver):
    """A component keeps its own heat, whatever its size, and a small one has a signature too."""
    dot = Mesh(sphere.vertices / 20, sphere.faces)
    mesh = joined(tube, Mesh(dot.vertices + np.array([0, 5000, 0]), dot.faces))
    found = log_hks(mesh.vertices, mesh.faces, solver=solver)
    assert np.isfinite(found).all()
    small = np.arange(len(mesh.vertices)) >= len(tube.vertices)
    area = vertex_areas(mesh.vertices, mesh.faces)[small].sum()
    assert np.allclose(np.exp(found[small][:, -1]), 1 / area, rtol=0.01)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_single_triangle_and_a_fan_of_three_faces_on_an_edge_have_features(solver):
    triangle = Mesh(np.array([[0.0, 0, 0], [2000, 0, 0], [0, 2000, 0]]), np.array([[0, 1, 2]]))
    fan = Mesh(
        np.array([[0.0, 0, 0], [0, 0, 2000], [2000, 0, 0], [0, 2000, 0], [-2000, -500, 0]]),
        np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]]),
    )
    for mesh in (triangle, fan):
        assert np.isfinite(log_hks(mesh.vertices, mesh.faces, solver=solver)).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_turning_and_moving_the_mesh_changes_nothing(tube, solver):
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    moved = tube.vertices @ turn.T + [1e5, -2e5, 3e5]
    here, there = (log_hks(vertices, tube.faces, solver=solver) for vertices in (tube.vertices, moved))
    assert np.abs(here - there).max() < 1e-3


def test_chunks_of_a_real_dendrite_agree_with_the_whole(shared_data):
    mesh = read_mesh(str(shared_data("neurons/dendrite_sample.gltf")))
    piece = mesh.vertices[:, 0] < np.quantile(mesh.vertices[:, 0], 0.3)
    small = simplify(Mesh(mesh.vertices, mesh.faces[piece[mesh.faces].all(axis=1)]), reduction=0.85)
    assert 1200 < len(small.vertices) < 2200
    error = np.abs(
        log_hks(small.vertices, small.faces, solver="bands", max_vertices=500, overlap_nm=10_000.0)
        - dense(Mesh(small.vertices, small.faces), cutoff=1e-5)
    )
    assert np.median(error) < 1e-3
    assert np.quantile(error, 0.99) < 0.05


def sheet(turn=0.0):
    """A flat square of 12 x 12 squares of 150 nm, turned about one of its edges."""
    side = np.arange(13) * 150.0
    x, z = (part.ravel() for part in np.meshgrid(side, side, indexing="ij"))
    number = np.arange(169).reshape(13, 13)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:]))
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)])
    return Mesh(np.stack([x * np.cos(turn), x * np.sin(turn), z], -1), faces)


@pytest.mark.parametrize("cutoff", [None, 1e-5])
@pytest.mark.parametrize("shape", ["plane", "sphere", "tube", "disconnected", "non-manifold"])
def test_selected_inversion_is_the_heat_kernel_whole_or_truncated(shape, cutoff, sphere, coarse_tube, joined):
    dot = Mesh(sphere.vertices / 20 + [0, 5000, 0], sphere.faces)
    mesh = {
        "plane": sheet(),
        "sphere": sphere,
        "tube": coarse_tube,
        "disconnected": joined(sheet(), dot),
        # three sheets on one edge
        "non-manifold": weld(joined(sheet(), sheet(2.0), sheet(4.0)))[0],
    }[shape]
    error = np.abs(log_hks(mesh.vertices, mesh.faces, cutoff=cutoff) - dense(mesh, cutoff=cutoff or np.inf))
    assert np.median(error) < 1e-4
    assert np.quantile(error, 0.99) < 1e-3


def test_a_truncated_kernel_is_never_less_than_the_constant_pair(tube):
    """A cutoff below the first eigenvalue leaves that pair alone, the same everywhere."""
    area = vertex_areas(tube.vertices, tube.faces).sum()
    assert np.allclose(np.exp(log_hks(tube.vertices, tube.faces, cutoff=1e-10)), 1 / area, rtol=1e-3)


def test_selected_inversion_of_a_real_dendrite_is_the_heat_kernel(shared_data):
    mesh = read_mesh(str(shared_data("neurons/dendrite_sample.gltf")))
    piece = mesh.vertices[:, 0] < np.quantile(mesh.vertices[:, 0], 0.05)
    small = simplify(Mesh(mesh.vertices, mesh.faces[piece[mesh.faces].all(axis=1)]))
    for cutoff in (None, 1e-5):
        error = np.abs(log_hks(small.vertices, small.faces, cutoff=cutoff) - dense(small, cutoff=cutoff or np.inf))
        assert np.median(error) < 1e-4
        assert np.quantile(error, 0.99) < 1e-3


def test_more_vertices_for_the_same_surface_give_the_same_signature(coarse_tube):
    fine = trimesh.Trimesh(coarse_tube.vertices, coarse_tube.faces, process=False).subdivide()
    finer = log_hks(np.asarray(fine.vertices), np.asarray(fine.faces))[: len(coarse_tube.vertices)]
    assert np.median(np.abs(finer - log_hks(coarse_tube.vertices, coarse_tube.faces))[:, 8:]) < 0.02


def test_bands_give_the_signatures_of_the_published_program(bumpy_tube):
    """Log HKS of every 500th vertex of the tube at four times, by meshmash 0.1.0 (Python 3.12).

    `compute_hks((vertices, faces), max_eigenvalue=1e-5, t_min=5e4, t_max=2e7, n_components=32, band_size=50,
    truncate_extra=True, drop_first=True)`. It leaves the constant pair out, which is 1 / area and is added here, and
    keeps the first pair beyond its cutoff, at 1.01352e-5.
    """
    recorded = [
        [-13.54407441, -14.70616934, -16.15192534, -18.01819166],
        [-14.22697359, -15.41987696, -16.88311442, -18.30826655],
        [-14.1847218, -15.4226723, -17.18035105, -19.43087981],
        [-14.2376078, -15.43137189, -17.18715153, -22.10982172],
        [-14.23588176, -15.44764009, -17.19015468, -19.32834236],
        [-14.22543556, -15.40439755, -16.86187798, -18.29645961],
    ]
    mesh = bumpy_tube
    _, mass = mesh_laplacian(mesh.vertices, mesh.faces)
    expected = np.log(np.exp(recorded) + 1 / mass.sum())
    options = {"solver": "bands", "max_vertices": 20_000, "cutoff": 1.0136e-5, "pairs": 12}
    found = log_hks(mesh.vertices, mesh.faces, **options)[::500, [0, 10, 20, 31]]
    assert np.abs(found - expected).max() < 2e-5


def test_unknown_solver_is_an_error(sphere):
    with pytest.raises(KeyError):
        log_hks(sphere.vertices, sphere.faces, solver="none")
