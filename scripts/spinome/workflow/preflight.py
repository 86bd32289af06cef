"""Every input opened once before work starts: headers only, all problems together, each with its remedy."""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spinome.failures import too_many
from spinome.io.atomic import nearest_existing
from spinome.io.cave import read_owners, require_own, require_synapses
from spinome.io.meshes import HDF5, VERTEX_KEYS, hdf5_mesh, mesh_files, read_mesh
from spinome.io.opened_stack import require_voxel_um
from spinome.io.precomputed_meshes import check_fragment
from spinome.io.sources import split_source
from spinome.io.stacks import open_stack
from spinome.io.synapflow import read_boxes
from spinome.io.tables import read_table, require_columns, table_columns
from spinome.io.units import VoxelSize
from spinome.io.volumes import (
    Volume,
    open_labels,
    open_probability,
    open_volume,
    require_same_grid,
    require_voxel_size,
)
from spinome.limits import tell_unlike
from spinome.linking.proofread import DECISION_COLUMNS
from spinome.linking.typing import TYPE_COLUMNS, require_types
from spinome.synapses.density.uniformity import BLOCK_COLUMNS
from spinome.twophoton.truth import DENDRITE_COLUMNS, SPINE_COLUMNS
from spinome.workflow.samples import (
    PATH_COLUMNS,
    VOXEL_NM,
    VOXEL_UM,
    NeuronRow,
    Row,
    RowType,
    StackRow,
    VolumeRow,
    columns_of,
    is_produced,
)

COLUMNS = {
    "truth_spines": SPINE_COLUMNS,
    "dendrites": DENDRITE_COLUMNS,
    "truth_dendrites": DENDRITE_COLUMNS,
    "truth_links": ("orphan", "shaft"),
    "truth_types": TYPE_COLUMNS,
}
LABELS = ("segmentation", "synapses", "vesicles", "mask", "truth_segmentation", "truth_synapses")
# what a size of voxels is asked of; that of the others is the same
SIZED = ("image", "segmentation", "synapses")
MARKED_COLUMNS = ("z_nm", "y_nm", "x_nm")
MESHES = {".npz", *HDF5, ".ply", ".obj", ".stl", ".off", ".gltf", ".glb"}
# how the files of a kind of mesh begin, where they all begin alike
STARTS = {".ply": (b"ply",), ".off": (b"OFF", b"COFF", b"NOFF", b"CNOFF", b"#"), ".glb": (b"glTF",)}
# meshes of a sheet share their unit: so many, evenly spaced, are read whole, and none larger than this
WHOLE_MESHES, WHOLE_MESH_BYTES = 16, 100_000_000
# sections of a map that have more are not looked at before work starts
MOST_SECTION_VOXELS = 100_000_000
# tables of truth are small; one larger than this is read where it is used
SMALL_TABLE_BYTES = 50_000_000
# the modules that say which features the forests take
FOREST_FEATURES = {
    "judge": "spinome.twophoton.judge",
    "synapses": "spinome.synapses.forest.features",
    "agglomeration": "spinome.linking.edge_features",
    "links": "spinome.linking.candidates",
    "typing": "spinome.linking.shape",
}
# opening a file waits for the disk or the network, so many wait at once
THREADS = 16


