"""Neuroglancer's precomputed meshes of one resolution, from a local folder (format `neuroglancer_legacy_mesh`).

A mesh is a manifest `<id>:0`, which lists fragments, one a chunk of the volume; any file may be gzipped and then
ends in `.gz`. Positions are in nm (https://github.com/google/neuroglancer, datasource/precomputed/meshes.md).
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from spinome.io.json_text import parse_json

FORMAT = "neuroglancer_legacy_mesh"


def fragment_files(folder: Path, name: str) -> list[Path]:
    """The files that a mesh is made of, its manifest first.

    Parameters
    ----------
    folder : of meshes, or of the segmentation whose `info` names the folder of its meshes
    name : id of the mesh

    Raises
    ------
    ValueError: if the folder is of another format, or the mesh or a fragment is absent; the message names the
        folder and the remedy.
    """
    meshes = _mesh_folder(folder)
    if not name:
        raise ValueError(f"{folder}: is a folder of many meshes; write {folder}::ID with the id of one")
    manifest = _file(meshes / f"{name}:0")
    if manifest is None:
        raise ValueError(f"{folder}: has no mesh {name}, since {meshes / name}:0 is absent; check the id or copy it")
    try:
        fragments = parse_json(_bytes(manifest))["fragments"]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{manifest}: is no list of fragments ({error!r}); copy it again") from error
    if not fragments:
        raise ValueError(f"{manifest}: the mesh is empty, it lists no fragment; leave the neuron out of the sheet")
    files = [_file(meshes / fragment) for fragment in fragments]
    lacking = [fragment for fragment, file in zip(fragments, files) if file is None]
    if lacking:
        raise ValueError(
            f"{manifest}: {len(lacking)} of its {len(fragments)} fragments are absent, the first {lacking[0]}; "
            "copy them into the folder"
        )
    return [manifest, *files]


def read_fragments(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) in nm and faces (F, 3) of a mesh, its fragments one after the other.

    Vertices on the border of two chunks are there twice; `spinome.io.meshes.weld` makes them one.

    Raises
    ------
    ValueError: as `fragment_files`, and if a fragment is cut short.
    """
    vertices, faces, count = [], [], 0
    for file in fragment_files(folder, name)[1:]:
        points, triangles = _read_fragment(file)
        vertices.append(points)
        faces.append(triangles + count)
        count += len(points)
    return np.concatenate(vertices), np.concatenate(faces)


def check_fragment(file: Path) -> None:
    """Raise a ValueError where the length of a fragment does not fit its number of vertices; gzipped ones pass."""
    if file.suffix != ".gz":
        with file.open("rb") as stream:
            _check_length(file, file.stat().st_size, int.from_bytes(stream.read(4), "little"))


def _read_fragment(file: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        content = _bytes(file)
    except (OSError, EOFError) as error:
        raise ValueError(f"{file}: is truncated ({error}); copy it again") from error
    return decode_fragment(content, file)


def decode_fragment(content: bytes, file: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and faces (F, 3) of a fragment.

    It is a count of vertices, their positions as float32, and three uint32 a triangle, all little-endian.

    Raises
    ------
    ValueError: if it is cut short; the message names the file.
    """
    count = int.from_bytes(content[:4], "little")
    _check_length(file, len(content), count)
    vertices = np.frombuffer(content, "<f4", 3 * count, 4).reshape(-1, 3)
    return vertices, np.frombuffer(content, "<u4", offset=4 + 12 * count).reshape(-1, 3).astype(np.int64)


def _check_length(file: str | Path, length: int, vertices: int) -> None:
    faces_at = 4 + 12 * vertices
    if length < faces_at or (length - faces_at) % 12:
        raise ValueError(
            f"{file}: is truncated or no fragment of the format {FORMAT}: {length} bytes do not hold "
            f"{vertices} vertices and whole triangles; copy it again"
        )


def _mesh_folder(folder: Path, named_by: Path | None = None) -> Path:
    """The folder that the meshes are in, its format checked; one without an `info` is of the first format.

    The `info` of a segmentation names the folder, that of the folder itself, which was `named_by` it, names none.
    """
    file = _file(folder / "info")
    if file is None:
        return folder
    try:
        info = parse_json(_bytes(file))
        kind = info.get("@type", "")
    except (OSError, EOFError, ValueError, AttributeError) as error:
        raise ValueError(f"{file}: is no description of precomputed meshes ({error}); copy it again") from error
    if isinstance(info.get("mesh"), str):
        if named_by is not None:
            raise ValueError(f"{file}: names a folder of meshes, as {named_by} does that names this one; correct one")
        return _mesh_folder(folder / info["mesh"], file)
    if kind not in {FORMAT, ""} or "scales" in info:
        raise ValueError(
            f"{folder}: holds {kind or 'a volume without meshes'}; write the meshes as {FORMAT} (cloud-volume and "
            f"igneous do) or as .ply, or if they have several resolutions name them file://{folder.absolute()}::ID"
        )
    return folder


def _file(path: Path) -> Path | None:
    """The file, or the gzipped one in its place, as cloud-volume writes it."""
    return next((file for file in (path, path.with_name(f"{path.name}.gz")) if file.is_file()), None)


def _bytes(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
