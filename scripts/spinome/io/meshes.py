"""Meshes in and out: NPZ inside; HDF5, PLY, OBJ, STL, OFF, glTF and Neuroglancer's meshes are read.

A group of an HDF5 file is written `file.h5::name`, a mesh of a Neuroglancer folder `folder::id`. Vertices are in nm,
checked here. trimesh, which takes as long to load as pandas, is loaded where a file needs it: steps pass NPZ on.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np

from spinome.io.atomic import atomic
from spinome.io.hdf5 import data_set, member
from spinome.io.precomputed_meshes import fragment_files, read_fragments
from spinome.io.sources import split_source
from spinome.io.untrusted import json_object
from spinome.mesh.surface import Mesh
from spinome.mesh.welding import weld

VERTEX_KEYS = ("vertices_nm", "vertices")
HDF5 = {".h5", ".hdf5"}
# of a file whose header does not say its vertices, as PLY and OBJ have them
BYTES_PER_VERTEX = 40
# a neurite is at least this long, a whole neuron at most this; no EM resolves an edge this short, and a mesh of edges
# longer than a shaft is wide shows no neurite
SMALLEST_EXTENT_NM = 1e3
LARGEST_EXTENT_NM = 1e8
SHORTEST_EDGE_NM = 1.0
LONGEST_EDGE_NM = 2e4


def read_mesh(source: str) -> Mesh:
    """Read a mesh from `path` or `path::name` and check that it can be a neuron's surface in nm.

    The scene of a glTF file is passed over: its geometry alone is in the coordinates of the specimen. The separate
    triangles of an STL file are welded. Inverted faces and vertices that are doubled or unused are kept.

    Raises
    ------
    FileNotFoundError, ValueError: the message names the file, what is wrong and the remedy.
    """
    path, name = split_source(source)
    suffix = path.suffix.lower()
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such mesh")
    extra: dict[str, np.ndarray] = {}
    try:
        if path.is_dir():
            vertices, faces = read_fragments(path, name)
        elif suffix == ".npz":
            vertices, faces, extra = _read_npz(path)
        elif suffix in HDF5:
            with hdf5_mesh(path, name) as group:
                vertices, faces = group["vertices"][()], group["faces"][()]
        else:
            vertices, faces, extra = _read_trimesh(path)
    except ValueError as error:
        raise error if str(error).startswith(str(path)) else ValueError(_unreadable(path, error)) from error
    except Exception as error:
        raise ValueError(_unreadable(path, error)) from error
    check_mesh(vertices, faces, str(source))
    vertices = np.asarray(vertices, np.float64)
    mesh = Mesh(vertices, np.asarray(faces, np.int64).reshape(-1, 3), _per_vertex(extra, len(vertices)))
    return weld(mesh)[0] if suffix == ".stl" else mesh


def mesh_files(source: str) -> list[Path]:
    """The files that hold a mesh: `path` of `path::group`, a glTF with its buffers, the fragments of `folder::id`.

    Raises
    ------
    ValueError: if the file that names the others cannot be read, or one of them is absent.
    """
    path, name = split_source(source)
    if path.is_dir():
        return fragment_files(path, name)
    return [path, *_gltf_buffers(path)] if path.suffix.lower() == ".gltf" else [path]


def vertices_of(source: str) -> int:
    """Number of vertices of a mesh from its header, or from the size of its files where it has none.

    Raises
    ------
    OSError, ValueError: if the file cannot be read.
    """
    path, name = split_source(source)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            member = next(f"{key}.npy" for key in VERTEX_KEYS if f"{key}.npy" in archive.namelist())
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                return read(stream)[0][0]
    if suffix in HDF5:
        with hdf5_mesh(path, name) as group:
            return group["vertices"].shape[0]
    if suffix == ".ply":
        with path.open("rb") as stream:
            for line in stream.read(4096).splitlines():
                if line.startswith(b"element vertex"):
                    return int(line.split()[2])
    return sum(file.stat().st_size for file in mesh_files(source)) // BYTES_PER_VERTEX


def write_mesh(path: str | Path, mesh: Mesh) -> None:
    """Write a mesh as a compressed NPZ with `vertices_nm`, `faces` and its vertex data."""
    # any array may go by any name, which the types of numpy do not say
    more: dict[str, Any] = mesh.vertex_data
    with atomic(path) as part:
        np.savez_compressed(
            part, vertices_nm=mesh.vertices.astype(np.float32), faces=mesh.faces.astype(np.int32), **more
        )


def write_coloured_mesh(path: str | Path, mesh: Mesh, colours: np.ndarray) -> None:
    """Write a mesh as a binary PLY with a colour for each vertex, which MeshLab, Blender and others show.

    Parameters
    ----------
    colours : (V, 3) uint8, red green blue
    """
    import trimesh

    coloured = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False, validate=False)
    with atomic(path) as part:
        part.write_bytes(trimesh.exchange.ply.export_ply(coloured, vertex_normal=False))


def check_mesh(vertices: np.ndarray, faces: np.ndarray, source: str) -> None:
    """Raise a ValueError, naming the source and the remedy, where this cannot be a neuron's surface in nm."""
    vertices, faces = np.asarray(vertices), np.asarray(faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind not in "fiu":
        raise ValueError(f"{source}: vertices must be numbers of shape (V, 3), these are {vertices.shape}")
    if not len(vertices) or not faces.size:
        raise ValueError(f"{source}: the mesh is empty; leave the neuron out of the sheet or write its mesh again")
    # MeshParty writes the faces as one long row
    if faces.dtype.kind not in "iu" or (faces.shape[1:] != (3,) if faces.ndim > 1 else faces.size % 3):
        raise ValueError(f"{source}: faces must be triangles of integers, these are {faces.dtype} {faces.shape}")
    broken = ~np.isfinite(vertices).all(axis=1)
    if broken.any():
        raise ValueError(
            f"{source}: {broken.sum()} of {len(vertices)} vertices are not finite numbers; "
            "write the mesh again without them"
        )
    low, high = int(faces.min()), int(faces.max())
    if low < 0 or high >= len(vertices):
        raise ValueError(
            f"{source}: faces name the vertices {low} to {high}, but there are {len(vertices)}, counted from 0; "
            "was the mesh cut without renumbering its faces?"
        )
    _check_unit(vertices, faces.reshape(-1, 3), source)


def _check_unit(vertices: np.ndarray, faces: np.ndarray, source: str) -> None:
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    extent = float(np.ptp(vertices[used], axis=0).max())
    some = faces[:: max(1, len(faces) // 10_000)]
    edge = float(np.median(np.linalg.norm(vertices[some[:, 0]] - vertices[some[:, 1]], axis=1)))
    if extent == 0:
        raise ValueError(f"{source}: all vertices are at one point; write the mesh again")
    if extent < SMALLEST_EXTENT_NM or edge < SHORTEST_EDGE_NM:
        unit, factor = (
            ("micrometres", "1e3") if extent >= 1 else ("millimetres", "1e6") if extent >= 0.01 else ("metres", "1e9")
        )
        raise ValueError(
            f"{source}: is {extent:.3g} across with edges of {edge:.3g}, which cannot be nanometres but may be "
            f"{unit}; vertices are in nm: multiply them by {factor}"
        )
    if extent > LARGEST_EXTENT_NM or edge > LONGEST_EDGE_NM:
        raise ValueError(
            f"{source}: is {extent:.3g} nm across with edges of {edge:.3g} nm, too much for a neuron; vertices are in "
            "nm: divide them by 1,000 if they are in picometres, or write them without the scaling that was done twice"
        )


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    with np.load(path, allow_pickle=False) as data:
        key = next((key for key in VERTEX_KEYS if key in data.files), None)
        if key is None or "faces" not in data.files:
            raise ValueError(f"{path}: needs the arrays vertices_nm and faces, it has {', '.join(data.files)}")
        return data[key], data["faces"], {name: data[name] for name in data.files if name not in {key, "faces"}}


@contextmanager
def hdf5_mesh(path: Path, name: str) -> Iterator[h5py.Group]:
    """The group of an HDF5 file that has the data sets vertices and faces; MeshParty's Meshwork has it in `mesh`.

    Raises
    ------
    ValueError: if there is none; the message names the file and what it has.
    """
    with h5py.File(path, "r") as file:
        try:
            group = member(file, name or "/")
            if not isinstance(group, h5py.Group):
                raise ValueError(f"has no group '{name}'; it has {', '.join(file)}")
            if "vertices" not in group and isinstance(inner := member(group, "mesh"), h5py.Group):
                group = inner
            if data_set(group, "vertices") is None or data_set(group, "faces") is None:
                raise ValueError(
                    f"needs the data sets vertices and faces, it has {', '.join(group)}; "
                    f"write {path}::GROUP if they are in a group"
                )
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        yield group


def _gltf_buffers(path: Path) -> list[Path]:
    """The files that a glTF keeps its numbers in, where they are not in itself."""
    try:
        buffers = json_object(path.read_bytes(), most=None)["buffers"]
        files = [path.parent / unquote(buffer["uri"]) for buffer in buffers if not buffer["uri"].startswith("data:")]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(_unreadable(path, f"no glTF: {error!r}")) from error
    lacking = [file.name for file in files if not file.is_file()]
    if lacking:
        raise ValueError(f"{path}: its buffer {', '.join(lacking)} is absent; copy it beside the file")
    return files


def _read_trimesh(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    import trimesh

    mesh_files(str(path))  # says what a glTF lacks, which trimesh does not
    loaded = trimesh.load(path, process=False)
    parts = list(loaded.geometry.values()) if isinstance(loaded, trimesh.Scene) else [loaded]
    surfaces = [part for part in parts if isinstance(part, trimesh.Trimesh)]
    if not surfaces:
        raise ValueError(f"{path}: holds no triangle mesh; give the surface of a neuron")
    starts = np.cumsum([0, *(len(part.vertices) for part in surfaces[:-1])])
    faces = np.concatenate([np.asarray(part.faces) + start for part, start in zip(surfaces, starts)])
    return np.concatenate([np.asarray(part.vertices) for part in surfaces]), faces, {}


def _per_vertex(extra: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    return {key: value for key, value in extra.items() if value.ndim and len(value) == count}


def _unreadable(path: Path, error: Exception | str) -> str:
    return (
        f"{path}: cannot be read as a mesh ({error}); use .npz (vertices_nm, faces), .h5, .ply, .obj, .stl, .off, "
        ".gltf or a folder of Neuroglancer meshes"
    )
