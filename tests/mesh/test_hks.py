import numpy as np
import pytest
import scipy.linalg
import trimesh

from spinome.io.meshes import read_mesh
from spinome.mesh.hks import SOLVERS, TIMES_NM2, hks_by_bands, log_hks
from spinome.mesh.laplacian import mesh_laplacian
from spinome.mesh.surface import Mesh, vertex_areas
from spinome.mesh.welding import weld
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


# log HKS of every 600th vertex at four times by meshmash 0.1.0 (Python 3.12), float64: `compute_hks((vertices, faces),
# max_eigenvalue=1e-5, t_min=5e4, t_max=2e7, n_components=32, band_size=50, truncate_extra=True, drop_first=True)`
RECORDED = {
    "tube": [
        [-13.544074406169, -14.706169341957, -16.151925337729, -18.018191660691],
        [-14.268478111440, -15.444341547509, -17.034500101652, -18.449415448241],
        [-14.253699520106, -15.427855384692, -17.179543609472, -20.313218431128],
        [-14.272957150168, -15.454696972635, -17.191139302615, -20.201299877420],
        [-14.249702163934, -15.400773886863, -17.003168810126, -18.424134444888],
    ],
    "dendrite": [
        [-13.796335795802, -14.368763953559, -15.211936636509, -17.142012405286],
        [-14.497547243659, -15.304542366192, -16.471171283505, -18.170007024914],
        [-14.797497402932, -14.962042887813, -15.353646599929, -17.216223804143],
        [-14.020498798099, -14.396322550224, -14.833783921949, -16.285522295877],
        [-14.468607287337, -15.352047003274, -16.563283478515, -17.895252984571],
    ],
}
PUBLISHED = {"max_vertices": 20_000, "overlap_nm": 20_000.0, "max_overlapping": 60_000, "as_published": True}


@pytest.mark.parametrize("shape", RECORDED)
def test_bands_reproduce_the_published_program_to_float64(shape, bumpy_tube, request):
    mesh = bumpy_tube
    if shape == "dendrite":
        whole = read_mesh(str(request.getfixturevalue("shared_data")("neurons/dendrite_sample.gltf")))
        piece = whole.vertices[:, 0] < np.quantile(whole.vertices[:, 0], 0.3)
        mesh = simplify(Mesh(whole.vertices, whole.faces[piece[whole.faces].all(axis=1)]), reduction=0.7)
    found = np.log(hks_by_bands(mesh.vertices, mesh.faces, TIMES_NM2, 1e-5, **PUBLISHED))[::600, [0, 10, 20, 31]]
    assert np.abs(found - RECORDED[shape]).max() < 1e-10


def test_without_the_constant_a_component_that_has_nothing_else_keeps_it(sphere):
    """meshmash leaves such a component without a feature."""
    dot = Mesh(sphere.vertices / 20, sphere.faces)
    area = vertex_areas(dot.vertices, dot.faces).sum()
    found = log_hks(dot.vertices, dot.faces, solver="bands", **PUBLISHED)
    assert np.allclose(np.exp(found), 1 / area, rtol=1e-3)


def test_unknown_solver_is_an_error(sphere):
    with pytest.raises(KeyError):
        log_hks(sphere.vertices, sphere.faces, solver="none")
