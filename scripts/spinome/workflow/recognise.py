"""What a folder of data holds: stacks, volumes and meshes, as rows of sample sheets, with questions where it is unsure.

Nothing is guessed that changes a result. What a file does not say (a voxel size, a day) stays open: the cell of the
sheet says `?`, which no run accepts, and a question says what to write there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import zarr

from spinome.io.cave import POINT, POSITION
from spinome.io.prairie import prairie_xml
from spinome.io.sections import DATE
from spinome.io.sources import is_address
from spinome.io.stacks import IMAGES, open_stack
from spinome.io.tables import table_columns, table_kind
from spinome.io.volumes import open_volume

OPEN = "?"
HDF5 = {".h5", ".hdf5", ".hdf"}
MESHES = {".ply", ".obj", ".stl", ".off", ".gltf", ".glb"}
# sections of electron microscopes are thinner than this, steps of light microscopes thicker
THINNEST_LIGHT_NM = 150.0
# so many sections are looked at to tell labels from grey values
LOOKED_AT = 3
# what volumes hold that no branch reads
NO_COLUMN = ("mitochondri", "nucle", "myelin")
SESSION = re.compile(r"(?i)(?:^|[-_. ])(?:tp|t|day|d|session|s|week|w)[-_ ]?(\d{1,4})(?=$|[-_. ])")
WORDS = {
    "truth_segmentation": ("truth", "groundtruth", "gt_"),
    "segmentation": ("seg", "label", "bodies", "neurites"),
    "membrane": ("membrane", "boundar", "affinit"),
    "synapses": ("syn", "psd", "cleft"),
    "vesicles": ("vesicle",),
    "mask": ("mask",),
}


@dataclass
class Found:
    """Rows of sample sheets by kind (`stacks`, `volumes`, `neurons`), and what a person is asked."""

    rows: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {"stacks": [], "volumes": [], "neurons": []})
    questions: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def recognise(sources: Iterable[str | Path]) -> Found:
    """Look at folders, files and public addresses, and say what is in them.

    Parameters
    ----------
    sources : folders are walked; a Neuroglancer volume may be an address, and a mesh an address with `::ID`

    Raises
    ------
    FileNotFoundError: if a folder or file is absent
    """
    found = Found()
    tables: list[Path] = []
    sessions: list[tuple] = []
    volumes: list[tuple] = []
    for source in sources:
        if is_address(str(source)):
            _take_address(found, str(source))
            continue
        if not Path(source).exists():
            raise FileNotFoundError(f"{source}: no such folder or file")
        for path in _entries(Path(source)):
            kind = _kind(path)
            if kind == "mesh":
                found.rows["neurons"].append({"neuron": _core(_name(path.stem)), "mesh": str(path)})
            elif kind == "table":
                tables.append(path)
            elif kind == "image":
                _take_image(found, path, sessions, volumes)
            elif kind == "precomputed":
                _take_precomputed(found, path, volumes)
            elif kind == "hdf5":
                volumes += [(path, f"{path}::{name}", name) for name in _data_sets(path)]
            elif not path.name.startswith("."):
                found.passed_over.append(str(path))
    _name_sessions(found, sessions)
    _join_volumes(found, volumes)
    _join_synapses(found, tables)
    for kind, key in (("neurons", "neuron"), ("volumes", "volume")):
        _make_unique(found.rows[kind], key)
    return found


def _entries(source: Path) -> Iterator[Path]:
    """Files, and those folders that are one thing: a store, a precomputed volume, a Prairie folder, slices."""
    if source.is_file() or _is_one(source):
        yield source
        return
    for path in sorted(source.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield from _entries(path)
        elif path.is_file():
            yield path


def _is_one(folder: Path) -> bool:
    if any((folder / name).is_file() for name in ("info", ".zgroup", ".zarray", ".zattrs", "zarr.json")):
        return True
    if prairie_xml(folder) is not None:
        return True
    return _is_slices(folder)


def _is_slices(folder: Path) -> bool:
    """Whether a folder holds single images in numbered order and nothing else of interest: the slices of one stack."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    images = [path for path in files if path.suffix.lower() in IMAGES]
    if len(images) < 3 or len(images) < len(files) - 1 or any(DATE.search(path.stem) for path in images):
        return False
    if all(SESSION.search(path.stem) for path in images):
        # `day_3` or `tp2` counts sessions: flat images of several days would be smeared if they were made one stack
        return False
    try:
        return open_stack(images[0], voxel_um=(1, 1, 1)).shape[0] == 1 and open_stack(folder).shape[0] == len(images)
    except (ValueError, OSError):
        return False


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if (path / "info").is_file():
        return "precomputed"
    if path.is_dir() or suffix in IMAGES or suffix == ".nwb":
        return "image"
    if suffix in HDF5:
        with h5py.File(path) as file:
            return "mesh" if {"vertices", "faces"} <= set(file) else "hdf5"
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as data:
            return "mesh" if "faces" in data.files else ""
    if suffix in MESHES:
        return "mesh"
    return "table" if table_kind(path) else ""


