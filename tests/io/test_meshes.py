import gzip
import json
import re

import h5py
import numpy as np
import pytest
import trimesh

from spinome.io.meshes import mesh_files, read_mesh, write_coloured_mesh, write_mesh
from spinome.mesh.surface import Mesh, mesh_edges, vertex_areas
from spinome.mesh.welding import weld
from spinome.neurons.simplify import simplify
from spinome.neurons.units import mesh_hash
from spinome.workflow.preflight import check_neuron
from spinome.workflow.samples import NeuronRow


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


@pytest.fixture
def untidy(box):
    """The box with a third of its faces inverted, corners doubled for half of the faces, and two unused vertices."""
    faces = np.concatenate([box.faces[:4, ::-1], box.faces[4:6], box.faces[6:] + 8])
    vertices = np.concatenate([box.vertices, box.vertices, [[9000.0, 0, 0], [0, 9000, 0]]])
    return Mesh(vertices, faces)


def write_as(mesh, folder, kind):
    """Write a mesh in a format of others, and give how a sample sheet names it."""
    if kind == "precomputed":
        write_precomputed(folder / "meshes", 7, mesh, pieces=3)
        return f"{folder}/meshes::7"
    path = folder / f"a.{kind}"
    if kind == "h5":
        with h5py.File(path, "w") as file:
            file["vertices"], file["faces"] = mesh.vertices, mesh.faces.reshape(-1)
    elif kind == "npz":
        np.savez(path, vertices=mesh.vertices, faces=mesh.faces)
    else:
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)
    return str(path)


def write_precomputed(folder, name, mesh, pieces, compress=False, fragment="{name}:0:{piece}"):
    """Write a mesh in Neuroglancer's first format, its faces in several fragments, each with vertices of its own.

    A mesh that cloud-volume 12.15.2 wrote (`CloudVolume.mesh.put`, its fragment gzipped) was read with the same
    vertices and faces.
    """
    folder.mkdir()
    (folder / "info").write_text(json.dumps({"@type": "neuroglancer_legacy_mesh"}))
    files = {f"{name}:0": None}
    for piece, faces in enumerate(np.array_split(mesh.faces, pieces)):
        used, own = np.unique(faces, return_inverse=True)
        content = [np.uint32(len(used)), mesh.vertices[used].astype("<f4"), own.astype("<u4")]
        files[fragment.format(name=name, piece=piece)] = b"".join(part.tobytes() for part in content)
    files[f"{name}:0"] = json.dumps({"fragments": list(files)[1:]}).encode()
    for file, content in files.items():
        (folder / f"{file}.gz" if compress else folder / file).write_bytes(
            gzip.compress(content) if compress else content
        )


KINDS = ["npz", "h5", "ply", "obj", "stl", "off", "glb", "gltf", "precomputed"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_read_and_passes_the_check_before_work(untidy, tmp_path, kind):
    source = write_as(untidy, tmp_path, kind)
    assert check_neuron(NeuronRow(neuron="n", mesh=source)) == []
    back = read_mesh(source)
    corners = np.sort(back.vertices[back.faces].reshape(len(back.faces), -1), axis=0)
    assert np.allclose(corners, np.sort(untidy.vertices[untidy.faces].reshape(12, -1), axis=0))
    # whatever is doubled or unused in the file, the steps behind work on the eight corners of the box
    simplified = simplify(back)
    assert len(simplified.vertices) == 8 and len(simplified.faces) == 12
    assert np.array_equal(simplified.vertices[simplified.vertex_of[back.faces]], back.vertices[back.faces])


def test_a_suffix_in_capitals(box, tmp_path):
    trimesh.Trimesh(box.vertices, box.faces, process=False).export(tmp_path / "a.ply")
    (tmp_path / "a.ply").rename(tmp_path / "A.PLY")
    assert check_neuron(NeuronRow(neuron="n", mesh=str(tmp_path / "A.PLY"))) == []
    assert len(read_mesh(str(tmp_path / "A.PLY")).faces) == 12


def test_a_ply_of_text_with_faces_of_four_corners(tmp_path):
    corners = "0 0 0\n4000 0 0\n4000 3000 0\n0 3000 0\n"
    header = "ply\nformat ascii 1.0\nelement vertex 4\n" + "".join(f"property float {axis}\n" for axis in "xyz")
    (tmp_path / "a.ply").write_text(
        f"{header}element face 1\nproperty list uchar int vertex_indices\nend_header\n{corners}4 0 1 2 3\n"
    )
    mesh = read_mesh(str(tmp_path / "a.ply"))
    assert len(mesh.faces) == 2 and vertex_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(12e6)


@pytest.mark.parametrize("numbers", ["<f4 <i4", "<f8 <u8", ">f8 >i4", "<i8 <u2"])
def test_numbers_of_any_size_and_far_from_the_origin(box, tmp_path, numbers):
    kinds = numbers.split()
    away = box.vertices + 2**23
    np.savez(tmp_path / "a.npz", vertices_nm=away.astype(kinds[0]), faces=box.faces.astype(kinds[1]))
    mesh = read_mesh(str(tmp_path / "a.npz"))
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float64, np.int64)
    assert np.array_equal(mesh.vertices, away) and np.array_equal(mesh.faces, box.faces)
    assert len(simplify(mesh, reduction=0).vertices) == 8