def check_inputs(
    stacks: Sequence[StackRow],
    volumes: Sequence[VolumeRow],
    neurons: Sequence[NeuronRow],
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
    one line per problem, naming the file, what is wrong and the remedy
    """
    problems = [problem for folder in produced for problem in check_folder(folder)]
    checks = [(_check_tables, stacks), (check_volume, volumes)]
    # a damaged file is reported once, here
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
        own = [_without(row, produced) for row in neurons]
        # neurons may share a table, which is read once
        tables = sorted({row.synapses for row in own if row.synapses})
        owners = dict(zip(tables, pool.map(_owners, tables)))
        for found in pool.map(lambda row: check_neuron(row, owners.get(row.synapses or "")), own):
            problems += found
        meshes = [row.mesh for row in own if row.mesh]
        units = list(pool.map(check_unit, meshes[:: -(-len(meshes) // WHOLE_MESHES)])) if meshes else []
        # a mesh that is bad alone becomes a failed unit; where all are, as in another unit, no work is worth starting
        problems += [problem for found in units for problem in found] if all(units) else []
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


def check_stack(row: StackRow) -> list[str]:
    """Problems of the file of one two-photon stack."""

    def check() -> None:
        voxel_um = require_voxel_um(open_stack(row.path, row.channel, row.voxel_um))
        _require_plausible(row.path, voxel_um, VOXEL_UM, "um")

    return _problems(check, row.path) if row.path else []


def check_volume(row: VolumeRow) -> list[str]:
    """Problems of one EM volume: readable, one grid, one voxel size, labels that are integers."""
    problems: list[str] = []
    opened: dict[str, Volume] = {}
    openers = {"image": open_volume, **dict.fromkeys(LABELS, open_labels), "membrane": _open_membrane}
    for column, opener in openers.items():
        if source := getattr(row, column):
            problems += _problems(partial(_open_into, opened, column, opener, source, row.voxel_nm), source)
    sized = [opened[column] for column in SIZED if column in opened]
    if "membrane" in opened and not row.segmentation:
        sized.append(opened["membrane"])
    problems += [problem for volume in sized for problem in _problems(partial(_check_voxel, volume), volume.source)]
    if opened:
        volumes = list(opened.values())
        problems += _problems(lambda: require_same_grid(volumes), *(volume.source for volume in volumes))
    return problems + _check_tables(row)


def check_neuron(row: NeuronRow, owners: Collection[int] | None = None) -> list[str]:
    """Problems of one neuron: a mesh that is not empty, synapses as they are needed and of this neuron, its truth.

    `owners` are the neurons that its table has synapses of (`read_owners`), read where they are not given.
    """
    problems = _problems(lambda: _check_mesh_header(row.mesh), row.mesh) if row.mesh else []
    if table := row.synapses:
        found = _problems(lambda: require_synapses(table, table_columns(table), row.synapse_voxel_nm), table)
        problems += found or [
            f"neuron {row.neuron}: {problem}" for problem in _problems(partial(_check_own, table, row, owners), table)
        ]
    if row.truth_labels:
        problems += _problems(partial(_check_truth_labels, row.truth_labels), row.truth_labels)
    return problems


def check_unit(mesh: str) -> list[str]:
    """Problems that only the vertices of a mesh tell, above all another unit; a large mesh is left to its own job."""
    path = split_source(mesh)[0]
    if path.is_file() and path.stat().st_size > WHOLE_MESH_BYTES:
        return []
    return _problems(lambda: read_mesh(mesh), mesh)


def check_forest(model: str, hks: Mapping[str, Any]) -> list[str]:
    """Problems of a forest of the neurons branch that is not trained in this run, for these signatures."""
    # imported here, since it takes two seconds that the other branches need not wait
    from spinome.neurons.classify import load_forest

    return _problems(lambda: load_forest(model, hks), model)


def check_configured(config: Mapping[str, Any], stacks: Sequence[StackRow], volumes: Sequence[VolumeRow]) -> list[str]:
    """Problems of the files that the configuration names: models, tables and training images.

    Parameters
    ----------
    config : complete
    stacks, volumes : rows of the sample sheets
    """
    produced = [config["results"], config["resources"]]
    twophoton, synapses = config["twophoton"], config["synapses"]
    training, decisions = twophoton["training"], config["linking"]["proofread"]["decisions"]
    checks: list[tuple[Any, Callable[[], object]]]
    models = {name: path for name, path in config["models"].items() if isinstance(path, str)}
    checks = [(path, partial(_load, name, path)) for name, path in models.items()]
    checks.append((training["start"], lambda: _load("detector", training["start"])))
    checks += [(folder, partial(_check_fields, Path(folder))) for folder in training["fields"]]
    checks.append((decisions, lambda: _check_decisions(decisions, {row.volume for row in volumes})))
    checks += [
        (twophoton["detect"]["boxes"], partial(_check_boxes, twophoton["detect"]["boxes"], row)) for row in stacks
    ]
    tables: list[tuple[Any, Sequence[str]]]
    tables = [(table, MARKED_COLUMNS) for table in synapses["classify"]["marked_vesicles"].values()]
    tables += [(table, BLOCK_COLUMNS) for table in synapses["uniformity"]["block_tables"].values()]
    checks += [(table, partial(_check_numbers, table, columns)) for table, columns in tables]
    given = [(path, check) for path, check in checks if path and not is_produced(path, produced)]
    return list(dict.fromkeys(problem for path, check in given for problem in _problems(check, path)))


def failed_units(table: str | Path) -> list[str]:
    """Lines for the end of a run: how many units failed and why, none where all went through."""
    try:
        failures = pd.read_parquet(table) if Path(table).exists() else pd.DataFrame()
    except (OSError, ValueError) as error:
        return [f"{table}: cannot be read ({error}); how many units failed is not known, remove it and run again"]
    if failures.empty:
        return []
    shown = [f"  {row.step} {row.unit}: {next(iter(row.reason.splitlines()), '')}" for row in failures[:5].itertuples()]
    return [f"{len(failures)} unit(s) failed and are not in the results; {table} has all reasons:", *shown]


def unlike_inputs(table: str | Path, model: str) -> list[str]:
    """Lines for the end of a run: series, volumes or neurons that are unlike what their model was trained on."""
    if not Path(table).exists():
        return []
    try:
        return tell_unlike(pd.read_parquet(table), model)
    except (OSError, ValueError, KeyError) as error:
        return [f"{table}: cannot be read ({error}); whether its inputs are unlike the training data is not known"]


def _without(row: RowType, produced: Sequence[str]) -> RowType:
    """The row without the files that this workflow makes."""
    named = ((column, getattr(row, column)) for column in columns_of(type(row)) if column in PATH_COLUMNS)
    return row.with_files({column: None for column, value in named if value and is_produced(value, produced)})


def _check_own(table: str, row: NeuronRow, owners: Collection[int] | None) -> None:
    require_own(table, read_owners(table) if owners is None else owners, row.root_id)


def _owners(table: str) -> list[int] | None:
    """The neurons that a table has synapses of; None where it cannot be read, which each of its neurons reports."""
    try:
        return read_owners(table)
    except (ValueError, OSError):
        return None


def _problems(check: Callable[[], object], *sources: str) -> list[str]:
    """What a check finds, in a line; whatever a reader stumbles over names the file and is never a traceback."""
    try:
        check()
    except Exception as error:
        message = str(error)
        named = any(source.partition("::")[0] in message for source in sources)
        if named and isinstance(error, ValueError | FileNotFoundError):
            return [message]
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {message}"
        return [f"{sources[0]}: cannot be read ({reason}); copy or export it again"]
    return []


def _open_into(
    opened: dict[str, Volume], column: str, opener: Callable, source: str, voxel_nm: VoxelSize | None
) -> None:
    opened[column] = opener(source, voxel_nm)


def _open_membrane(source: str, voxel_nm: VoxelSize | None) -> Volume:
    """Open a map of probabilities; sections are read only where its type does not say that it is one."""
    volume = open_volume(source, voxel_nm)
    plain = volume.dtype.kind in "fb" or volume.dtype in (np.uint8, np.uint16)
    if not plain and np.prod(volume.shape[1:], dtype=float) <= MOST_SECTION_VOXELS:
        open_probability(source, voxel_nm)
    return volume


def _check_voxel(volume: Volume) -> None:
    _require_plausible(volume.source, require_voxel_size(volume), VOXEL_NM, "nm")


def _require_plausible(source: str, voxel: Sequence[float], limits: tuple[float, float], unit: str) -> None:
    if not all(limits[0] <= size <= limits[1] for size in voxel):
        sizes = " x ".join(f"{size:g}" for size in voxel)
        raise ValueError(
            f"{source}: says that its voxels are {sizes} {unit}, which no microscope makes ({limits[0]:g} to "
            f"{limits[1]:g} {unit}); set voxel_z_{unit}, voxel_y_{unit} and voxel_x_{unit} in the sample sheet"
        )


def _check_tables(row: Row) -> list[str]:
    given = {column: source for column in COLUMNS if (source := getattr(row, column, None))}
    return [
        problem
        for column, source in given.items()
        for problem in _problems(partial(_check_table, row, column, source), source)
    ]


def _check_table(row: Row, column: str, source: str) -> None:
    numbers = [name for name in COLUMNS[column] if name.endswith("_px") or name in ("orphan", "shaft", "segment")]
    _check_numbers(source, numbers, COLUMNS[column])
    if column == "truth_links" and _small_table(source) is not None:
        # ids that floats have rounded name other segments
        read_table(source, integers=COLUMNS[column])
    if column == "truth_types" and (table := _small_table(source)) is not None:
        require_types(source, table)
    if isinstance(row, StackRow):
        _require_timepoint(source, row.timepoint)


def _small_table(source: str) -> pd.DataFrame | None:
    """A table that many rows may name; None where it is too large to be read before work starts."""
    state = Path(source).stat()
    return _read_once(source, state.st_mtime_ns) if state.st_size <= SMALL_TABLE_BYTES else None


@lru_cache(maxsize=64)
def _read_once(source: str, _: int) -> pd.DataFrame:
    return read_table(source)


def _check_numbers(source: str, numbers: Sequence[str], columns: Sequence[str] | None = None) -> None:
    """Raise a ValueError where a table lacks columns, or has no number where a number is needed."""
    require_columns(source, table_columns(source), columns or numbers)
    table = _small_table(source)
    if table is None:
        return
    for column in numbers:
        bad = ~np.isfinite(pd.to_numeric(table[column], errors="coerce").to_numpy(float))
        if bad.any():
            first = int(bad.argmax())
            raise ValueError(
                f"{source}: row {first + 1} of the table, column {column}: {table[column].iloc[first]!r} is no number; "
                f"{bad.sum()} of {len(table)} rows are so, correct them or take them out"
            )


def _require_timepoint(source: str, timepoint: str) -> None:
    table = _small_table(source)
    there = [] if table is None else list(dict.fromkeys(table["timepoint"].astype(str)))
    if table is not None and timepoint not in there:
        raise ValueError(
            f"{source}: has no row of timepoint {timepoint}, it has {', '.join(there[:8]) or 'none'}; write timepoints "
            "as the sample sheet does, or leave the column of this row empty"
        )


def _check_decisions(source: str, volumes: set[str]) -> None:
    _check_numbers(source, ("orphan", "shaft"), DECISION_COLUMNS)
    named = dict.fromkeys(read_table(source, text=["volume"])["volume"])
    if unknown := [name for name in named if name not in volumes]:
        raise ValueError(
            f"{source}: decides on {unknown[0]}, which is no volume of the sample sheet; take its rows out, or add it"
        )


def _check_boxes(source: str, row: StackRow) -> None:
    # any voxel size serves to read them
    read_boxes(source, f"{row.series}.{row.timepoint}", (1.0, 1.0, 1.0))


def _check_fields(folder: Path) -> None:
    # imported here, since it loads what reads images
    from spinome.twophoton.fields import FIELD_TABLES, fields_table, groups_of, read_rows

    source = fields_table(folder)
    columns = FIELD_TABLES[source.name]
    _check_numbers(str(source), [column for column in columns if column.endswith("_px")], columns)
    table = read_rows(source)
    groups_of(table, source)
    if absent := [name for name in table["image"].unique() if not (folder / "images" / name).is_file()]:
        raise ValueError(f"{source}: names {absent[0]}, which is not in {folder / 'images'}; {len(absent)} are absent")


def _check_truth_labels(source: str) -> None:
    """Raise a ValueError where the truth of a neuron holds no labels."""
    if Path(source).suffix == ".npz":
        with zipfile.ZipFile(source) as archive:
            arrays = [member.removesuffix(".npy") for member in archive.namelist()]
        if "label" not in arrays:
            raise ValueError(
                f"{source}: needs an array label (0 shaft, 1 spine, 2 soma), it has {', '.join(arrays)}; write it by "
                "this name"
            )
        return
    # imported here, as in `check_forest`
    from spinome.neurons.truth import read_synapse_truth

    if read_synapse_truth(source).empty:
        raise ValueError(f"{source}: no row is labelled soma, shaft or spine; correct the column tag or label")


def _load(name: str, path: str) -> None:
    """Load a model that the configuration names; imported here, as in `check_forest`."""
    if name == "neurons":
        return  # its signatures matter, too: `check_forest`
    if name == "detector":
        from spinome.twophoton.detector import load_detector

        load_detector(path)
    elif name == "synapses" and path.endswith(".safetensors"):
        from spinome.synapses.network.unet import load_network

        load_network(path)
    elif name == "membranes":
        from spinome.linking.membranes import load_membranes

        load_membranes(path)
    else:
        from spinome.io.models import load_model

        load_model(path, import_module(FOREST_FEATURES[name]).FEATURES)


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
    # an STL file in binary: 80 bytes of any text, the number of triangles, 50 bytes per triangle
    binary = 84 + 50 * int.from_bytes(start[80:84], "little")
    if path.suffix.lower() == ".stl" and size != binary and not start.lstrip().startswith(b"solid"):
        raise ValueError(f"has {size} bytes, its number of triangles makes {binary}")


def _npy_shape(archive: zipfile.ZipFile, member: str) -> tuple[int, ...]:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(stream)[0]
