"""Where a value lies in Neuroglancer's sharded format `neuroglancer_uint64_sharded_v1`: many values, few files.

A shard holds values one after the other, found by a table in two steps
(https://github.com/google/neuroglancer, datasource/precomputed/sharded.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinome.io.untrusted import DESCRIPTION_BYTES, gunzip, integer

# reads bytes `start` to `stop` of a file by its name, all of it where both are None; None where there is no such file
Read = Callable[[str, int | None, int | None], bytes | None]
MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Place:
    """A value in a shard: bytes `start` to `stop` of `file`."""

    file: str
    start: int
    stop: int


def find_value(key: int, sharding: dict[str, Any], read: Read) -> Place | None:
    """The place of the value of a key, or None where there is none.

    Parameters
    ----------
    sharding : the description in the `info` file
    read : reader of the folder of the shards

    Raises
    ------
    ValueError: if the description is of another format, or an index is damaged or names bytes that cannot be.
    """
    integer(key, "the id", 0, (1 << 64) - 1)
    if sharding.get("@type") != "neuroglancer_uint64_sharded_v1" or sharding.get("hash") not in HASHES:
        raise ValueError(f"sharded as {sharding.get('@type')} by {sharding.get('hash')}, which cannot be read")
    shard_bits = integer(sharding["shard_bits"], "shard_bits", 0, 64)
    minishard_bits = integer(sharding["minishard_bits"], "minishard_bits", 0, 32)
    number = HASHES[sharding["hash"]](key >> integer(sharding["preshift_bits"], "preshift_bits", 0, 64))
    minishard = number & ((1 << minishard_bits) - 1)
    shard = (number >> minishard_bits) & ((1 << shard_bits) - 1)
    file = f"{shard:0{-(-shard_bits // 4)}x}.shard"
    # all places are counted from the end of the shard's index
    base = 16 << minishard_bits
    entry = read(file, 16 * minishard, 16 * minishard + 16)
    if entry is None:
        return None
    start, stop = (int(value) for value in np.frombuffer(entry, "<u8", 2))
    if start == stop:
        return None
    integer(stop - start, f"the length of an index in {file}", 1, DESCRIPTION_BYTES)
    index = read(file, base + start, base + stop)
    if index is None:
        raise ValueError(f"{file}: is gone while it is read; try again")
    if sharding.get("minishard_index_encoding", "raw") == "gzip":
        index = gunzip(index, DESCRIPTION_BYTES)
    if len(index) % 24:
        raise ValueError(f"{file}: an index has {len(index)} bytes, which is no multiple of 24; copy it again")
    keys, gaps, sizes = np.frombuffer(index, "<u8").reshape(3, -1)
    found = np.flatnonzero(np.cumsum(keys) == np.uint64(key))
    if not len(found):
        return None
    # a value begins where the one before it ends, and the gap further on; the sum is exact, as one of numpy is not
    stop = base + sum(map(int, gaps[: found[0] + 1])) + sum(map(int, sizes[: found[0] + 1]))
    return Place(file, stop - int(sizes[found[0]]), stop)


def murmur_hash(key: int) -> int:
    """The lower 64 bits of MurmurHash3_x86_128 of a 64-bit integer, seed 0 (Appleby, public domain)."""
    low = _turn((key & MASK) * 0x239B961B & MASK, 15) * 0xAB0E9789 & MASK
    high = _turn((key >> 32 & MASK) * 0xAB0E9789 & MASK, 16) * 0x38B34AE5 & MASK
    # the length of the key, 8 bytes, goes into each of the four words
    words = [low ^ 8, high ^ 8, 8, 8]
    words = _add(words)
    words = _add([_mix(word) for word in words])
    return words[0] | words[1] << 32


HASHES: dict[str, Callable[[int], int]] = {"identity": lambda key: key, "murmurhash3_x86_128": murmur_hash}


def _add(words: list[int]) -> list[int]:
    first = sum(words) & MASK
    return [first, *((word + first) & MASK for word in words[1:])]


def _turn(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & MASK


def _mix(word: int) -> int:
    word = (word ^ word >> 16) * 0x85EBCA6B & MASK
    word = (word ^ word >> 13) * 0xC2B2AE35 & MASK
    return word ^ word >> 16
