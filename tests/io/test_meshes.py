import json

import h5py
import numpy as np
import pytest
import trimesh

from spinome.io.meshes import Mesh, mesh_edges, read_mesh, vertex_areas, weld, write_mesh


@pytest.fixture
def box():
    shape = trimesh.creation.box((4000.0, 3000, 2000))
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces), {"label": np.arange(8)})


def test_npz_there_and_back(box, tmp_path):
    write_mesh(tmp_path / "a.npz", box)
    back = read_mesh(str(tmp_path / "a.npz"))
    assert np.array_equal(back.vertices, box.vertices)
    assert np.array_equal(back.faces, box.faces)
    assert np.array_equal(back.vertex_data["label"], box.vertex_data["label"])


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "off", "glb"])
def test_formats_of_others_are_read(box, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    trimesh.Trimesh(box.vertices, box.faces, process=False).export(path)
    back = read_mesh(str(path))
    assert vertex_areas(back.vertices, back.faces).sum() == pytest.approx(2 * (12 + 8 + 6) * 1e6)


def test_hdf5_with_the_faces_in_one_row_and_in_a_group(box, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["mesh/vertices"], file["mesh/faces"] = box.vertices, box.faces.reshape(-1)
    assert np.array_equal(read_mesh(f"{tmp_path}/a.h5::mesh").faces, box.faces)
    with pytest.raises(ValueError, match=r"a\.h5: needs the data sets vertices and faces.*::GROUP"):
        read_mesh(f"{tmp_path}/a.h5")


def test_the_scene_of_a_gltf_does_not_turn_the_mesh(shared_data):
    path = shared_data("neurons/dendrite_sample.gltf")
    limits = json.loads(path.read_text())["accessors"][0]
    mesh = read_mesh(str(path))
    assert len(mesh.vertices) == limits["count"]
    assert np.allclose(mesh.vertices.min(axis=0), limits["min"])
    assert np.allclose(mesh.vertices.max(axis=0), limits["max"])


def damaged(box, **changes):
    arrays = {"vertices_nm": box.vertices.copy(), "faces": box.faces.copy()} | changes
    return {name: value for name, value in arrays.items() if value is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {"vertices_nm": np.where(np.arange(24).reshape(8, 3) == 4, np.nan, m.vertices)}, "1 of 8 vertices"),
        (lambda m: {"vertices_nm": np.zeros((0, 3)), "faces": np.zeros((0, 3), int)}, "the mesh is empty"),
        (lambda m: {"faces": np.zeros((0, 3), int)}, "the mesh is empty"),
        (lambda m: {"faces": m.faces + 3}, "3 to 10, but there are 8"),
        (lambda m: {"faces": m.faces.astype(float)}, "triangles of integers"),
        (lambda m: {"vertices_nm": m.vertices / 1e3}, "may be micrometres; .* multiply them by 1e3"),
        (lambda m: {"vertices_nm": m.vertices / 1e9}, "may be metres"),
        (lambda m: {"vertices_nm": m.vertices * 1e5}, "more than 10 cm"),
        (lambda m: {"vertices_nm": m.vertices[:, :2]}, r"shape \(V, 3\)"),
        (lambda m: {"vertices_nm": None}, "needs the arrays vertices_nm and faces"),
        (lambda m: {"vertices_nm": np.ones((8, 3))}, "at one point"),
    ],
)
def test_a_bad_mesh_is_one_message_with_file_and_remedy(box, tmp_path, change, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **damaged(box, **change(box)))
    with pytest.raises(ValueError, match=message) as error:
        read_mesh(str(path))
    assert str(error.value).startswith(str(path))


def test_a_neuron_in_micrometres_is_noticed(shared_data, tmp_path):
    mesh = read_mesh(str(shared_data("neurons/864691134900032266_labelled.npz")))
    np.savez(tmp_path / "um.npz", vertices_nm=mesh.vertices / 1000, faces=mesh.faces)
    with pytest.raises(ValueError, match="may be micrometres"):
        read_mesh(str(tmp_path / "um.npz"))


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".ply", ".gltf"])
def test_a_file_of_rubbish_is_one_message(tmp_path, suffix):
    path = tmp_path / f"rubbish{suffix}"
    path.write_bytes(b"rubbish" * 9)
    with pytest.raises(ValueError, match=r"rubbish.*cannot be read as a mesh"):
        read_mesh(str(path))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such mesh"):
        read_mesh(str(tmp_path / "none.npz"))


def test_welding_merges_equal_vertices_and_drops_faces_without_area(box):
    soup = Mesh(box.vertices[box.faces].reshape(-1, 3), np.arange(36).reshape(-1, 3), {"label": box.faces.reshape(-1)})
    soup = Mesh(soup.vertices, np.concatenate([soup.faces, [[0, 0, 1]]]), soup.vertex_data)
    welded, origin = weld(soup)
    assert len(welded.vertices) == 8 and len(welded.faces) == 12
    assert np.array_equal(welded.vertices[origin], soup.vertices)
    assert np.array_equal(box.vertices[welded.vertex_data["label"]], welded.vertices)


def test_edges_once_and_areas(box):
    assert len(mesh_edges(box.faces)) == 18
    assert vertex_areas(box.vertices, box.faces).sum() == pytest.approx(52e6)
