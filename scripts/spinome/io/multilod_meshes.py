"""Neuroglancer's meshes of several resolutions, of which the finest is read (format `neuroglancer_multilod_draco`).

A mesh is a manifest and fragments that Draco compressed, one per chunk of the volume, in their own files or in shards
(https://github.com/google/neuroglancer, datasource/precomputed/meshes.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import DracoPy
import numpy as np

from spinome.io.sharded import Read, find_value
from spinome.io.untrusted import DESCRIPTION_BYTES, gunzip, integer

FORMAT = "neuroglancer_multilod_draco"
# memory that a vertex and a face take, as they are returned
BYTES_PER_VERTEX, BYTES_PER_FACE = 24, 24


class Manifest(NamedTuple):
    """Of the finest resolution: `corner` (N, 3) of each chunk, `size` (3,) of a chunk, and `lengths` (N,) in bytes.

    `total` is the length of the fragments of all resolutions, which lie one after the other, the finest first.
    """

    corner: np.ndarray
    size: np.ndarray
    lengths: np.ndarray
    total: int


def read_multilod(name: str, info: dict[str, Any], read: Read, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Vertices (V, 3) in nm and faces (F, 3) of a mesh, its fragments one after the other; None where there is none.

    Vertices on the border of two chunks are there twice, at one position.

    Parameters
    ----------
    name : id of the mesh
    info : description of the meshes
    read : reader of their folder
    most : bytes of vertices and faces at most

    Raises
    ------
    ValueError: if the manifest or a fragment is cut short or broken, or the mesh is larger than that.
    """
    sharding = info.get("sharding")
    if not isinstance(sharding, dict | None):
        raise ValueError("the description of its shards is no object; copy `info` again")
    # the format knows 10 and 16 bits
    highest = 2 ** integer(info["vertex_quantization_bits"], "vertex_quantization_bits", 1, 30) - 1
    transform = np.asarray(info.get("transform", [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]), float).reshape(3, 4)
    place, content = None, None
    if sharding:
        place = find_value(int(name), sharding, read)
        if place:
            integer(place.stop - place.start, "the length of a manifest", 0, DESCRIPTION_BYTES)
            content = read(place.file, place.start, place.stop)
        if content and sharding.get("data_encoding", "raw") == "gzip":
            content = gunzip(content, DESCRIPTION_BYTES)
    else:
        content = read(f"{name}.index", None, None)
    if content is None:
        return None
    manifest = parse_manifest(content)
    # in a shard the fragments lie in front of their manifest
    file, start = (place.file, place.start - manifest.total) if place else (name, 0)
    if start < 0:
        raise ValueError(f"mesh {name}: its manifest names fragments in front of the file; copy it again")
    data = read(file, start, start + int(manifest.lengths.sum()))
    if data is None:
        raise ValueError(f"mesh {name}: has a manifest but no file of fragments; copy it again")
    stops, vertices, faces, count = np.cumsum(manifest.lengths), [], [], 0
    for corner, length, stop in zip(manifest.corner, manifest.lengths, stops):
        if length == 0:
            continue
        points, triangles = _decode(data[stop - length : stop], name, most)
        most -= BYTES_PER_VERTEX * len(points) + BYTES_PER_FACE * len(triangles)
        vertices.append(corner + manifest.size * (points / highest))
        faces.append(triangles + count)
        count += len(points)
    if not vertices:
        raise ValueError(f"mesh {name}: is empty; leave the neuron out of the sheet")
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


def draco_counts(content: bytes) -> tuple[int, int]:
    """Numbers of vertices and faces that the header of a Draco mesh announces, which a decoder makes room for.

    After `DRACO` it is a version, the kind (1 is a mesh), the method (0 sequential, 1 edgebreaker) and flags; then come
    the counts as varints, in an order of each method (https://google.github.io/draco/spec).

    Raises
    ------
    ValueError: if it is no mesh, or one written before 2018 or with metadata, whose counts lie elsewhere.
    """
    if content[:5] != b"DRACO" or len(content) < 12 or content[7] != 1 or content[8] > 1:
        raise ValueError("it does not begin as one")
    if tuple(content[5:7]) < (2, 2) or content[10] & 0x80:
        raise ValueError("it is of a version before 2.2 or has metadata")
    first, at = _varint(content, 12 if content[8] else 11)
    second, _ = _varint(content, at)
    # a sequential mesh names its faces first
    return (first, second) if content[8] else (second, first)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        byte = content[at] if at < len(content) else 0x80
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return value, at
    raise ValueError("a count is cut short")


def _decode(content: bytes, name: str, most: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        vertices, faces = draco_counts(content)
        if BYTES_PER_VERTEX * vertices + BYTES_PER_FACE * faces > most:
            raise ValueError(f"it announces {vertices} vertices and {faces} faces, more than {most} bytes hold")
        mesh = DracoPy.decode(content)
        return np.asarray(mesh.points, float).reshape(-1, 3), np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    except Exception as error:
        raise ValueError(f"mesh {name}: a fragment is no Draco mesh that can be read ({error})") from error
