import numpy as np
import pytest
import trimesh

from spinome.io.meshes import read_mesh, write_mesh
from spinome.mesh.surface import Mesh, vertex_areas
from spinome.neurons.simplify import read_simplified, simplify, write_simplified


def edge_counts(faces):
    """How many faces each edge has."""
    edges = np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, [2, 0]]]), axis=1)
    return np.unique(edges, axis=0, return_counts=True)[1]


@pytest.fixture
def somata_count(monkeypatch):
    """Small meshes are treated as large ones."""
    monkeypatch.setattr("spinome.neurons.simplify.FEWEST_WITH_SOMA", 0)


def test_keeps_the_surface_and_says_where_each_vertex_went(sphere):
    small = simplify(sphere, reduction=0.7)
    assert len(small.faces) == pytest.approx(0.3 * len(sphere.faces), rel=0.05)
    assert len(small.vertex_of) == len(sphere.vertices)
    assert np.linalg.norm(sphere.vertices - small.vertices[small.vertex_of], axis=1).max() < 500
    area = vertex_areas(small.vertices, small.faces).sum()
    assert area == pytest.approx(4 * np.pi * 1000**2, rel=0.04)


def test_welds_the_seam_between_meshing_chunks(tube):
    half = tube.vertices[:, 0] <= 15_000
    left = tube.faces[half[tube.faces].all(axis=1)]
    right = tube.faces[~half[tube.faces].all(axis=1)]
    # the right half gets vertices of its own along the seam
    split = Mesh(np.concatenate([tube.vertices, tube.vertices]), np.concatenate([left, right + len(tube.vertices)]))
    small = simplify(split, reduction=0)
    assert len(small.vertices) == len(tube.vertices)
    assert np.array_equal(small.vertices[small.vertex_of], split.vertices)


def test_vertices_without_a_face_take_the_nearest(sphere):
    stray = Mesh(np.concatenate([sphere.vertices, [[0, 0, 1500.0]]]), sphere.faces)
    small = simplify(stray, reduction=0.5)
    assert len(small.vertex_of) == len(stray.vertices)
    top = small.vertices[small.vertex_of[-1]]
    assert np.linalg.norm(top - [0, 0, 1000]) < 300


def test_thousands_of_tiny_components_stay(joined, sphere):
    points = np.random.default_rng(0).uniform(0, 1e5, (2000, 1, 3))
    triangle = np.array([[0.0, 0, 0], [80, 0, 0], [0, 80, 0]])
    vertices = (points + triangle).reshape(-1, 3)
    mesh = joined(sphere, Mesh(vertices, np.arange(len(vertices)).reshape(-1, 3)))
    small = simplify(mesh, reduction=0.7)
    near = np.linalg.norm(mesh.vertices - small.vertices[small.vertex_of], axis=1)
    assert small.vertex_of.min() >= 0
    assert np.median(near[len(sphere.vertices) :]) < 5000


def test_a_mesh_without_area_is_an_error():
    flat = Mesh(np.array([[0.0, 0, 0], [0, 0, 0], [5000, 0, 0]]), np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="no face of the mesh has an area"):
        simplify(flat)


@pytest.mark.parametrize("subdivisions", [3, 4, 5])
def test_meshes_of_any_density_come_down_to_one(subdivisions):
    shape = trimesh.creation.icosphere(subdivisions=subdivisions, radius=1000.0)
    small = simplify(Mesh(np.asarray(shape.vertices), np.asarray(shape.faces)), vertices_per_um2=30)
    area_um2 = vertex_areas(small.vertices, small.faces).sum() / 1e6
    assert len(small.vertices) / area_um2 == pytest.approx(30, rel=0.05)


def test_a_mesh_of_few_vertices_is_kept(sphere):
    assert len(simplify(sphere, vertices_per_um2=1000).vertices) == len(sphere.vertices)


def test_somata_of_small_meshes_stay(cell):
    assert not len(simplify(cell, soma_vertices_per_um2=15).collapses.merged)


def test_somata_alone_become_coarser(cell, somata_count):
    small = simplify(cell, soma_vertices_per_um2=15)
    area_um2, soma = vertex_areas(small.vertices, small.faces) / 1e6, small.vertices[:, 0] < 3_000
    # some of it has less surface around than the rule asks for
    assert 14 < soma.sum() / area_um2[soma].sum() < 20
    far = cell.vertices[:, 0] > 14_000
    assert np.array_equal(small.vertices[small.vertex_of[far]], cell.vertices[far])
    # nothing is torn where the two meet
    assert (edge_counts(small.faces) == 2).all()
    assert area_um2.sum() == pytest.approx(vertex_areas(cell.vertices, cell.faces).sum() / 1e6, rel=0.02)


def test_somata_and_the_rest_may_both_become_coarser(cell, somata_count):
    small = simplify(cell, vertices_per_um2=10, soma_vertices_per_um2=15)
    area_um2 = vertex_areas(small.vertices, small.faces).sum() / 1e6
    assert len(small.vertices) / area_um2 == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    "options", [{}, {"soma_vertices_per_um2": 15}, {"soma_vertices_per_um2": 15, "reduction": 0.5}]
)
def test_what_is_written_makes_the_same_mesh_again(cell, joined, tmp_path, somata_count, options):
    stray = joined(cell, Mesh(np.array([[0.0, 0, 9e4], [90, 0, 9e4], [0, 90, 9e4]]), np.array([[0, 1, 2]])))
    write_mesh(tmp_path / "cell.npz", stray)
    small = simplify(stray, **options)
    write_simplified(tmp_path / "small.npz", small)
    again = read_simplified(tmp_path / "small.npz", read_mesh(str(tmp_path / "cell.npz")))
    for name in ("faces", "vertex_of"):
        assert np.array_equal(getattr(again, name), getattr(small, name)), name
    assert np.allclose(again.vertices, small.vertices, atol=0.01)
    assert (tmp_path / "small.npz").stat().st_size < (1500 if not options else 20 * len(stray.vertices))
