"""Neuroglancer's precomputed volumes whose chunks TensorStore decodes but does not read.

Those at a public address, within limits, since it would take whatever a server sends, however much and however slow;
and those in a folder whose files are gzipped, as cloud-volume writes them, since it would take them for absent and
their voxels for 0 (https://github.com/google/neuroglancer, datasource/precomputed/volume.md).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore

from spinome.io.sharded import Read, find_value
from spinome.io.untrusted import DESCRIPTION_BYTES, checked_name, gunzip, integer, json_object
from spinome.io.web.addresses import address_of, public_address, without_password
from spinome.io.web.fetch import fetch
from spinome.io.web.transfer import CONNECTIONS

# largest chunk, unpacked; usual ones are below 16 MB
CHUNK_BYTES = 1 << 29
# what an encoded chunk may have on top
HEADER_BYTES = 1 << 20
# largest number along an axis
FARTHEST = 1 << 40
# reads a chunk by its name and its place in the grid; None for one that is not stored
GetChunk = Callable[[str, Sequence[int]], bytes | None]
# files of a folder that are looked at, to see how they are packed
LOOKED_AT = 1000
# indices of shards that are kept, since neighbouring chunks are found in the same one; each has some kB
KEPT_INDICES = 32


def public_info(address: str) -> dict[str, Any]:
    """The description of a volume.

    Raises
    ------
    DownloadError, ValueError: as `open_public_volume`.
    """
    content = fetch(f"{public_address(address)}/info", most=DESCRIPTION_BYTES)
    if content is None:
        raise ValueError("has no `info`; is it the address of a volume, and public?")
    return json_object(content)


def open_public_volume(address: str, key: str = "") -> tensorstore.TensorStore:
    """Open a scale of a volume for reading, axes x, y, z and channel; nothing but its `info` is fetched.

    Parameters
    ----------
    address : `https://...`, `gs://BUCKET/...` or `s3://BUCKET/...`, with or without `precomputed://` in front
    key : of the scale, by default the first

    Raises
    ------
    DownloadError: if the address is out of reach or sends more or less than is allowed, when it is opened and when a
        chunk is read.
    ValueError: if there is no such volume or scale, or the description or a chunk is damaged.
    """
    public = public_address(address)

    def reader(scale: dict[str, Any], grid: Sequence[int], most: int) -> GetChunk:
        return _chunk_reader(address_of(public, checked_name(scale.get("key"))), scale.get("sharding"), grid, most)

    return _open_chunks(public_info(address), key, reader, without_password(public))


def are_packed(folder: Path, scale: Mapping[str, Any]) -> bool:
    """Whether the chunks of a scale in a folder are files whose names end in `.gz`.

    Raises
    ------
    ValueError: if they are packed in a way that is not read, as their voxels would be taken for 0.
    """
    inside = folder / str(scale.get("key"))
    if scale.get("sharding") or not inside.is_dir():
        return False
    with os.scandir(inside) as files:
        # all are packed alike, and there may be millions
        endings = {Path(file.name).suffix for file in islice(files, LOOKED_AT)}
    unread = endings & {".br", ".zst", ".xz", ".lzma", ".bz2"}
    if unread:
        raise ValueError(f"its chunks are packed as {', '.join(sorted(unread))}; write them unpacked, or as .gz")
    return ".gz" in endings


def open_gzipped_volume(folder: Path, info: dict[str, Any], key: str = "") -> tensorstore.TensorStore:
    """Open a scale of a volume in a folder whose chunks are files, gzipped or not; a chunk without a file is 0.

    Parameters
    ----------
    info : its description
    key : of the scale, by default the first

    Raises
    ------
    ValueError: if there is no such scale, or the description or a chunk is damaged.
    """

    def reader(scale: dict[str, Any], grid: Sequence[int], most: int) -> GetChunk:
        inside = folder / str(scale.get("key"))

        def read(name: str, place: Sequence[int]) -> bytes | None:
            plain, packed = inside / name, inside / f"{name}.gz"
            if plain.is_file():
                return plain.read_bytes()
            return gunzip(packed.read_bytes(), most) if packed.is_file() else None

        return read

    return _open_chunks(info, key, reader, str(folder))


def _open_chunks(
    info: dict[str, Any],
    key: str,
    reader: Callable[[dict[str, Any], Sequence[int], int], GetChunk],
    shown: str,
) -> tensorstore.TensorStore:
    """Open a scale of a volume for reading.

    Parameters
    ----------
    reader : of a scale, its grid of chunks and the most bytes of one, what reads its chunks
    shown : the volume, in messages
    """
    scale = _scale(info, key)
    size = _triple(scale.get("size"), "size", 1)
    origin = _triple(scale.get("voxel_offset", [0, 0, 0]), "voxel_offset", -FARTHEST)
    chunks = scale.get("chunk_sizes")
    if not isinstance(chunks, list) or not chunks:
        raise ValueError("the scale has no chunk_sizes")
    chunk = [min(pair) for pair in zip(_triple(chunks[0], "chunk_sizes", 1), size)]
    channels = integer(info.get("num_channels"), "num_channels", 1, 1 << 10)
    dtype = tensorstore.dtype(str(info.get("data_type")))
    whole = math.prod(chunk) * channels * dtype.numpy_dtype.itemsize
    if whole > CHUNK_BYTES:
        raise ValueError(f"each of its chunks has {whole} bytes, more than the {CHUNK_BYTES} that are read at once")
    grid = [-(-length // step) for length, step in zip(size, chunk)]
    units = [tensorstore.Unit(_number(edge), "nm") for edge in _three(scale.get("resolution"), "resolution")]
    # no encoding makes a chunk longer than twice what it holds, but for a header
    get_chunk = reader(scale, grid, 2 * whole + HEADER_BYTES)
    decode = _decoder(info, {**scale, "chunk_sizes": [chunk]})

    def read(domain: tensorstore.IndexDomain, array: np.ndarray, _: Any) -> None:
        start, stop = domain.inclusive_min[:3], domain.exclusive_max[:3]
        place = [(first - corner) // step for first, corner, step in zip(start, origin, chunk)]
        name = "_".join(f"{first}-{last}" for first, last in zip(start, stop))
        try:
            content = get_chunk(name, place)
            array[...] = 0 if content is None else decode(domain, name, content)
        except ValueError as error:
            raise ValueError(f"{shown}/{scale['key']}: the chunk {name} is damaged ({error})") from error

    return tensorstore.virtual_chunked(
        read,
        dtype=dtype,
        domain=tensorstore.IndexDomain(
            inclusive_min=[*origin, 0], shape=[*size, channels], labels=["x", "y", "z", "channel"]
        ),
        chunk_layout=tensorstore.ChunkLayout(read_chunk_shape=[*chunk, channels], grid_origin=[*origin, 0]),
        dimension_units=[*units, None],
        context=tensorstore.Context({"data_copy_concurrency": {"limit": CONNECTIONS}}),
    )


def _scale(info: dict[str, Any], key: str) -> dict[str, Any]:
    scales = info.get("scales")
    if not isinstance(scales, list) or not scales or not all(isinstance(scale, dict) for scale in scales):
        raise ValueError("its `info` lists no scales, as that of a volume does")
    found = [scale for scale in scales if scale.get("key") == key] if key else scales
    if not found:
        raise ValueError(f"has no scale '{key}'; it has {', '.join(str(scale.get('key')) for scale in scales)}")
    return found[0]


def _three(values: object, name: str) -> list[Any]:
    if not isinstance(values, list) or len(values) != 3:
        raise ValueError(f"{name} is no list of three numbers")
    return values


def _triple(values: object, name: str, low: int) -> list[int]:
    return [integer(value, name, low, FARTHEST) for value in _three(values, name)]


def _number(edge: object) -> float:
    if isinstance(edge, bool) or not isinstance(edge, int | float) or not 0 < edge < FARTHEST:
        raise ValueError(f"resolution has {ascii(edge)[:40]}, which is no size of a voxel in nm")
    return float(edge)


def _chunk_reader(folder: str, sharding: dict[str, Any] | None, grid: Sequence[int], most: int) -> GetChunk:
    """A function that fetches a chunk by its name and its place in the grid; None for one that is not stored."""
    # where a chunk lacks, its voxels are 0: so an answer that is another than 'not found' must not count as that
    absent = (HTTPStatus.NOT_FOUND,)

    def read(name: str, start: int | None = None, stop: int | None = None) -> bytes | None:
        return fetch(address_of(folder, name), start, stop, most=most, absent=absent)

    if sharding is None:
        return lambda name, place: read(name)
    if not isinstance(sharding, dict):
        raise ValueError("the description of its shards is no object")
    indices: Read = lru_cache(KEPT_INDICES)(read)

    def read_from_shard(name: str, place: Sequence[int]) -> bytes | None:
        found = find_value(morton_code(place, grid), sharding, indices)
        if found is None:
            return None
        integer(found.stop - found.start, f"the length of chunk {name}", 0, most)
        content = read(found.file, found.start, found.stop)
        return gunzip(content, most) if content and sharding.get("data_encoding") == "gzip" else content

    return read_from_shard


def morton_code(place: Sequence[int], grid: Sequence[int]) -> int:
    """The number of a chunk in shards: the bits of its place (x, y, z), the lowest first, each axis in its turn.

    An axis has as many bits as its last place in the grid needs.
    """
    code, bits = 0, 0
    for bit in range(max(grid).bit_length()):
        for value, length in zip(place, grid):
            if 1 << bit < length:
                code |= (value >> bit & 1) << bits
                bits += 1
    return code


def _decoder(
    info: dict[str, Any], scale: dict[str, Any]
) -> Callable[[tensorstore.IndexDomain, str, bytes], np.ndarray]:
    """A function that unpacks a chunk: TensorStore reads it from a store in memory that holds nothing else."""
    plain = {name: value for name, value in scale.items() if name != "sharding"}
    description = json.dumps({**info, "scales": [plain]}).encode()
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "memory", "path": "volume/"}}

    def opened(chunks: Mapping[str, bytes] | None = None) -> tensorstore.TensorStore:
        context = tensorstore.Context()
        store = tensorstore.KvStore.open(spec["kvstore"], context=context).result()
        for name, content in {"info": description, **(chunks or {})}.items():
            store.write(name, content).result()
        return tensorstore.open(spec, context=context, open=True, read=True).result()

    def decode(domain: tensorstore.IndexDomain, name: str, content: bytes) -> np.ndarray:
        try:
            return opened({f"{scale['key']}/{name}": content})[domain].read().result()
        except ValueError as error:
            raise ValueError(_without_spec(error)) from error

    try:
        # without a chunk; a description that cannot be followed is told of here
        opened()
    except ValueError as error:
        raise ValueError(f"its `info` describes nothing that can be read: {_without_spec(error)}") from error
    return decode


def _without_spec(error: Exception) -> str:
    """What TensorStore says, without its own description of what it was to do."""
    return str(error).partition(" [tensorstore_spec=")[0]
