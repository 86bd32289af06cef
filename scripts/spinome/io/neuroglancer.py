"""Layers for Neuroglancer: points with a tag and a probability, in its precomputed annotation format.

The folder is served over HTTP and opened as `precomputed://URL`
(https://github.com/google/neuroglancer, datasource/precomputed/annotations.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorstore

from spinome.io.atomic import atomic

# properties of four bytes come first, and a point takes a multiple of four bytes; the description lists them in the
# same order, since cloud-volume goes by that
POINT = np.dtype(
    {
        "names": ["position", "probability", "tag"],
        "formats": [("<f4", 3), "<f4", "u1"],
        "offsets": [0, 12, 16],
        "itemsize": 20,
    }
)
# all points in one file, since a file each is too many for a file system and 100,000 neurons
ONE_SHARD = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "preshift_bits": 0,
    "hash": "identity",
    "minishard_bits": 0,
    "shard_bits": 0,
    "minishard_index_encoding": "gzip",
    "data_encoding": "raw",
}


def write_points(
    folder: str | Path,
    ids: np.ndarray,
    points_nm: np.ndarray,
    tag: np.ndarray,
    probability: np.ndarray,
    tags: Sequence[str],
) -> None:
    """Write points as a layer with the properties `tag` and `probability`.

    Parameters
    ----------
    folder : folder of the layer
    ids : (N,) integers from 0, each once
    points_nm : (N, 3) x y z
    tag : (N,) codes; probability : (N,) of the tag
    tags : names of the codes

    Raises
    ------
    ValueError: if an id is negative or there twice.
    """
    ids = np.asarray(ids, np.int64)
    if len(np.unique(ids)) < len(ids) or (ids < 0).any():
        raise ValueError(f"{folder}: points need ids from 0, each once; give each row of the table its own id")
    # a viewer that shows a part of the points takes the first ones, which should be a fair sample
    order = np.random.default_rng(0).permutation(len(ids))
    encoded = np.zeros(len(ids), POINT)
    encoded["position"], encoded["tag"], encoded["probability"] = points_nm, tag, probability
    ids, encoded = ids[order].astype("<u8"), encoded[order]
    with atomic(folder) as part:
        (part / "spatial").mkdir(parents=True)
        (part / "info").write_text(json.dumps(_description(points_nm, tags), indent=1))
        count = np.uint64(len(ids)).astype("<u8")
        (part / "spatial" / "0_0_0").write_bytes(count.tobytes() + encoded.tobytes() + ids.tobytes())
        _write_by_id(part / "by_id", ids, encoded)


def _description(points_nm: np.ndarray, tags: Sequence[str]) -> dict:
    points = points_nm if len(points_nm) else np.zeros((1, 3))
    low, high = np.floor(points.min(axis=0)), np.floor(points.max(axis=0)) + 1
    return {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": {axis: [1e-9, "m"] for axis in "xyz"},
        "lower_bound": low.tolist(),
        "upper_bound": high.tolist(),
        "annotation_type": "POINT",
        "properties": [
            {"id": "probability", "type": "float32"},
            {"id": "tag", "type": "uint8", "enum_values": list(range(len(tags))), "enum_labels": list(tags)},
        ],
        "relationships": [],
        "by_id": {"key": "by_id", "sharding": ONE_SHARD},
        "spatial": [
            {
                "key": "spatial",
                "grid_shape": [1, 1, 1],
                "chunk_size": (high - low).tolist(),
                "limit": max(1, len(points_nm)),
            }
        ],
    }


def _write_by_id(folder: Path, ids: np.ndarray, encoded: np.ndarray) -> None:
    store = tensorstore.KvStore.open(
        {
            "driver": "neuroglancer_uint64_sharded",
            "metadata": ONE_SHARD,
            "base": {"driver": "file", "path": f"{folder.resolve()}/"},
        }
    ).result()
    with tensorstore.Transaction() as transaction:
        shard = store.with_transaction(transaction)
        for name, point in zip(ids.tolist(), encoded):
            shard.write(name.to_bytes(8, "big"), point.tobytes())
