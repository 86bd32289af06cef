"""Neuroglancer's precomputed meshes from a public address, of one resolution or the finest of several."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from spinome.io.meshes import check_mesh, write_mesh
from spinome.io.multilod_meshes import FORMAT as MULTILOD
from spinome.io.multilod_meshes import read_multilod
from spinome.io.precomputed_meshes import FORMAT as LEGACY
from spinome.io.precomputed_meshes import decode_fragment, fragment_names, subfolder_of_meshes
from spinome.io.sharded import Read
from spinome.io.untrusted import DESCRIPTION_BYTES, gunzip, json_object
from spinome.io.web.addresses import address_of, at_mirror, public_address, without_password
from spinome.io.web.fetch import fetch
from spinome.io.web.limits import Allowance
from spinome.io.web.transfer import CONNECTIONS
from spinome.mesh.surface import Mesh


def fetch_mesh(address: str, base_url: str | None, file: str | Path) -> None:
    """Fetch a mesh into a file, and check it; parameters and errors as those of `retrieve_mesh`."""
    vertices, faces = retrieve_mesh(address, base_url)
    check_mesh(vertices, faces, address)
    write_mesh(file, Mesh(vertices, faces))


def retrieve_mesh(
    address: str, base_url: str | None = None, allowance: Allowance | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fetch a mesh.

    Such meshes have no published checksum: what the address serves is what is taken, once its `info`, its manifest and
    its fragments fit each other. No name in them leads out of the folder, and no count in them is believed beyond the
    bytes that came and `max_mesh_gb`.

    Parameters
    ----------
    address : `ADDRESS::ID` of the meshes or of the segmentation whose `info` names them: `https://...`, `http://...`,
        `gs://BUCKET/...`, `s3://BUCKET/...` or `file:///...`, with or without `precomputed://` in front
    base_url : mirror that takes the place of scheme and host
    allowance : limits of the mesh with all of its fragments

    Returns
    -------
    vertices (V, 3) in nm and faces (F, 3); vertices on the border of two chunks are there twice

    Raises
    ------
    DownloadError: if the address is out of reach, or what it sends is larger or slower than is allowed.
    ValueError: if there is no such mesh, or it is of another format or broken; the message names the address.
    """
    allowance = allowance or Allowance(size="max_mesh_gb")
    folder, _, name = address.rpartition("::")
    folder = public_address(folder)
    folder = folder if folder.startswith("file:") else at_mirror(folder, base_url)
    try:
        folder, info = _mesh_folder(folder, allowance)
        kind = info.get("@type") or LEGACY
        if kind == MULTILOD:
            mesh = read_multilod(name, info, _reader(folder, allowance), allowance.max_bytes)
        elif kind == LEGACY:
            mesh = _read_legacy(name, folder, allowance)
        else:
            raise ValueError(f"holds meshes of the format {kind}; {LEGACY} and {MULTILOD} are read")
    except KeyError as error:
        raise ValueError(f"{without_password(folder)}: the description of its meshes lacks {error}") from error
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(f"{without_password(folder)}: {error}") from error
    if mesh is None:
        raise ValueError(
            f"{without_password(folder)}: has no mesh {name}; check the id and its version of the segmentation"
        )
    return mesh


def _reader(folder: str, allowance: Allowance, most: int | None = None) -> Read:
    """A function that reads the files of a folder, or part of one, and their gzipped form where that alone is there.

    What it reads is taken from the allowance; `most` is the largest file.
    """

    def read(name: str, start: int | None = None, stop: int | None = None) -> bytes | None:
        if stop is not None and not 0 <= (start or 0) <= stop:
            raise ValueError(f"bytes {start} to {stop} of {name} are asked for; the file that says so is damaged")
        address = address_of(folder, name)
        get = _from_file if folder.startswith("file:") else fetch
        content = get(address, start, stop, allowance, most)
        if content is None and start is None:
            content = get(f"{address}.gz", None, None, allowance, most)
            if content is not None:
                packed = len(content)
                try:
                    content = gunzip(content, most or allowance.left)
                except ValueError as error:
                    raise ValueError(f"{name}.gz: {error}") from error
                allowance.take(len(content) - packed, address)
        return content

    return read


def _from_file(
    address: str, start: int | None, stop: int | None, allowance: Allowance, most: int | None
) -> bytes | None:
    path = Path(unquote(urlsplit(address).path))
    if not path.is_file():
        return None
    size = path.stat().st_size
    wanted = size if stop is None else stop - (start or 0)
    if (start or 0) + wanted > size or wanted > (most or size):
        raise ValueError(f"{path.name} has {size} bytes, which does not fit its description; copy it again")
    allowance.take(wanted, address)
    with path.open("rb") as stream:
        stream.seek(start or 0)
        return stream.read(wanted)


def _mesh_folder(folder: str, allowance: Allowance) -> tuple[str, dict[str, Any]]:
    """The folder that the meshes are in and its description, which is empty where there is none."""
    first = folder
    for _ in range(allowance.limits.max_depth + 1):
        content = _reader(folder, allowance, DESCRIPTION_BYTES)("info")
        if content is None:
            return folder, {}
        try:
            info = json_object(content)
            subfolder = subfolder_of_meshes(info)
        except ValueError as error:
            raise ValueError(f"{without_password(folder)}/info: {error}") from error
        if subfolder is None:
            return folder, info
        folder = address_of(folder, subfolder)
    raise ValueError(
        f"{without_password(first)}/info: leads to another description more than {allowance.limits.max_depth} times "
        "(retrieve.limits.max_depth); give the address of the meshes themselves"
    )


def _read_legacy(name: str, folder: str, allowance: Allowance) -> tuple[np.ndarray, np.ndarray] | None:
    manifest = _reader(folder, allowance, DESCRIPTION_BYTES)(f"{name}:0")
    if manifest is None:
        return None
    try:
        names = fragment_names(manifest)
    except ValueError as error:
        raise ValueError(f"the manifest {name}:0 cannot be used: {error}") from error
    if not names:
        raise ValueError(f"mesh {name} is empty, it lists no fragment; leave the neuron out of the sheet")
    # most fragments are small, so that many wait for the network at once
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        contents = list(pool.map(_reader(folder, allowance), names))
    lacking = [fragment for fragment, content in zip(names, contents) if content is None]
    if lacking:
        raise ValueError(f"{len(lacking)} of {len(names)} fragments of mesh {name} are absent, the first {lacking[0]}")
    parts = [decode_fragment(content, fragment) for fragment, content in zip(names, contents)]
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts[:-1])])
    return (
        np.concatenate([vertices for vertices, _ in parts]),
        np.concatenate([faces + start for (_, faces), start in zip(parts, starts)]),
    )
