"""Labels move from the meshes of spines and soma to the vertices of the neuron that lie near."""

import io

import h5py
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from spinome.retrieve.morph_spines import label_neuron


def write_parts(spines_um, rotations, origins_um, soma_um):
    """An HDF5 file of morph-spines with each spine in a frame of its own."""
    local = [rotation.inv().apply(s - o) for s, rotation, o in zip(spines_um, rotations, origins_um)]
    names = [f"afferent_surface_{axis}" for axis in "xyz"] + [f"spine_rotation_{axis}" for axis in "xyzw"]
    values = np.column_stack([origins_um, [rotation.as_quat() for rotation in rotations]])
    ends = np.cumsum([0, *map(len, local)])
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content["edges/n/block0_items"] = np.array(names, "S32")
        content["edges/n/block0_values"] = values
        content["spines/meshes/n/vertices"] = np.concatenate(local)
        content["spines/meshes/n/offsets"] = np.column_stack([ends, ends])
        content["soma/meshes/n/vertices"] = soma_um.astype(np.float32)
    return file


def test_a_vertex_takes_the_label_of_what_lies_near():
    soma = trimesh.creation.icosphere(2, radius=5.0).vertices
    spines = [trimesh.creation.icosphere(2, radius=0.3).vertices + centre for centre in ([20, 0, 0], [25, 0, 0])]
    shaft = np.column_stack([np.linspace(10, 30, 204), np.full(204, -3.0), np.zeros(204)])
    vertices_um = np.concatenate([soma, *spines, shaft])
    truth = np.repeat([2, 1, 1, 0], [len(soma), len(spines[0]), len(spines[1]), len(shaft)])
    faces = np.arange(len(vertices_um)).reshape(-1, 3)
    obj = io.BytesIO(trimesh.Trimesh(vertices_um * 1000, faces, process=False).export(file_type="obj").encode())
    rotations = Rotation.from_euler("xyz", [[10, 20, 30], [-40, 50, 60]], degrees=True)
    parts = write_parts(spines, rotations, np.array([[20, -2.0, 0], [25, -2.0, 0]]), soma)

    mesh = label_neuron(obj, parts, "n")

    assert np.array_equal(mesh.vertex_data["label"], truth)
    assert np.array_equal(np.unique(mesh.vertex_data["spine_id"][truth == 1]), [0, 1])
    assert (mesh.vertex_data["spine_id"][truth != 1] == -1).all()