def _data_sets(path: Path) -> list[str]:
    """Names of the three-dimensional data sets of an HDF5 file."""
    names = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) and item.ndim == 3 else None
        )
    return names


def _take_address(found: Found, address: str) -> None:
    name = address.rpartition("::")[2]
    if "::" in address and name.isdigit():
        found.rows["neurons"].append({"neuron": name, "mesh": address})
    else:
        found.rows["volumes"].append({"volume": _name(address.rstrip("/").rpartition("/")[2]), "image": address})
        found.questions.append(
            f"{address}: taken as grey values; move it to the column `segmentation` of volumes.tsv if it holds segments"
        )


def _take_precomputed(found: Found, path: Path, volumes: list) -> None:
    try:
        info = json.loads((path / "info").read_text())
    except ValueError:
        found.passed_over.append(str(path))
        return
    if str(info.get("@type", "")).endswith("mesh") or "mesh" in str(info.get("@type", "")):
        ids = sorted({name.name.partition(":")[0] for name in path.iterdir() if name.name[:1].isdigit()})
        found.rows["neurons"] += [{"neuron": name, "mesh": f"{path}::{name}"} for name in ids]
    else:
        volumes.append((path, str(path), info.get("type", "")))


def _take_image(found: Found, path: Path, sessions: list, volumes: list) -> None:
    """A stack of a light microscope or a volume of an electron microscope, by the size of its voxels."""
    stores = _groups(path) if path.is_dir() and path.suffix == ".zarr" else [""]
    for group in stores:
        source = f"{path}::{group}" if group else str(path)
        try:
            stack = open_stack(source, channel=0)
        except (ValueError, OSError):
            try:
                open_volume(source)
            except (ValueError, OSError) as error:
                found.passed_over.append(f"{source} ({error})")
                continue
            volumes.append((path, source, group or path.stem))
            continue
        z_nm = 1000 * stack.voxel_um[0] if stack.voxel_um else None
        labelled = stack.dtype.kind in "iu" and stack.dtype.itemsize >= 4
        if labelled or (z_nm is not None and z_nm < THINNEST_LIGHT_NM):
            volumes.append((path, source, group or path.stem))
        else:
            sessions.append((path, source, stack))


def _groups(store: Path) -> list[str]:
    """The images of a Zarr store: the store itself, or the groups in it that are images."""
    try:
        node = zarr.open_group(str(store), mode="r")
    except Exception:
        return [""]
    if "multiscales" in node.attrs or "ome" in node.attrs:
        return [""]
    return sorted(name for name, _ in node.groups()) or [""]


def _name_sessions(found: Found, sessions: Sequence[tuple]) -> None:
    """Files whose names differ by a date or the number of a session alone are sessions of one field."""
    series: dict[str, list[dict[str, str]]] = {}
    flat: dict[str, list[str]] = {}
    for path, source, stack in sessions:
        stem = path.name.partition(".")[0] if path.is_file() else path.name.removesuffix(".zarr")
        date, session = DATE.search(stem), SESSION.search(stem)
        timepoint, rest, day = "0", stem, "0"
        if date:
            timepoint, rest = "-".join(date.groups()), stem.replace(date.group(0), "")
            day = str((np.datetime64(timepoint) - np.datetime64("2000-01-01")).astype(int))
        elif session:
            timepoint, rest, day = session.group(1), stem[: session.start()] + stem[session.end() :], OPEN
        specimen = _name(rest) or _name(path.parent.name) or "specimen"
        row = {"specimen": specimen, "field": "field", "timepoint": _name(timepoint), "day": day, "path": source}
        if stack.voxel_um is None:
            row |= {"voxel_z_um": OPEN, "voxel_y_um": OPEN, "voxel_x_um": OPEN}
            found.questions.append(
                f"{source}: does not say its voxel size; write it in um into voxel_z_um, voxel_y_um, voxel_x_um"
            )
        if stack.shape[0] == 1:
            flat.setdefault(specimen, []).append(source)
        series.setdefault(specimen, []).append(row)
    for specimen, sources in flat.items():
        if len(sources) == 1:
            found.questions.append(
                f"{sources[0]}: has one slice; leave it where it is a flat image of its own, and name the folder of "
                "the slices where it is one slice of a stack"
            )
        else:
            found.questions.append(
                f"{specimen}: its {len(sources)} images have one slice each, and their names tell sessions; leave them "
                "where each is a flat image of its own day; where they are slices of one stack, name them by slice and "
                "not by day, and give one row with their folder"
            )
    for specimen, rows in series.items():
        if any(row["day"] == OPEN for row in rows):
            found.questions.append(
                f"{specimen}: its sessions {', '.join(row['timepoint'] for row in rows)} have no dates in their names; "
                "write the day of each into the column `day`"
            )
        else:
            # days count from the first session
            first = min(int(row["day"]) for row in rows)
            for row in rows:
                row["day"] = str(int(row["day"]) - first)
        found.rows["stacks"] += rows


