"""Bad input through the whole library chain: each mesh ends in a right answer or in one clear message."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh
from scipy.spatial import cKDTree

from spinome.io.cave import POSITION, read_synapses
from spinome.io.meshes import read_mesh, write_mesh
from spinome.io.models import load_model
from spinome.mesh.surface import Mesh
from spinome.neurons.classify import FEATURES, load_forest
from spinome.neurons.pipeline import label_neuron
from spinome.neurons.spines import label_mesh
from spinome.neurons.synapses import label_synapses

MODEL = Path(__file__).parents[2] / "workflow" / "models" / "neurons.skops"


@pytest.fixture(scope="module")
def model():
    return load_forest(MODEL)


def spiny(mushroom):
    mesh, *_ = mushroom
    return mesh.vertices, mesh.faces


def doubled(mushroom):
    """Every triangle with corners of its own."""
    vertices, faces = spiny(mushroom)
    return vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3)


def with_degenerate_faces(mushroom):
    vertices, faces = spiny(mushroom)
    middle = (vertices[faces[:50, 0]] + vertices[faces[:50, 1]]) / 2
    flat = np.stack([faces[:50, 0], len(vertices) + np.arange(50), faces[:50, 1]], axis=1)
    return np.concatenate([vertices, middle]), np.concatenate(
        [faces, flat, faces[:9, [0, 0, 1]], faces[9:12, [2, 2, 2]]]
    )


def with_unreferenced_vertices(mushroom):
    vertices, faces = spiny(mushroom)
    return np.concatenate([[[1e7, 0, 0]], vertices, [[0, 1e7, 0]]]), faces + 1


def with_non_manifold_edges(mushroom):
    vertices, faces = spiny(mushroom)
    fin = np.concatenate([faces[:200:20, :2], len(vertices) + np.arange(10)[:, None]], axis=1)
    return np.concatenate([vertices, vertices[faces[:200:20, 0]] * 1.1]), np.concatenate([faces, fin, faces[:5]])


def inverted(mushroom):
    vertices, faces = spiny(mushroom)
    return vertices, faces[:, ::-1]


def partly_inverted(mushroom):
    vertices, faces = spiny(mushroom)
    return vertices, np.where((np.arange(len(faces)) % 3 == 0)[:, None], faces[:, ::-1], faces)


def with_holes(mushroom):
    vertices, faces = spiny(mushroom)
    return vertices, np.delete(faces, np.arange(40, len(faces), 97), axis=0)


def in_thousands_of_pieces(mushroom):
    vertices, faces = spiny(mushroom)
    corners = np.array([[0.0, 0, 0], [60, 0, 0], [0, 60, 0], [0, 0, 60]])
    sides = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    places = np.random.default_rng(0).uniform(-5000, 5000, (3000, 3))
    return (
        np.concatenate([vertices, (places[:, None] + corners).reshape(-1, 3)]),
        np.concatenate([faces, len(vertices) + (4 * np.arange(3000)[:, None, None] + sides).reshape(-1, 3)]),
    )


def sphere(mushroom):
    ball = trimesh.creation.icosphere(subdivisions=4, radius=3000.0)
    return np.asarray(ball.vertices), np.asarray(ball.faces)


def triangle(mushroom):
    return np.array([[0.0, 0, 0], [2000, 0, 0], [0, 2000, 0]]), np.array([[0, 1, 2]])


@pytest.mark.parametrize(
    "make",
    [
        doubled,
        with_degenerate_faces,
        with_unreferenced_vertices,
        with_non_manifold_edges,
        inverted,
        partly_inverted,
        with_holes,
        in_thousands_of_pieces,
        sphere,
        triangle,
    ],
)
def test_a_flawed_mesh_still_gets_a_label_for_every_vertex(make, mushroom, model, tmp_path):
    vertices, faces = make(mushroom)
    write_mesh(tmp_path / "mesh.npz", Mesh(vertices, faces))
    neuron = label_neuron(read_mesh(str(tmp_path / "mesh.npz")), model)
    labelled, spines = neuron.vertices, neuron.spines
    assert labelled.probability.shape == (len(vertices), 3)
    assert np.allclose(labelled.probability.sum(axis=1), 1)
    assert set(spines["spine"]) == set(labelled.spine[labelled.spine >= 0].tolist())
    assert (spines[["volume_um3", "area_um2"]] >= 0).all(axis=None)
    measures = spines[["head_diameter_nm", "neck_length_nm", "neck_diameter_nm", "length_nm"]].to_numpy(float)
    assert (np.nan_to_num(measures) >= 0).all()


def test_flaws_of_the_faces_change_no_spine(mushroom):
    """Spines of the true labels: as large as without the flaw."""
    clean, part, *_ = mushroom
    truth = np.eye(3)[part]
    expected = label_mesh(clean, truth)[1].iloc[0]
    for make in (doubled, inverted, partly_inverted, with_degenerate_faces):
        vertices, faces = make(mushroom)
        own = truth[cKDTree(clean.vertices).query(vertices)[1]]
        (row,) = label_mesh(Mesh(vertices, faces), own)[1].itertuples()
        assert row.volume_um3 == pytest.approx(expected["volume_um3"], rel=1e-3), make.__name__
        assert row.neck_length_nm == pytest.approx(expected["neck_length_nm"], abs=40), make.__name__
        assert row.head_diameter_nm == pytest.approx(expected["head_diameter_nm"], rel=0.02), make.__name__


def broken_meshes(mushroom):
    vertices, faces = spiny(mushroom)
    lost = vertices.copy()
    lost[7] = np.nan
    return {
        "micrometres": (vertices / 1e3, faces, "multiply them by 1e3"),
        "not finite": (lost, faces, "1 of .* vertices are not finite"),
        "cut": (vertices[:-9], faces, "without renumbering"),
        "empty": (np.zeros((0, 3)), np.zeros((0, 3), int), "is empty"),
        "no faces": (vertices, np.zeros((0, 3), int), "is empty"),
        "one point": (np.zeros((3, 3)), np.array([[0, 1, 2]]), "all vertices are at one point"),
        "picometres": (vertices * 1e3, faces, "divide them by 1,000"),
    }


@pytest.mark.parametrize("name", ["micrometres", "not finite", "cut", "empty", "no faces", "one point", "picometres"])
def test_what_is_no_mesh_in_nm_is_one_message(name, mushroom, tmp_path):
    vertices, faces, words = broken_meshes(mushroom)[name]
    np.savez(tmp_path / "mesh.npz", vertices_nm=vertices, faces=faces)
    with pytest.raises(ValueError, match=rf"mesh\.npz: .*{words}") as error:
        read_mesh(str(tmp_path / "mesh.npz"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".npz", ".ply", ".obj", ".stl", ".off", ".gltf", ".glb", ".h5"])
def test_an_empty_file_is_one_message(suffix, tmp_path):
    (tmp_path / f"mesh{suffix}").touch()
    with pytest.raises(ValueError, match=rf"mesh\{suffix}: ") as error:
        read_mesh(str(tmp_path / f"mesh{suffix}"))
    assert "\n" not in str(error.value)


def test_the_synapses_of_another_neuron_are_one_message(tube, tmp_path):
    points = pd.DataFrame(np.random.default_rng(0).uniform(1e6, 2e6, (30, 3)), columns=POSITION)
    points.assign(id=np.arange(30)).to_csv(tmp_path / "synapses.csv", index=False)
    labels = np.tile([1.0, 0, 0], (len(tube.vertices), 1)), np.full(len(tube.vertices), -1)
    with pytest.raises(ValueError, match=r"all 30 synapses are farther than 300 nm.*another neuron's") as error:
        label_synapses(read_synapses(tmp_path / "synapses.csv"), tube.vertices, tube.faces, *labels)
    assert "\n" not in str(error.value)


def test_a_model_of_other_features_is_one_message(tmp_path):
    with pytest.raises(ValueError, match="features") as error:
        load_model(MODEL.with_name("synapses.skops"), FEATURES)
    assert "synapses.skops" in str(error.value)
