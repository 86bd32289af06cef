"""Neuroglancer's precomputed meshes of one resolution, from a local folder (format `neuroglancer_legacy_mesh`).

A mesh is a manifest `<id>:0`, which lists fragments, one per chunk of the volume; any file may be gzipped and then
ends in `.gz`. Positions are in nm (https://github.com/google/neuroglancer, datasource/precomputed/meshes.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spinome.io.untrusted import DESCRIPTION_BYTES, checked_name, gunzip, json_object

FORMAT = "neuroglancer_legacy_mesh"
# largest fragment, unpacked: one of a chunk of 1,024 voxels in each direction has a tenth of this
FRAGMENT_BYTES = 1 << 32
# a neuron of a whole brain has some ten thousand fragments
MOST_FRAGMENTS = 1_000_000


def fragment_files(folder: Path, name: str) -> list[Path]:
    """The files that a mesh is made of, its manifest first.

    Parameters
    ----------
    folder : folder of meshes, or of the segmentation whose `info` names the folder of its meshes
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
        fragments = fragment_names(_bytes(manifest, DESCRIPTION_BYTES))
    except (OSError, ValueError) as error:
        raise ValueError(f"{manifest}: is no list of fragments ({error}); copy it again") from error
    if not fragments:
        raise ValueError(f"{manifest}: the mesh is empty, it lists no fragment; leave the neuron out of the sheet")
    files = [_file(meshes / fragment) for fragment in fragments]
    lacking = [fragment for fragment, file in zip(fragments, files) if file is None]
    if lacking:
        raise ValueError(
            f"{manifest}: {len(lacking)} of its {len(fragments)} fragments are absent, the first {lacking[0]}; "
            "copy them into the folder"
        )
    return [manifest, *filter(None, files)]


def fragment_names(manifest: bytes) -> list[str]:
    """The files that a manifest lists.

    Raises
    ------
    ValueError: if it is no manifest, or names a file outside of its folder, or more than `MOST_FRAGMENTS`.
    """
    names = json_object(manifest).get("fragments")
    if not isinstance(names, list) or len(names) > MOST_FRAGMENTS:
        raise ValueError(f"it needs a list `fragments` of at most {MOST_FRAGMENTS} names")
    return [checked_name(name) for name in names]


def subfolder_of_meshes(info: dict[str, Any]) -> str | None:
    """The folder that the description of a segmentation names for its meshes; None where it describes meshes.

    Raises
    ------
    ValueError: if it is of a segmentation without meshes, or with meshes outside of its folder.
    """
    folder = info.get("mesh")
    if folder:
        return checked_name(folder.rstrip("/") if isinstance(folder, str) else folder)
    if "scales" in info:
        raise ValueError("is a segmentation without meshes")
    return None


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
        content = _bytes(file, FRAGMENT_BYTES)
    except (OSError, ValueError) as error:
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


def _mesh_folder(folder: Path) -> Path:
    """The folder that the meshes are in, its format checked; one without an `info` is of the first format."""
    info = _info(folder)
    subfolder = info and subfolder_of_meshes(info)
    if subfolder:
        first, folder = folder / "info", folder / subfolder
        info = _info(folder)
        if info and info.get("mesh"):
            raise ValueError(
                f"{folder / 'info'}: names a folder of meshes, as {first} does that names this one; correct one"
            )
    kind = (info or {}).get("@type") or FORMAT
    if kind != FORMAT:
        raise ValueError(
            f"{folder}: holds {kind}; write the meshes as {FORMAT} (cloud-volume and igneous do) or as .ply, or if "
            f"they have several resolutions name them file://{folder.absolute()}::ID"
        )
    return folder


def _info(folder: Path) -> dict[str, Any] | None:
    file = _file(folder / "info")
    if file is None:
        return None
    try:
        info = json_object(_bytes(file, DESCRIPTION_BYTES))
        subfolder_of_meshes(info)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: is no description of precomputed meshes ({error}); copy it again") from error
    return info


def _file(path: Path) -> Path | None:
    """The file, or the gzipped one in its place, as cloud-volume writes it."""
    return next((file for file in (path, path.with_name(f"{path.name}.gz")) if file.is_file()), None)


def _bytes(file: Path, most: int) -> bytes:
    """The content of a file of at most so many bytes, unpacked."""
    if file.stat().st_size > most:
        raise ValueError(f"has {file.stat().st_size} bytes, more than the {most} of any such file")
    return gunzip(file.read_bytes(), most) if file.suffix == ".gz" else file.read_bytes()
