"""Every input opened once before work starts: headers only, all problems together, each with its remedy."""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spinome.io.atomic import nearest_existing
from spinome.io.cave import read_owners, require_own, require_synapses
from spinome.io.meshes import HDF5, VERTEX_KEYS, hdf5_mesh, mesh_files, read_mesh
from spinome.io.precomputed_meshes import check_fragment
from spinome.io.sources import split_source
from spinome.io.stack import require_voxel_um
from spinome.io.stacks import open_stack
from spinome.io.tables import require_columns, table_columns, table_kind
from spinome.io.volumes import open_labels, open_volume, require_same_grid, require_voxel_size
from spinome.samples import EMVolume, Neuron, Row, Stack
from spinome.shards import too_many
from spinome.twophoton.truth import DENDRITE_COLUMNS, SPINE_COLUMNS

COLUMNS = {
    "truth_spines": SPINE_COLUMNS,
    "dendrites": DENDRITE_COLUMNS,
    "truth_dendrites": DENDRITE_COLUMNS,
    "truth_links": ("orphan", "shaft"),
}
LABELS = ("segmentation", "synapses", "mask", "truth_segmentation", "truth_synapses")
PROBABILITIES = ("membrane", "vesicles")
MESHES = {".npz", *HDF5, ".ply", ".obj", ".stl", ".off", ".gltf", ".glb"}
# how the files of a kind of mesh begin, where they all begin alike
STARTS = {".ply": (b"ply",), ".off": (b"OFF", b"COFF", b"NOFF", b"CNOFF", b"#"), ".glb": (b"glTF",)}
# meshes of a sheet share their unit: so many, evenly spaced, are read whole, and none larger than this
WHOLE_MESHES, WHOLE_MESH_BYTES = 16, 100_000_000
# opening a file waits for the disk or the network, so many wait at once
THREADS = 16


