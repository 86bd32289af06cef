"""The neurons that are worked on."""

import h5py
import numpy as np

from spinome.neurons.units import mesh_hash


def test_meshes_of_one_file_have_hashes_of_their_own(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for name in "ab":
            file[f"{name}/vertices"], file[f"{name}/faces"] = np.eye(3), [[0, 1, 2]]
    first, second = (mesh_hash(f"{tmp_path}/m.h5::{name}") for name in "ab")
    assert first != second and first == mesh_hash(f"{tmp_path}/m.h5::a")
