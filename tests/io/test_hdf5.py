"""Links that lead nowhere and data sets that hold nothing are told of, in every reader of HDF5."""

import h5py
import numpy as np
import pytest

from spinome.io.hdf5 import data_set, member
from spinome.io.meshes import read_mesh
from spinome.io.stacks import open_stack
from spinome.io.volumes import open_volume
from spinome.workflow.preflight import check_neuron
from spinome.workflow.samples import NeuronRow


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
        file["null"], file["good"] = h5py.Empty("f4"), np.arange(8).reshape(2, 2, 2)
        file["link"], file["broken"] = h5py.SoftLink("/good"), h5py.SoftLink("/nothing")
        file["group/vertices"], file["group/faces"] = h5py.SoftLink("/a"), np.zeros((1, 3), int)
        file["nothing_in_it/vertices"], file["nothing_in_it/faces"] = h5py.Empty("f4"), h5py.Empty("i4")
        yield file


def test_members(file):
    assert data_set(file, "good").shape == data_set(file, "link").shape == (2, 2, 2)
    assert member(file, "broken") is None and member(file, "none") is None and data_set(file, "group") is None
    with pytest.raises(ValueError, match="'a' is a link that leads nowhere"):
        member(file, "a")
    with pytest.raises(ValueError, match="'null' is a null data set"):
        data_set(file, "null")


def test_volumes(file, tmp_path):
    file.flush()
    path = tmp_path / "f.h5"
    np.testing.assert_array_equal(open_volume(f"{path}::link")[1, 1], [6, 7])
    for name, message in (
        ("a", "'a' is a link that"),
        ("null", "'null' is a null"),
        ("broken", "has no data set 'bro"),
    ):
        with pytest.raises(ValueError, match=f"f.h5: {message}"):
            open_volume(f"{path}::{name}")


@pytest.mark.parametrize(("group", "message"), [("group", "is a link that"), ("nothing_in_it", "is a null data set")])
def test_meshes(file, tmp_path, group, message):
    file.close()
    source = f"{tmp_path / 'f.h5'}::{group}"
    with pytest.raises(ValueError, match=f"f.h5: 'vertices' {message}"):
        read_mesh(source)
    (problem,) = check_neuron(NeuronRow(neuron="n", mesh=source))
    assert message in problem


@pytest.mark.parametrize(
    ("data", "message"),
    [(h5py.Empty("f4"), "'data' is a null data set"), (h5py.SoftLink("/acquisition/v/data"), "'data' is a link")],
)
def test_series(tmp_path, data, message):
    with h5py.File(tmp_path / "s.nwb", "w") as file:
        group = file.create_group("acquisition/v")
        group.attrs["neurodata_type"] = "TwoPhotonSeries"
        group["data"] = data
    with pytest.raises(ValueError, match=f"s.nwb: {message}"):
        open_stack(tmp_path / "s.nwb")