def check_inputs(
    stacks: Sequence[Stack],
    volumes: Sequence[EMVolume],
    neurons: Sequence[Neuron],
    produced: Sequence[str],
    max_failed_fraction: float = 0.0,
) -> list[str]:
    """Open what the sample sheets name, and check that the folders of results can be written.

    Parameters
    ----------
    stacks, volumes, neurons : rows of the sample sheets
    produced : folders that this workflow writes; their files are its own and are not checked
    max_failed_fraction : where no more of the stacks are bad, and not all of them, their sessions are left out of the
        run (as failed units) and a warning is logged instead

    Returns
    -------
    one line a problem, naming the file, what is wrong and the remedy
    """
    problems = [problem for folder in produced for problem in check_folder(folder)]
    checks = [(_check_tables, stacks), (check_volume, volumes)]
    # a damaged file is told of once, here
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with ThreadPoolExecutor(THREADS) as pool:
        bad = [found for found in pool.map(check_stack, (_without(row, produced) for row in stacks)) if found]
        if bad and not too_many(len(bad), len(stacks), max_failed_fraction):
            lines = [problem for found in bad for problem in found]
            logging.getLogger(__name__).warning("left out, the other sessions go on:\n%s", "\n".join(lines))
        else:
            problems += [problem for found in bad for problem in found]
        for check, rows in checks:
            given = (_without(row, produced) for row in rows)
            problems += [problem for found in pool.map(check, given) for problem in found]
        rows = [_without(row, produced) for row in neurons]
        # neurons may share a table, which is read once
        tables = sorted({row.synapses for row in rows if row.synapses})
        owners = dict(zip(tables, pool.map(_owners, tables)))
        for found in pool.map(lambda row: check_neuron(row, owners.get(row.synapses)), rows):
            problems += found
        given = [row.mesh for row in rows if row.mesh]
        found = list(pool.map(check_unit, given[:: -(-len(given) // WHOLE_MESHES)])) if given else []
        # a mesh that is bad alone becomes a failed unit; where all are, as in another unit, no work is worth starting
        problems += [problem for own in found for problem in own] if all(found) else []
    return list(dict.fromkeys(problems))


def check_folder(folder: str | Path) -> list[str]:
    """Problems of a folder that is to be written: it, or the nearest folder above it that exists, must allow it."""
    existing = nearest_existing(folder)
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return []
    return [
        f"{existing}: no permission to write here; choose another folder by the keys `results` and `resources`, "
        "or ask for the permission"
    ]


def check_stack(row: Stack) -> list[str]:
    """Problems of the file of one two-photon stack."""
    return _problems(lambda: require_voxel_um(open_stack(row.path, row.channel, row.voxel_um))) if row.path else []


def check_volume(row: EMVolume) -> list[str]:
    """Problems of one EM volume: readable, one grid, one voxel size, labels that are integers."""
    problems, opened = [], []
    for column in ("image", *LABELS, *PROBABILITIES):
        source = getattr(row, column)
        if not source or table_kind(source):
            continue
        opener = open_labels if column in LABELS else open_volume
        problems += _problems(lambda opener=opener, source=source: opened.append(opener(source, row.voxel_nm)))
        if column in PROBABILITIES and opened and opened[-1].source == source and opened[-1].dtype.kind not in "fub":
            problems.append(
                f"{source}: probabilities are floats from 0 to 1 or integers from 0 to 255, these are "
                f"{opened[-1].dtype}; convert them"
            )
    if opened:
        problems += _problems(lambda: require_voxel_size(opened[0]))
        problems += _problems(lambda: require_same_grid(opened))
    return problems + _check_tables(row)


def check_neuron(row: Neuron, owners: Collection[int] | None = None) -> list[str]:
    """Problems of one neuron: a mesh that is there and not empty, synapses with the columns needed and of this neuron.

    `owners` are the neurons that its table has synapses of (`read_owners`), read where they are not given.
    """
    problems = _problems(lambda: _check_mesh_header(row.mesh)) if row.mesh else []
    if row.synapses:
        found = _problems(lambda: require_synapses(row.synapses, table_columns(row.synapses), row.synapse_voxel_nm))
        problems += found or [
            f"neuron {row.neuron}: {problem}" for problem in _problems(lambda: _check_own(row, owners))
        ]
    return problems


def check_unit(mesh: str) -> list[str]:
    """Problems that only the vertices of a mesh tell, above all another unit; a large mesh is left to its own job."""
    path = split_source(mesh)[0]
    if path.is_file() and path.stat().st_size > WHOLE_MESH_BYTES:
        return []
    return _problems(lambda: read_mesh(mesh))


def check_forest(model: str, hks: Mapping[str, Any]) -> list[str]:
    """Problems of a forest of the neurons branch that is not trained in this run, for these signatures."""
    # imported here, since it takes two seconds that the other branches need not wait
    from spinome.neurons.classify import load_forest

    return _problems(lambda: load_forest(model, hks))


def failed_units(table: str | Path) -> list[str]:
    """Lines for the end of a run: how many units failed and why, none where all went through."""
    failures = pd.read_parquet(table) if Path(table).exists() else pd.DataFrame()
    if failures.empty:
        return []
    shown = [f"  {row.step} {row.unit}: {row.reason.splitlines()[0]}" for row in failures.head(5).itertuples()]
    return [f"{len(failures)} unit(s) failed and are not in the results; {table} has all reasons:", *shown]


def _without(row: Row, produced: Sequence[str]) -> Row:
    """The row without the files that this workflow makes."""
    made = {
        column: None
        for column, value in row
        if isinstance(value, str) and any(split_source(value)[0].is_relative_to(folder) for folder in produced)
    }
    return row.model_copy(update=made)


def _check_own(row: Neuron, owners: Collection[int] | None) -> None:
    require_own(row.synapses, read_owners(row.synapses) if owners is None else owners, row.root_id)


def _owners(table: str) -> list[int] | None:
    """The neurons that a table has synapses of; None where it cannot be read, of which each of its neurons is told."""
    try:
        return read_owners(table)
    except (ValueError, OSError):
        return None


def _problems(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except (ValueError, OSError) as error:
        return [str(error)]
    return []


def _check_tables(row: Row) -> list[str]:
    given = {column: getattr(row, column, None) for column in COLUMNS}
    tables = {column: source for column, source in given.items() if source}
    return [
        problem
        for column, source in tables.items()
        for problem in _problems(
            lambda source=source, column=column: require_columns(source, table_columns(source), COLUMNS[column])
        )
    ]


def _check_mesh_header(source: str) -> None:
    path, name = split_source(source)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such mesh")
    if not path.is_dir() and path.suffix.lower() not in MESHES:
        raise ValueError(
            f"{path}: unknown kind of mesh; use one of {', '.join(sorted(MESHES))} or a folder of Neuroglancer meshes"
        )
    files = mesh_files(source)
    for file in files:
        if file.stat().st_size == 0:
            raise ValueError(f"{file}: is an empty file; copy or export the mesh again")
    if path.is_dir():
        for fragment in files[1:]:
            check_fragment(fragment)
    try:
        shapes = _array_shapes(path, name)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: is truncated or no mesh ({error}); copy or export it again") from error
    for array, shape in shapes.items():
        if 0 in shape:
            raise ValueError(f"{path}: the mesh is empty, {array} has shape {shape}; leave the neuron out of the sheet")


def _array_shapes(path: Path, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the vertices and faces of NPZ and HDF5 meshes, from their headers; of other kinds the start is seen."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            arrays = [member.removesuffix(".npy") for member in archive.namelist()]
            vertices = next((key for key in VERTEX_KEYS if key in arrays), None)
            if vertices is None or "faces" not in arrays:
                raise ValueError(
                    f"{path}: needs the arrays vertices_nm and faces, it has {', '.join(arrays)}; write them by these "
                    "names"
                )
            return {array: _npy_shape(archive, f"{array}.npy") for array in (vertices, "faces")}
    if suffix in HDF5:
        with hdf5_mesh(path, name) as group:
            return {array: group[array].shape for array in ("vertices", "faces")}
    if path.is_file():
        _check_start(path)
    return {}


def _check_start(path: Path) -> None:
    """Raise a ValueError where a file does not begin as its suffix says, or has another length than it says."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(84)
    first = STARTS.get(path.suffix.lower())
    if first and not start.lstrip().startswith(first):
        raise ValueError(f"does not begin with {first[0].decode()}")
    if first == STARTS[".glb"] and size != (length := int.from_bytes(start[8:12], "little")):
        raise ValueError(f"has {size} bytes, its header says {length}")
    # an STL file in binary: 80 bytes of any text, the number of triangles, 50 bytes a triangle
    binary = 84 + 50 * int.from_bytes(start[80:84], "little")
    if path.suffix.lower() == ".stl" and size != binary and not start.lstrip().startswith(b"solid"):
        raise ValueError(f"has {size} bytes, its number of triangles makes {binary}")


def _npy_shape(archive: zipfile.ZipFile, member: str) -> tuple[int, ...]:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(stream)[0]
