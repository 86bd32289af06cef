"""Zarr arrays: opened so that a damaged chunk is an error, and written so that damage can be told at all.

TensorStore reads, since zarr-python takes half a blosc chunk and an empty shard for whole ones. What this program
writes is Zarr 3, each chunk with its CRC-32C behind it, and every chunk is there: the array says so in an attribute,
and a chunk that lacks is an error then. In arrays of others it is legal, and holds the fill value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorstore
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

EVERY_CHUNK = "every_chunk_written"
DRIVERS = {2: "zarr", 3: "zarr3"}


def open_array(folder: Path, array: zarr.Array) -> tensorstore.TensorStore | zarr.Array:
    """Open an array for reading, without reading its chunks.

    Parameters
    ----------
    folder : of the array
    array : as zarr-python opened it; it reads what TensorStore cannot, such as arrays packed by LZ4 or filters

    Raises
    ------
    ValueError: where TensorStore cannot open the array and zarr-python would not tell of a chunk that is cut short.
    """
    spec = {
        "driver": DRIVERS[array.metadata.zarr_format],
        "kvstore": _kvstore(folder),
        "fill_missing_data_reads": not array.attrs.get(EVERY_CHUNK, False),
    }
    try:
        return tensorstore.open(spec, open=True, read=True).result()
    except ValueError as error:
        packed = str(array.metadata.to_dict()).lower()
        if "blosc" in packed or "sharding" in packed:
            raise ValueError(
                f"{folder}: cannot be read safely ({error}); write it anew packed by zstd alone"
            ) from error
        return array


def create_array(
    group: zarr.Group, name: str, shape: tuple[int, ...], dtype: Any, chunks: tuple[int, ...], axes: str
) -> zarr.Array:
    """Create an array that tells of damage; whoever creates it writes every chunk of it."""
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        compressors=[ZstdCodec(), Crc32cCodec()],
        fill_value=0,
        dimension_names=tuple(axes),
        attributes={EVERY_CHUNK: True},
        config={"write_empty_chunks": True},
        overwrite=True,
    )


def array_to_write(folder: Path) -> zarr.Array:
    """An array of `create_array`, to write more chunks of; a chunk that is written replaces the earlier one whole."""
    return zarr.open_array(str(folder), mode="r+").with_config({"write_empty_chunks": True})


def tensorstore_to_write(folder: Path) -> tensorstore.TensorStore:
    """The same as TensorStore takes it."""
    spec = {"driver": "zarr3", "kvstore": _kvstore(folder), "store_data_equal_to_fill_value": True}
    spec["fill_missing_data_reads"] = False
    return tensorstore.open(spec, open=True).result()


def write_zeros(folder: Path) -> None:
    """Write every chunk of an array of `create_array` as zeros: of these, all chunks are the same bytes."""
    array = array_to_write(folder)
    first = tuple(slice(0, chunk) for chunk in array.chunks)
    array[first] = np.zeros((), array.dtype)
    files = [folder / array.metadata.encode_chunk_key(place) for place in np.ndindex(array.cdata_shape)]
    zeros = files[0].read_bytes()
    for file in files[1:]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(zeros)


def _kvstore(folder: Path) -> dict[str, Any]:
    return {"driver": "file", "path": f"{folder.resolve()}/", "file_io_sync": False}