def _join_volumes(found: Found, volumes: Sequence[tuple]) -> None:
    """Volumes of one file, store or folder with one shape are columns of one row."""
    groups: dict[tuple, dict[str, str]] = {}
    for path, source, hint in volumes:
        if any(part in f"{path.name} {hint}".lower() for part in NO_COLUMN):
            found.passed_over.append(f"{source} (there is no column for it)")
            continue
        try:
            volume = open_volume(source)
        except (ValueError, OSError) as error:
            found.passed_over.append(f"{source} ({error})")
            continue
        column = _column(f"{path.name} {hint}", volume)
        place = path if path.suffix in {*HDF5, ".zarr"} else path.parent
        row = groups.setdefault((place, volume.shape), {"volume": _name(place.stem)})
        if column in row:
            row = groups.setdefault((path, source), {"volume": _name(f"{place.stem}_{hint}")})
        row[column] = source
        if volume.voxel_nm is None:
            row |= {"voxel_z_nm": OPEN, "voxel_y_nm": OPEN, "voxel_x_nm": OPEN}
            found.questions.append(
                f"{source}: does not say its voxel size; write it in nm into voxel_z_nm, voxel_y_nm, voxel_x_nm"
            )
    for row in groups.values():
        if not row.keys() & {"image", "segmentation"}:
            found.questions.append(f"{row['volume']}: has neither grey values nor a segmentation; name one of them")
        found.rows["volumes"].append(row)


def _column(words: str, volume) -> str:
    """What a volume is, by what it is called and what is in it."""
    words = words.lower()
    named = next((column for column, parts in WORDS.items() if any(part in words for part in parts)), None)
    if named:
        return named
    if volume.dtype.kind == "f":
        return "membrane"
    if volume.dtype.itemsize >= 4:
        return "segmentation"
    depths = np.linspace(0, volume.shape[0] - 1, LOOKED_AT).astype(int)
    # labels have large areas of one value, grey values do not
    flat = np.mean([(np.diff(volume[int(z)].astype(np.int64), axis=-1) == 0).mean() for z in depths])
    return "segmentation" if volume.dtype.itemsize == 2 and flat > 0.9 else "image"


def _join_synapses(found: Found, tables: Sequence[Path]) -> None:
    """A table of synapses belongs to the neuron whose name it bears."""
    for table in tables:
        try:
            columns = set(table_columns(table))
        except (ValueError, OSError) as error:
            found.passed_over.append(f"{table} ({error})")
            continue
        if not ({POINT} <= columns or set(POSITION) <= columns):
            found.passed_over.append(str(table))
            continue
        stem = _name(table.stem)
        owners = [row for row in found.rows["neurons"] if _shared(row["neuron"], stem)]
        for row in owners:
            row["synapses"] = str(table)
            if set(POSITION) <= columns:
                continue
            row |= {f"synapse_voxel_{axis}_nm": OPEN for axis in "xyz"}
            found.questions.append(
                f"{table}: has positions in one column, which CAVE gives in voxels; write their size in nm into "
                "synapse_voxel_x_nm, _y_nm, _z_nm, such as 4, 4, 40"
            )
        if not owners:
            found.questions.append(
                f"{table}: holds synapses of no neuron found here; name it in the column `synapses` of neurons.tsv"
            )


def _shared(neuron: str, table: str) -> bool:
    return neuron in table


def _core(stem: str) -> str:
    """The name of a neuron from that of its mesh."""
    return re.sub(r"[-_](mesh|neuron)$", "", stem)


def _name(text: str) -> str:
    return re.sub(r"[^\w+-]+", "_", text).strip("_-")


def _make_unique(rows: Sequence[dict[str, str]], key: str) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        name = row[key].lower()
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            row[key] = f"{row[key]}_{seen[name]}"
