"""A MICrONS neuron with labelled spines, from the data of morph-spines-visualizer (Apache-2.0).

The neuron's mesh has no labels of its own. Its spines and its soma come as separate meshes, the spines each in
a frame of its own; a vertex of the neuron takes the label of what lies near.
"""

from __future__ import annotations

import io

import h5py
import numpy as np
import trimesh
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from spinome.mesh.surface import Mesh

NM_PER_UM = 1000.0
SHAFT, SPINE, SOMA = 0, 1, 2
SPINE_REACH_NM = 150.0
SOMA_REACH_NM = 250.0


def label_neuron(obj: io.BytesIO, parts: io.BytesIO, neuron: str) -> Mesh:
    """Label the vertices of a neuron as shaft, spine or soma by the parts that lie near.

    Parameters
    ----------
    obj : Wavefront mesh of the neuron, in nm
    parts : HDF5 file of morph-spines with the meshes of its spines and soma, in um
    neuron : name of the neuron in the file of parts

    Returns
    -------
    mesh in nm with vertex data `label` (0 shaft, 1 spine, 2 soma) and `spine_id` (-1 where there is none)
    """
    loaded = trimesh.load_mesh(obj, file_type="obj", process=False)
    vertices = np.asarray(loaded.vertices)
    with h5py.File(parts, "r") as content:
        spine_vertices, spine_ids = _spines(content, neuron)
        soma_vertices = content[f"soma/meshes/{neuron}/vertices"][()].astype(float)
    distance, nearest = cKDTree(spine_vertices * NM_PER_UM).query(vertices, distance_upper_bound=SPINE_REACH_NM)
    soma_distance, _ = cKDTree(soma_vertices * NM_PER_UM).query(vertices, distance_upper_bound=SOMA_REACH_NM)
    on_spine = np.isfinite(distance)
    label = np.where(on_spine, SPINE, np.where(np.isfinite(soma_distance), SOMA, SHAFT)).astype(np.uint8)
    spine_id = np.full(len(vertices), -1, np.int32)
    spine_id[on_spine] = spine_ids[nearest[on_spine]]
    return Mesh(vertices, np.asarray(loaded.faces), {"label": label, "spine_id": spine_id})


def _spines(content: h5py.File, neuron: str) -> tuple[np.ndarray, np.ndarray]:
    table = content[f"edges/{neuron}"]
    names = [name.decode() for name in table["block0_items"][()]]
    columns = dict(zip(names, table["block0_values"][()].T))
    origins = np.stack([columns[f"afferent_surface_{axis}"] for axis in "xyz"], axis=1)
    rotations = Rotation.from_quat(np.stack([columns[f"spine_rotation_{axis}"] for axis in "xyzw"], axis=1))
    group = content[f"spines/meshes/{neuron}"]
    ids = np.repeat(np.arange(len(origins)), np.diff(group["offsets"][:, 0]))
    return rotations[ids].apply(group["vertices"][()]) + origins[ids], ids