def test_the_triangles_of_an_stl_are_welded(box, tmp_path):
    mesh = read_mesh(write_as(box, tmp_path, "stl"))
    assert len(mesh.vertices) == 8 and len(mesh_edges(mesh.faces)) == 18
    ascii_path = tmp_path / "text.stl"
    ascii_path.write_text(trimesh.exchange.stl.export_stl_ascii(trimesh.Trimesh(box.vertices, box.faces)))
    assert check_neuron(NeuronRow(neuron="n", mesh=str(ascii_path))) == []
    assert len(read_mesh(str(ascii_path)).vertices) == 8


def test_hdf5_with_the_faces_in_one_row_and_in_a_group(box, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["neuron/vertices"], file["neuron/faces"] = box.vertices, box.faces.reshape(-1)
    assert np.array_equal(read_mesh(f"{tmp_path}/a.h5::neuron").faces, box.faces)
    message = r"a\.h5: needs the data sets vertices and faces.*::GROUP"
    with pytest.raises(ValueError, match=message):
        read_mesh(f"{tmp_path}/a.h5")
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=f"{tmp_path}/a.h5"))
    assert re.search(message, problem)
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=f"{tmp_path}/a.h5::other"))
    assert "a.h5: has no group 'other'; it has neuron" in problem


def test_the_mesh_of_a_meshwork_is_found(box, tmp_path):
    """MeshParty's Meshwork keeps its mesh in the group `mesh`, beside the annotations and the skeleton."""
    with h5py.File(tmp_path / "meshwork.h5", "w") as file:
        file.attrs["voxel_resolution"] = [4, 4, 40]
        file.create_group("annotations")
        file["skeleton/vertices"] = box.vertices[:2]
        file["mesh/vertices"], file["mesh/faces"] = box.vertices, box.faces
        file["mesh/node_mask"] = np.ones(8, bool)
    assert check_neuron(NeuronRow(neuron="n", mesh=f"{tmp_path}/meshwork.h5")) == []
    assert np.array_equal(read_mesh(f"{tmp_path}/meshwork.h5").vertices, box.vertices)


def test_a_gltf_is_known_by_its_buffers_as_well(box, tmp_path):
    source = write_as(box, tmp_path, "gltf")
    path, *buffers = mesh_files(source)
    assert str(path) == source and buffers
    buffers[0].unlink()
    with pytest.raises(ValueError, match=r"a\.gltf: its buffer .* is absent"):
        read_mesh(source)


def test_an_off_file_may_begin_with_a_comment(box, tmp_path):
    path = tmp_path / "a.off"
    path.write_text("# made by hand\n" + trimesh.Trimesh(box.vertices, box.faces).export(file_type="off"))
    assert check_neuron(NeuronRow(neuron="n", mesh=str(path))) == []
    assert len(read_mesh(str(path)).faces) == 12


@pytest.mark.parametrize("compress", [False, True])
def test_fragments_are_joined_and_weld_to_one_surface(box, tmp_path, compress):
    write_precomputed(tmp_path / "meshes", 648518346349539862, box, 4, compress, "{name}:0:0-512_0-512_{piece}-64")
    mesh = read_mesh(f"{tmp_path}/meshes::648518346349539862")
    assert len(mesh.vertices) > 8
    welded, _ = weld(mesh)
    assert len(welded.vertices) == 8 and len(mesh_edges(welded.faces)) == 18


def test_the_folder_of_the_segmentation_leads_to_its_meshes(box, tmp_path):
    write_precomputed(tmp_path / "mesh_mip_2", 7, box, 1)
    (tmp_path / "info").write_text(json.dumps({"type": "segmentation", "scales": [], "mesh": "mesh_mip_2"}))
    assert len(read_mesh(f"{tmp_path}::7").faces) == 12


def test_a_mesh_is_known_by_its_own_fragments(box, tmp_path):
    write_precomputed(tmp_path / "meshes", 7, box, 2)
    names = [file.name for file in mesh_files(f"{tmp_path}/meshes::7")]
    assert names == ["7:0", "7:0:0", "7:0:1"]
    before = mesh_hash(f"{tmp_path}/meshes::7")
    (tmp_path / "meshes" / "8:0").write_text("{}")
    assert mesh_hash(f"{tmp_path}/meshes::7") == before
    (tmp_path / "meshes" / "7:0:1").write_bytes((tmp_path / "meshes" / "7:0:0").read_bytes())
    assert mesh_hash(f"{tmp_path}/meshes::7") != before


