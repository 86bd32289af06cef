"""Local folders of Neuroglancer meshes, which were copied from elsewhere: no name leads out, no file is too much."""

import gzip
import json

import numpy as np
import pytest

from spinome.io import precomputed_meshes
from spinome.io.precomputed_meshes import fragment_files, read_fragments


@pytest.fixture
def folder(tmp_path):
    """A segmentation whose `info` names the folder of its meshes, with one mesh of one triangle."""
    meshes = tmp_path / "seg" / "mesh"
    meshes.mkdir(parents=True)
    (tmp_path / "seg" / "info").write_text(json.dumps({"scales": [], "mesh": "mesh/"}))
    fragment = np.uint32(3).tobytes() + np.arange(9, dtype="<f4").tobytes() + np.arange(3, dtype="<u4").tobytes()
    (meshes / "7:0:0").write_bytes(fragment)
    (meshes / "7:0").write_text(json.dumps({"fragments": ["7:0:0"]}))
    return tmp_path / "seg"


def test_a_mesh_is_read(folder):
    vertices, faces = read_fragments(folder, "7")
    assert np.array_equal(vertices.reshape(-1), np.arange(9)) and faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("name", ["../../7", "/etc/passwd", "..\\x", "", ".", "a\0", 5, None, "x" * 300])
def test_a_manifest_names_no_file_outside(folder, name):
    (folder / "mesh" / "7:0").write_text(json.dumps({"fragments": ["7:0:0", name]}))
    with pytest.raises(ValueError, match=r"mesh/7:0: is no list of fragments \(.*name of a file"):
        fragment_files(folder, "7")


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"fragments": 5}', '{"fragments": {"a": 1}}', "[" * 100_000])
def test_something_else_than_a_manifest(folder, manifest):
    (folder / "mesh" / "7:0").write_text(manifest)
    with pytest.raises(ValueError, match=r"mesh/7:0: is no list of fragments"):
        fragment_files(folder, "7")


@pytest.mark.parametrize("name", ["..", "/tmp", "../other", "a//b", 5, ["x"]])
def test_an_info_names_no_folder_outside(folder, name):
    (folder / "info").write_text(json.dumps({"scales": [], "mesh": name}))
    with pytest.raises(ValueError, match=r"seg/info: is no description of precomputed meshes \(.*name of a file"):
        fragment_files(folder, "7")


def test_an_info_that_leads_to_itself(folder):
    (folder / "mesh" / "7:0").unlink()
    (folder / "mesh" / "info").write_text(json.dumps({"mesh": "mesh"}))
    (folder / "mesh" / "mesh").symlink_to(folder / "mesh")
    with pytest.raises(ValueError, match=r"mesh/info: names a folder of meshes, as .*seg/info does"):
        fragment_files(folder, "7")


def test_a_fragment_that_unpacks_to_much_more(folder, monkeypatch):
    monkeypatch.setattr(precomputed_meshes, "FRAGMENT_BYTES", 1000)
    (folder / "mesh" / "7:0:0").unlink()
    (folder / "mesh" / "7:0:0.gz").write_bytes(gzip.compress(bytes(2000)))
    with pytest.raises(ValueError, match=r"7:0:0\.gz: is truncated \(unpacks to more than 1000 bytes\)"):
        read_fragments(folder, "7")


def test_a_list_of_fragments_has_an_end(folder, monkeypatch):
    monkeypatch.setattr(precomputed_meshes, "MOST_FRAGMENTS", 3)
    (folder / "mesh" / "7:0").write_text(json.dumps({"fragments": ["7:0:0"] * 4}))
    with pytest.raises(ValueError, match="a list `fragments` of at most 3 names"):
        fragment_files(folder, "7")
