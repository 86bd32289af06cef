"""Neuroglancer's meshes of several resolutions, of which the finest is read (format `neuroglancer_multilod_draco`).

A mesh is a manifest and fragments that Draco compressed, one per chunk of the volume, in their own files or in shards
(https://github.com/google/neuroglancer, datasource/precomputed/meshes.md).
"""

from __future__ import annotations

import gzip
from typing import Any, NamedTuple

import DracoPy
import numpy as np

from spinome.io.sharded import Read, find_value

FORMAT = "neuroglancer_multilod_draco"


class Manifest(NamedTuple):
    """Of the finest resolution: `corner` (N, 3) of each chunk, `size` (3,) of a chunk, and `lengths` (N,) in bytes.

    `total` is the length of the fragments of all resolutions, which lie one after the other, the finest first.
    """

    corner: np.ndarray
    size: np.ndarray
    lengths: np.ndarray
    total: int


def read_multilod(name: str, info: dict[str, Any], read: Read) -> tuple[np.ndarray, np.ndarray] | None:
    """Vertices (V, 3) in nm and faces (F, 3) of a mesh, its fragments one after the other; None where there is none.

    Vertices on the border of two chunks are there twice, at one position.

    Parameters
    ----------
    name : id of the mesh
    info : description of the meshes
    read : reader of their folder

    Raises
    ------
    ValueError: if the manifest or a fragment is cut short or broken.
    """
    sharding = info.get("sharding")
    if sharding:
        place = find_value(int(name), sharding, read)
        content = place and read(place.file, place.start, place.stop)
        if content and sharding.get("data_encoding", "raw") == "gzip":
            content = gzip.decompress(content)
    else:
        content = read(f"{name}.index", None, None)
    if content is None:
        return None
    manifest = parse_manifest(content)
    # in a shard the fragments lie in front of their manifest
    file, start = (place.file, place.start - manifest.total) if sharding else (name, 0)
    data = read(file, start, start + int(manifest.lengths.sum()))
    if data is None:
        raise ValueError(f"mesh {name}: has a manifest but no file of fragments; copy it again")
    highest = 2 ** int(info["vertex_quantization_bits"]) - 1
    stops, vertices, faces, count = np.cumsum(manifest.lengths), [], [], 0
    for corner, length, stop in zip(manifest.corner, manifest.lengths, stops):
        if length == 0:
            continue
        points, triangles = _decode(data[stop - length : stop], name)
        vertices.append(corner + manifest.size * (points / highest))
        faces.append(triangles + count)
        count += len(points)
    if not vertices:
        raise ValueError(f"mesh {name}: is empty; leave the neuron out of the sheet")
    transform = np.asarray(info.get("transform", [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]), float).reshape(3, 4)
    return np.concatenate(vertices) @ transform[:, :3].T + transform[:, 3], np.concatenate(faces)


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ValueError: if it is shorter than it says.
    """
    size, origin = np.frombuffer(content, "<f4", 6).reshape(2, 3).astype(float)
    levels = int.from_bytes(content[24:28], "little")
    # the scale of each level, which is not needed, then the offset of each and the number of its fragments
    offsets = np.frombuffer(content, "<f4", 3 * levels, 28 + 4 * levels).reshape(-1, 3).astype(float)
    numbers = np.frombuffer(content, "<u4", levels, 28 + 16 * levels)
    at, total, finest = 28 + 20 * levels, 0, None
    for number in map(int, numbers):
        places = np.frombuffer(content, "<u4", 3 * number, at).reshape(3, number).T
        lengths = np.frombuffer(content, "<u4", number, at + 12 * number).astype(np.int64)
        finest = finest or (places, lengths)
        total += int(lengths.sum())
        at += 16 * number
    if finest is None:
        raise ValueError("the manifest has no resolution; copy the mesh again")
    return Manifest(origin + offsets[0] + size * finest[0], size, finest[1], total)


def _decode(content: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        mesh = DracoPy.decode(content)
    except Exception as error:
        raise ValueError(f"mesh {name}: a fragment is no Draco mesh ({error}); copy it again") from error
    return np.asarray(mesh.points, float).reshape(-1, 3), np.asarray(mesh.faces, np.int64).reshape(-1, 3)
