"""Meshes in and out: NPZ inside; HDF5, PLY, OBJ, glTF and what trimesh opens are read. Vertices are in nm."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import trimesh

from spinome.io.atomic import atomic
from spinome.io.volumes import split_source


@dataclass(frozen=True)
class Mesh:
    """`vertices` (V, 3) float64, x y z in nm; `faces` (F, 3) int64; `vertex_data` arrays of length V by name."""

    vertices: np.ndarray
    faces: np.ndarray
    vertex_data: dict[str, np.ndarray] = field(default_factory=dict)


def read_mesh(source: str) -> Mesh:
    """Read a mesh from `path` or `path::group`.

    Raises
    ------
    FileNotFoundError, ValueError: the message names the file, what is wrong and the remedy.
    """
    path, name = split_source(source)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such mesh")
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as data:
            vertices, faces = data["vertices_nm"], data["faces"]
            extra = {key: data[key] for key in data.files if key not in {"vertices_nm", "faces"}}
    elif path.suffix in {".h5", ".hdf5"}:
        with h5py.File(path, "r") as file:
            group = file[name] if name else file
            vertices, faces, extra = group["vertices"][()], group["faces"][()], {}
    else:
        loaded = trimesh.load_mesh(path, process=False)
        vertices, faces, extra = loaded.vertices, loaded.faces, {}
    return Mesh(np.asarray(vertices, np.float64), np.asarray(faces, np.int64).reshape(-1, 3), extra)


def write_mesh(path: str | Path, mesh: Mesh) -> None:
    """Write a mesh as a compressed NPZ with `vertices_nm`, `faces` and its vertex data."""
    with atomic(path) as part:
        np.savez_compressed(
            part, vertices_nm=mesh.vertices.astype(np.float32), faces=mesh.faces.astype(np.int32), **mesh.vertex_data
        )
