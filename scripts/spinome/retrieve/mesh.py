"""Neuroglancer's precomputed meshes from a public address, of one resolution or the finest of several."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from spinome.io.multilod_meshes import FORMAT as MULTILOD
from spinome.io.multilod_meshes import read_multilod
from spinome.io.precomputed_meshes import FORMAT as LEGACY
from spinome.io.precomputed_meshes import decode_fragment
from spinome.io.sharded import Read
from spinome.retrieve.download import at_mirror, fetch

# buckets that anyone may read, by the scheme of their addresses
BUCKETS = {"gs": "https://storage.googleapis.com/{}", "s3": "https://{}.s3.amazonaws.com"}
# most fragments are small, so that many wait for the network at once
THREADS = 16


def retrieve_mesh(address: str, base_url: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Fetch a mesh.

    Parameters
    ----------
    address : `ADDRESS::ID` of the meshes or of the segmentation whose `info` names them: `https://...`, `http://...`,
        `gs://BUCKET/...`, `s3://BUCKET/...` or `file:///...`, with or without `precomputed://` in front
    base_url : mirror that takes the place of scheme and host

    Returns
    -------
    vertices (V, 3) in nm and faces (F, 3); vertices on the border of two chunks are there twice

    Raises
    ------
    DownloadError: if the address is out of reach.
    ValueError: if there is no such mesh, or it is of another format or broken; the message names the address.
    """
    folder, _, name = address.rpartition("::")
    folder = public_address(folder)
    folder = folder if folder.startswith("file:") else at_mirror(folder, base_url)
    try:
        folder, info = _mesh_folder(folder)
        kind = info.get("@type") or LEGACY
        if kind == MULTILOD:
            mesh = read_multilod(name, info, _reader(folder))
        elif kind == LEGACY:
            mesh = _read_legacy(name, _reader(folder))
        else:
            raise ValueError(f"holds meshes of the format {kind}; {LEGACY} and {MULTILOD} are read")
    except KeyError as error:
        raise ValueError(f"{folder}: the description of its meshes lacks {error}") from error
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{folder}: {error}") from error
    if mesh is None:
        raise ValueError(f"{folder}: has no mesh {name}; check the id and its version of the segmentation")
    return mesh


def public_address(address: str) -> str:
    """The http address of a folder, without a slash at its end; a `file:` address stays one."""
    address = address.removeprefix("precomputed://").rstrip("/")
    scheme, _, rest = address.partition("://")
    if scheme in BUCKETS:
        bucket, _, path = rest.partition("/")
        return f"{BUCKETS[scheme].format(bucket)}/{path}"
    return address


def _reader(folder: str) -> Read:
    """A function that reads the files of a folder, or part of one, and their gzipped form where that alone is there."""

    def read(name: str, start: int | None = None, stop: int | None = None) -> bytes | None:
        get = _from_file if folder.startswith("file:") else fetch
        content = get(f"{folder}/{name}", start, stop)
        if content is None and start is None:
            content = get(f"{folder}/{name}.gz", None, None)
            content = content and gzip.decompress(content)
        return content

    return read


def _from_file(address: str, start: int | None, stop: int | None) -> bytes | None:
    path = Path(unquote(urlsplit(address).path))
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        stream.seek(start or 0)
        return stream.read() if stop is None else stream.read(stop - (start or 0))


def _mesh_folder(folder: str) -> tuple[str, dict[str, Any]]:
    """The folder that the meshes are in and its description, which is empty where there is none."""
    content = _reader(folder)("info")
    if content is None:
        return folder, {}
    info = json.loads(content)
    if "scales" not in info:
        return folder, info
    if not info.get("mesh"):
        raise ValueError("is a segmentation without meshes")
    return _mesh_folder(f"{folder}/{info['mesh']}")


def _read_legacy(name: str, read: Read) -> tuple[np.ndarray, np.ndarray] | None:
    manifest = read(f"{name}:0")
    if manifest is None:
        return None
    names = json.loads(manifest)["fragments"]
    if not names:
        raise ValueError(f"mesh {name} is empty, it lists no fragment; leave the neuron out of the sheet")
    with ThreadPoolExecutor(THREADS) as pool:
        contents = list(pool.map(read, names))
    lacking = [fragment for fragment, content in zip(names, contents) if content is None]
    if lacking:
        raise ValueError(f"{len(lacking)} of {len(names)} fragments of mesh {name} are absent, the first {lacking[0]}")
    parts = [decode_fragment(content, fragment) for fragment, content in zip(names, contents)]
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts[:-1])])
    return (
        np.concatenate([vertices for vertices, _ in parts]),
        np.concatenate([faces + start for (_, faces), start in zip(parts, starts)]),
    )
