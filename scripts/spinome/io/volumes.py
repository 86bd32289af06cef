"""Volumes in and out: OME-Zarr inside; HDF5, Zarr and TIFF read.

A data set inside a file is written `file.h5::name`, a group inside a Zarr store `store.zarr::name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
import zarr

VoxelSize = tuple[float, float, float]


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
        return np.dtype(self.array.dtype)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self.array[key])


def split_source(source: str) -> tuple[Path, str]:
    """Split `file.h5::name` into the path and the name within it (empty where there is none)."""
    path, _, name = str(source).partition("::")
    return Path(path), name


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
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such volume")
    if path.suffix in {".h5", ".hdf5", ".hdf"}:
        array, stored = _open_hdf5(path, name)
    elif path.suffix in {".tif", ".tiff"}:
        array, stored = tifffile.imread(path), None
    elif path.is_dir():
        array, stored = _open_zarr(path, name)
    else:
        raise ValueError(f"{path}: unknown kind of volume; use .zarr, .h5::name or .tif")
    if array.ndim != 3:
        raise ValueError(f"{source}: a volume has three axes (z, y, x), this has shape {tuple(array.shape)}")
    return Volume(array, voxel_nm or stored, str(source))


def open_labels(source: str, voxel_nm: VoxelSize | None = None) -> Volume:
    """Open a label volume; see `open_volume`. Raises ValueError where the voxels are not integers or booleans."""
    volume = open_volume(source, voxel_nm)
    if volume.dtype.kind not in "iub":
        raise ValueError(f"{source}: labels must be integers, these are {volume.dtype}; convert them with astype")
    return volume


def require_voxel_size(volume: Volume) -> VoxelSize:
    """Return the size of a voxel (z, y, x) in nm, or raise a ValueError that names the columns that set it."""
    if volume.voxel_nm is None:
        raise ValueError(
            f"{volume.source}: has no voxel size; set voxel_z_nm, voxel_y_nm and voxel_x_nm in the sample sheet"
        )
    return volume.voxel_nm


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


def write_volume(
    path: str | Path,
    data: np.ndarray,
    voxel_nm: VoxelSize,
    chunks: tuple[int, int, int] = (32, 256, 256),
    name: str = "",
) -> None:
    """Write a whole array (Z, Y, X) as an OME-Zarr volume."""
    create_volume(path, data.shape, data.dtype, voxel_nm, chunks, name)[:] = data


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
    scales = node.attrs.get("multiscales")
    if not scales:
        inside = ", ".join(key for key, _ in node.members())
        raise ValueError(
            f"{path}: is a Zarr group without multiscales metadata; write {path}::NAME with one of {inside}"
        )
    dataset = scales[0]["datasets"][0]
    unit = {axis.get("unit") for axis in scales[0].get("axes", [])}
    scale = next((t["scale"] for t in dataset.get("coordinateTransformations", []) if t["type"] == "scale"), None)
    factor = {"nanometer": 1.0, "micrometer": 1000.0}.get(next(iter(unit), None)) if len(unit) == 1 else None
    size = None if scale is None or factor is None else tuple(float(value) * factor for value in scale[-3:])
    return node[dataset["path"]], size
