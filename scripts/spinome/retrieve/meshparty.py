"""Two MICrONS neurons with their input synapses, from the test data of MeshParty (Apache-2.0)."""

from __future__ import annotations

import io
import json
import pickletools

import h5py
import hdf5plugin  # noqa: F401  registers the Blosc filter that the files are compressed with
import numpy as np
import pandas as pd

from spinome.mesh.surface import Mesh

VOXEL_NM = np.array([4, 4, 40])


def read_mesh(file: io.BytesIO, group: str = "") -> Mesh:
    """Read a mesh, vertices in nm, from a MeshParty HDF5 file; the faces may be stored flat."""
    with h5py.File(file, "r") as content:
        root = content[group] if group else content
        return Mesh(root["vertices"][()], root["faces"][()].reshape(-1, 3))


def read_meshwork_synapses(file: io.BytesIO) -> pd.DataFrame:
    """Read the input synapses in CAVE columns, positions in nm, from a Meshwork HDF5 file.

    The file is a pandas HDF store: blocks of columns of one type, and the three positions of a synapse, in
    voxels of 4 x 4 x 40 nm, as a pickled array of arrays.
    """
    with h5py.File(file, "r") as content:
        group = content["annotations/syn_in/data"]
        columns = {}
        for block in ("block0", "block3"):
            names = [name.decode() for name in group[f"{block}_items"][()]]
            columns.update(zip(names, group[f"{block}_values"][()].T))
        names = [name.decode() for name in group["block2_items"][()]]
        positions = pickled_triples(group["block2_values"][0].tobytes(), (len(columns["id"]), len(names)))
    frame = pd.DataFrame({name: columns[name] for name in ("id", "pre_pt_root_id", "post_pt_root_id", "size")})
    for number, name in enumerate(names):
        for axis, letter in enumerate("xyz"):
            frame[f"{name}_{letter}"] = (positions[:, number, axis] * VOXEL_NM[axis]).astype(float)
    return frame


def read_synapse_positions(file: io.BytesIO) -> pd.DataFrame:
    """Read synapses, in CAVE columns with the row as the id, from a JSON of positions in nm and sizes."""
    content = json.load(file)
    positions = np.asarray(content["positions"], float)
    frame = pd.DataFrame({"id": np.arange(len(positions)), "size": np.asarray(content["sizes"], float)})
    for axis, letter in enumerate("xyz"):
        frame[f"ctr_pt_position_{letter}"] = positions[:, axis]
    return frame


def pickled_triples(pickle: bytes, shape: tuple[int, int]) -> np.ndarray:
    """The numbers of a pickled array (columns, rows) of int64 arrays of three, without unpickling.

    Unpickling can run anything; walking through the opcodes runs nothing.

    Parameters
    ----------
    pickle : the bytes
    shape : (rows, columns) of the table that was pickled

    Returns
    -------
    (rows, columns, 3) int64

    Raises
    ------
    ValueError: if the pickle holds anything but that many arrays of three int64.
    """
    operations = [(operation.name, argument) for operation, argument, _ in pickletools.genops(pickle)]
    names = {argument for name, argument in operations if name == "SHORT_BINUNICODE"}
    blobs = [argument for name, argument in operations if name == "SHORT_BINBYTES" and len(argument) == 24]
    if not {"i8", "<"} <= names or len(blobs) != shape[0] * shape[1]:
        raise ValueError(f"the pickle holds {len(blobs)} arrays of three numbers, not {shape[0]} x {shape[1]}")
    # the outer array (columns, rows) lies in memory column by column where its flag says Fortran order
    fortran = next(name for name, _ in operations if name in {"NEWTRUE", "NEWFALSE"}) == "NEWTRUE"
    triples = np.frombuffer(b"".join(blobs), "<i8").reshape(-1, 3)
    if fortran:
        return triples.reshape(shape[0], shape[1], 3)
    return triples.reshape(shape[1], shape[0], 3).swapaxes(0, 1)