@pytest.mark.parametrize(
    ("damage", "name", "message"),
    [
        (lambda folder: None, "", "folder of many meshes; write .*::ID"),
        (lambda folder: None, "8", "has no mesh 8, .*8:0 is absent"),
        (lambda folder: (folder / "7:0:1").unlink(), "7", "7:0: 1 of its 2 fragments are absent, the first 7:0:1"),
        (lambda folder: (folder / "7:0:1").write_bytes(b""), "7", "7:0:1: is an empty file|7:0:1: is truncated"),
        (lambda folder: (folder / "7:0").write_text("[]"), "7", "7:0: is no list of fragments"),
        (lambda folder: (folder / "7:0").write_text('{"fragments": []}'), "7", "7:0: the mesh is empty"),
        (lambda folder: (folder / "info").write_text("no"), "7", "info: is no description"),
        (
            lambda folder: (folder / "info").write_text('{"@type": "neuroglancer_multilod_draco"}'),
            "7",
            "holds neuroglancer_multilod_draco; write the meshes as neuroglancer_legacy_mesh",
        ),
    ],
)
def test_a_bad_folder_of_meshes_is_one_message_before_and_during_work(box, tmp_path, damage, name, message):
    folder = tmp_path / "meshes"
    write_precomputed(folder, 7, box, 2)
    damage(folder)
    source = f"{folder}::{name}" if name else str(folder)
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=source))
    assert problem.startswith(str(folder)) and re.search(message, problem)
    with pytest.raises(ValueError, match=message):
        read_mesh(source)


@pytest.mark.parametrize(("compress", "name"), [(False, "7:0:1"), (True, "7:0:1.gz")])
def test_a_fragment_cut_short_is_named(box, tmp_path, compress, name):
    write_precomputed(tmp_path / "meshes", 7, box, 2, compress)
    fragment = tmp_path / "meshes" / name
    fragment.write_bytes(fragment.read_bytes()[:-10])
    if not compress:
        (problem,) = check_neuron(NeuronRow(neuron="n", mesh=f"{tmp_path}/meshes::7"))
        assert "7:0:1: is truncated" in problem
    with pytest.raises(ValueError, match=r"7:0:1.* is truncated.*copy it again"):
        read_mesh(f"{tmp_path}/meshes::7")


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".ply", b"solid", "does not begin with ply"),
        (".off", b"8 12 18", "does not begin with OFF"),
        (".gltf", b"glTF", "cannot be read as a mesh (no glTF"),
        (".gltf", b'{"buffers": [], "extras": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
        (".gltf", b'{"buffers": [{"uri": "a%20b.bin"}]}', "its buffer a b.bin is absent"),
        (".glb", b"glTF" + bytes([2, 0, 0, 0, 200, 0, 0, 0]), "has 12 bytes, its header says 200"),
        (".stl", bytes(80) + bytes([3, 0, 0, 0]), "has 84 bytes, its number of triangles makes 234"),
        (".npz", b"rubbish", "truncated or no mesh"),
        (".h5", b"rubbish", "truncated or no mesh"),
        (".obj", b"", "is an empty file"),
        (".dae", b"<", "unknown kind of mesh; use one of"),
    ],
)
def test_a_bad_file_is_one_message_before_work(tmp_path, suffix, content, message):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=str(path)))
    assert problem.startswith(str(path)) and message in problem


def test_arrays_of_other_names_are_told_of_before_work(box, tmp_path):
    np.savez(tmp_path / "a.npz", points=box.vertices, faces=box.faces)
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=str(tmp_path / "a.npz")))
    assert "a.npz: needs the arrays vertices_nm and faces, it has points, faces" in problem


def test_colours_of_vertices_and_every_vertex_survive(untidy, tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (18, 3), dtype=np.uint8)
    write_coloured_mesh(tmp_path / "a.ply", untidy, colours)
    back = trimesh.load(tmp_path / "a.ply", process=False)
    assert np.array_equal(back.visual.vertex_colors[:, :3], colours)
    mesh = read_mesh(str(tmp_path / "a.ply"))
    assert np.allclose(mesh.vertices, untidy.vertices) and np.array_equal(mesh.faces, untidy.faces)


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
        (lambda m: {"faces": m.faces.reshape(9, 4)}, r"triangles of integers, these are int64 \(9, 4\)"),
        (lambda m: {"vertices_nm": m.vertices / 1e3}, "may be micrometres; .* multiply them by 1e3"),
        (lambda m: {"vertices_nm": m.vertices / 1e9}, "may be metres"),
        (lambda m: {"vertices_nm": m.vertices * 1e5}, "too much for a neuron"),
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


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".ply", ".obj", ".stl", ".off", ".gltf", ".glb"])
def test_a_file_of_rubbish_is_one_message(tmp_path, suffix):
    path = tmp_path / f"rubbish{suffix}"
    path.write_bytes(b"rubbish" * 9)
    with pytest.raises(ValueError, match=r"rubbish.*(cannot be read as a mesh|holds no triangle mesh)"):
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
