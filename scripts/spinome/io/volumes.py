"""Volumes in and out: OME-Zarr inside; HDF5, Zarr, TIFF and Neuroglancer precomputed read.

A data set inside a file is written `file.h5::name`, a group inside a Zarr store `store.zarr::name`, a scale of a
precomputed volume `folder::key`. A TIFF is one file with all sections, or a folder with a file per section; a
precomputed volume is a folder or a public address. Nothing is read before it is sliced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorstore
import tifffile
import zarr

from spinome.io.ome import read_image, xml_sizes
from spinome.io.public_volumes import open_public_volume, public_info
from spinome.io.sources import is_address, split_source
from spinome.io.tiff import require_whole_tiff
from spinome.io.units import VoxelSize, complete, in_nm

TIFF_SUFFIXES = {".tif", ".tiff"}


@dataclass(frozen=True)
class Volume:
    """An opened volume: `array` (Z, Y, X) is sliced as a numpy array and reads only what is asked for."""

    array: Any
    voxel_nm: VoxelSize | None
    source: str

    @property
    def shape(self) -> tuple[int, int, int]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(getattr(self.array.dtype, "numpy_dtype", self.array.dtype))

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self.array[key])


def open_volume(source: str, voxel_nm: VoxelSize | None = None) -> Volume:
    """Open a volume for reading, without reading its voxels.

    Parameters
    ----------
    source : path, or `path::name`
    voxel_nm : size of a voxel (z, y, x) in nm from the sample sheet; it overrides the file's own

    Raises
    ------
    FileNotFoundError, ValueError: the message names the file, what is wrong and the remedy.
    """
    path, name = split_source(source)
    if is_address(source):
        array, stored = _open_precomputed(source.partition("::")[0], name)
    elif not path.exists():
        raise FileNotFoundError(f"{path}: no such volume")
    elif path.suffix in {".h5", ".hdf5", ".hdf"}:
        array, stored = _open_hdf5(path, name)
    elif path.suffix.lower() in TIFF_SUFFIXES:
        array, stored = _open_tiff(path)
    elif (path / "info").is_file():
        array, stored = _open_precomputed(str(path), name)
    elif path.is_dir() and any(file.suffix.lower() in TIFF_SUFFIXES for file in path.iterdir()):
        array, stored = _open_sections(path)
    elif path.is_dir():
        array, stored = _open_zarr(path, name)
    else:
        raise ValueError(
            f"{path}: unknown kind of volume; use .zarr, .h5::name, .tif or a Neuroglancer precomputed folder"
        )
    array = _SpatialAxes(array) if array.ndim > 3 and set(array.shape[:-3]) == {1} else array
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"{source}: a volume has three filled axes (z, y, x), this has shape {tuple(array.shape)}")
    if np.dtype(getattr(array.dtype, "numpy_dtype", array.dtype)).kind not in "iufb":
        raise ValueError(f"{source}: voxels must be plain numbers, these are {array.dtype}")
    return Volume(array, voxel_nm or stored, str(source))


def open_labels(source: str, voxel_nm: VoxelSize | None = None) -> Volume:
    """Open a label volume; see `open_volume`. Raises ValueError where the voxels are not integers or booleans."""
    volume = open_volume(source, voxel_nm)
    if volume.dtype.kind not in "iub":
        raise ValueError(f"{source}: labels must be integers, these are {volume.dtype}; convert them with astype")
    return volume


def open_probability(source: str, voxel_nm: VoxelSize | None = None) -> Volume:
    """Open a map of probabilities; its slices are float32 in [0, 1].

    Floats are taken as they are, what is not finite as 0. Of integers, 255 or 65,535 is 1; where no value is above 1
    in eight sections spread over the volume, it is a mask of zeros and ones.

    Raises
    ------
    ValueError: as `open_volume`, for signed integers other than masks, and when a slice has floats outside of [0, 1].
    """
    volume = open_volume(source, voxel_nm)
    return Volume(_Probability(volume, _full_scale(volume)), volume.voxel_nm, volume.source)


def _full_scale(volume: Volume) -> int:
    """The value of a stored map that stands for a probability of 1."""
    if volume.dtype.kind in "fb":
        return 1
    sections = np.unique(np.linspace(0, volume.shape[0] - 1, 8).astype(int))
    if all(int(volume[int(z)].max()) <= 1 for z in sections):
        return 1
    if volume.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{volume.source}: holds {volume.dtype}, not probabilities; write floats in [0, 1], uint8, uint16 or a mask"
        )
    return int(np.iinfo(volume.dtype).max)


class _Probability:
    """Slices of a stored map, scaled to [0, 1]."""

    dtype = np.dtype(np.float32)

    def __init__(self, volume: Volume, full_scale: int) -> None:
        self._volume, self._full_scale = volume, full_scale
        self.shape = volume.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        values = self._volume[key].astype(np.float32)
        if self._volume.dtype.kind != "f":
            return values / np.float32(self._full_scale)
        values = np.nan_to_num(values, nan=0.0)
        low, high = float(values.min(initial=0)), float(values.max(initial=0))
        if low < 0 or high > 1.001:
            raise ValueError(
                f"{self._volume.source}: probabilities lie between 0 and 1, these between {low:g} and {high:g}; "
                "rescale them"
            )
        return values.clip(max=1)


def require_voxel_size(volume: Volume) -> VoxelSize:
    """Return the size of a voxel (z, y, x) in nm, or raise a ValueError that names the columns that set it."""
    if volume.voxel_nm is None:
        raise ValueError(
            f"{volume.source}: has no voxel size; set voxel_z_nm, voxel_y_nm and voxel_x_nm in the sample sheet"
        )
    return volume.voxel_nm


def require_same_grid(volumes: Iterable[Volume]) -> None:
    """Check that volumes lie on one grid of voxels.

    Raises
    ------
    ValueError: if two differ in shape, or in the size of a voxel where both state one; the message names both.
    """
    first, *others = volumes
    for other in others:
        if other.shape != first.shape:
            raise ValueError(
                f"{other.source}: has shape {other.shape}, {first.source} has {first.shape}; "
                "volumes of one row of the sample sheet must have one shape"
            )
        if first.voxel_nm and other.voxel_nm and not np.allclose(first.voxel_nm, other.voxel_nm, rtol=1e-3):
            raise ValueError(
                f"{other.source}: has voxels of {other.voxel_nm} nm, {first.source} of {first.voxel_nm} nm; "
                "correct the file, or set voxel_z_nm, voxel_y_nm and voxel_x_nm in the sample sheet"
            )


def fingerprint(source: str) -> str:
    """What tells one state of a stored volume from another without reading it: path, size and time of change.

    Of a folder the metadata counts, which every writer of a volume writes anew, of a public address its metadata too,
    and of a folder of sections every file.
    """
    path, name = split_source(source)
    if is_address(source):
        return json.dumps([str(source), _read_info(source.partition("::")[0])])
    metadata = [".zattrs", ".zarray", "zarr.json", "info", "0/.zarray", "0/zarr.json"]
    files = [file for part in metadata if (file := path / name / part).is_file()] if path.is_dir() else [path]
    files = files or sorted(file for file in path.iterdir() if file.suffix.lower() in TIFF_SUFFIXES)
    states = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return json.dumps([str(source), states])


def create_volume(
    path: str | Path,
    shape: tuple[int, int, int],
    dtype: Any,
    voxel_nm: VoxelSize,
    chunks: tuple[int, int, int],
    name: str = "",
) -> zarr.Array:
    """Create an OME-Zarr volume (version 0.4 metadata, one scale) and return its array for writing.

    Parameters
    ----------
    path : folder of the store
    shape, chunks : voxels (z, y, x)
    voxel_nm : size of a voxel (z, y, x) in nm
    name : group within the store; several volumes may share one store
    """
    root = zarr.open_group(str(path), mode="a", zarr_format=2)
    group = root.require_group(name) if name else root
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    scale = [{"type": "scale", "scale": [float(size) for size in voxel_nm]}]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "name": name or Path(path).stem,
            "axes": axes,
            "datasets": [{"path": "0", "coordinateTransformations": scale}],
        }
    ]
    chunks = tuple(min(chunk, length) for chunk, length in zip(chunks, shape))
    return group.create_array("0", shape=shape, dtype=dtype, chunks=chunks, fill_value=0, overwrite=True)


def chunks_to_write(path: str | Path) -> zarr.Array:
    """The array of a volume made by `create_volume`; a chunk that is written replaces the earlier one whole."""
    return zarr.open_group(str(path), mode="r+")["0"]


def write_volume(
    path: str | Path,
    data: np.ndarray,
    voxel_nm: VoxelSize,
    chunks: tuple[int, int, int] = (32, 256, 256),
    name: str = "",
) -> None:
    """Write a whole array (Z, Y, X) as an OME-Zarr volume."""
    create_volume(path, data.shape, data.dtype, voxel_nm, chunks, name)[:] = data


class _SpatialAxes:
    """The last three axes of an array whose other axes (time, channel) have one entry."""

    def __init__(self, array: Any) -> None:
        self._array, self._lead = array, (0,) * (array.ndim - 3)
        self.shape, self.dtype, self.ndim = tuple(array.shape[-3:]), array.dtype, 3

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self._array[self._lead + (key if isinstance(key, tuple) else (key,))])


def _open_hdf5(path: Path, name: str) -> tuple[h5py.Dataset, VoxelSize | None]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path}: is not a readable HDF5 file ({error})") from error
    names: list[str] = []
    file.visititems(lambda key, item: names.append(key) if isinstance(item, h5py.Dataset) else None)
    if name not in names:
        raise ValueError(f"{path}: has no data set '{name}'; write {path}::NAME with one of {', '.join(names)}")
    array = file[name]
    size = array.attrs.get("voxel_size_nm_zyx")
    return array, None if size is None else tuple(float(value) for value in size)


def _open_zarr(path: Path, name: str) -> tuple[zarr.Array, VoxelSize | None]:
    try:
        node = zarr.open(str(path / name), mode="r")
    except Exception as error:
        raise ValueError(f"{path}: has no Zarr volume '{name}' ({error})") from error
    if isinstance(node, zarr.Array):
        return node, None
    image = read_image(node, path)
    return image.array, complete(in_nm(*size) for size in image.sizes[-3:])


def _open_tiff(path: Path) -> tuple[zarr.Array, VoxelSize | None]:
    require_whole_tiff(path)
    try:
        file = tifffile.TiffFile(path)
        array = zarr.open(file.series[0].aszarr(level=0), mode="r")
    except Exception as error:
        raise ValueError(f"{path}: is not a readable TIFF; it may be empty or cut short ({error})") from error
    return array, complete(in_nm(*size) for size in xml_sizes(file.ome_metadata))


def _open_sections(path: Path) -> tuple[zarr.Array, None]:
    """A folder with one TIFF a section, in the natural order of their names."""
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in TIFF_SUFFIXES)
    files.sort(key=lambda file: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", file.name)])
    pages = []
    for file in files:
        require_whole_tiff(file)
        with tifffile.TiffFile(file) as section:
            pages.append((section.series[0].shape, section.series[0].dtype))
        if pages[-1] != pages[0]:
            raise ValueError(
                f"{file}: is a section of {pages[-1][0]} {pages[-1][1]}, {files[0].name} of {pages[0][0]} "
                f"{pages[0][1]}; all sections of a folder must be alike"
            )
    return zarr.open(tifffile.imread(files, aszarr=True), mode="r"), None


def _read_info(address: str) -> str:
    """The metadata of a precomputed volume: a folder, or a public address."""
    if _is_public(address):
        return json.dumps(public_info(address))
    store = tensorstore.KvStore.open(_kvstore(address)).result()
    return store.read("info").result().value.decode()


def _is_public(address: str) -> bool:
    return is_address(address) and not address.startswith("file:")


def _kvstore(address: str) -> dict[str, str] | str:
    if is_address(address):
        return address.rstrip("/") + "/"
    return {"driver": "file", "path": str(Path(address).resolve()) + "/"}


def _open_local_precomputed(address: str, name: str) -> tensorstore.TensorStore:
    scales = [scale["key"] for scale in json.loads(_read_info(address))["scales"]]
    if name and name not in scales:
        raise ValueError(f"has no scale '{name}'; write {address}::KEY with one of {', '.join(scales)}")
    return tensorstore.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": _kvstore(address),
            "scale_index": scales.index(name) if name else 0,
        },
        open=True,
        read=True,
    ).result()


def _open_precomputed(address: str, name: str) -> tuple[tensorstore.TensorStore, VoxelSize]:
    try:
        store = (open_public_volume if _is_public(address) else _open_local_precomputed)(address, name)
    except Exception as error:
        raise ValueError(f"{address}: is not a readable Neuroglancer precomputed volume ({error})") from error
    if store.domain["channel"].size != 1:
        raise ValueError(f"{address}: has {store.domain['channel'].size} channels; a volume has one")
    first = store[tensorstore.d["channel"][store.domain["channel"].inclusive_min]]
    spatial = first[tensorstore.d["z", "y", "x"].transpose[:]][tensorstore.d[:].translate_to[0]]
    return spatial, tuple(float(unit.multiplier) for unit in spatial.dimension_units)
