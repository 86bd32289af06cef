"""Brackets that nest too deeply are a fault of the text, in every reader of JSON."""

import pytest

from spinome.io.json_text import parse_json
from spinome.io.meshes import read_mesh
from spinome.io.volumes import open_volume
from spinome.workflow.preflight import check_neuron, check_volume
from spinome.workflow.samples import EMVolume, Neuron

NESTED = "[" * 5000 + "]" * 5000


def test_parse_json():
    assert parse_json('{"a": [1]}') == parse_json(b'{"a": [1]}') == {"a": [1]}
    for text in (NESTED, "{", ""):
        with pytest.raises(ValueError):
            parse_json(text)


def test_meshes_and_volumes(tmp_path):
    (tmp_path / "m.gltf").write_text(f'{{"buffers": [], "extras": {NESTED}}}')
    for name, file in (("folder", "info"), ("v.zarr", "zarr.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(NESTED)
    for source in ("m.gltf", "folder::1"):
        with pytest.raises(ValueError, match="nested too deeply"):
            read_mesh(f"{tmp_path}/{source}")
        assert len(check_neuron(Neuron(neuron="n", mesh=f"{tmp_path}/{source}"))) == 1
    for source in ("folder", "v.zarr"):
        with pytest.raises(ValueError, match=source):
            open_volume(f"{tmp_path}/{source}")
        assert len(check_volume(EMVolume(volume="v", image=f"{tmp_path}/{source}"))) == 1


def test_a_folder_of_meshes_that_names_itself(tmp_path):
    (tmp_path / "info").write_text('{"mesh": "."}')
    with pytest.raises(ValueError, match="info: names a folder of meshes, as"):
        read_mesh(f"{tmp_path}::1")
