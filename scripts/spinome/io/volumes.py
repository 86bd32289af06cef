"""Volumes in and out: OME-Zarr inside; HDF5, Zarr, TIFF and Neuroglancer precomputed read.

A data set inside a file is written `file.h5::name`, a group inside a Zarr store `store.zarr::name`, a scale of a
precomputed volume `folder::key`. A TIFF is one file with all sections, or a folder with a file per section; a
precomputed volume is a folder or a public address. Nothing is read before it is sliced.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import h5py
import imagecodecs
import numpy as np
import tensorstore
import tifffile
import zarr

from spinome.io.atomic import final_path
from spinome.io.damage import DamagedError
from spinome.io.hdf5 import data_set
from spinome.io.ome import multiscales, read_image, xml_sizes
from spinome.io.png import png_facts
from spinome.io.public_volumes import are_packed, open_gzipped_volume, open_public_volume, public_info
from spinome.io.pyramid import METHODS, Kind, fill_levels, level_factors
from spinome.io.sections import in_order
from spinome.io.slicing import Box, read_as_numpy
from spinome.io.sources import is_address, split_source
from spinome.io.tiff import Pages, only_image, require_grey, require_pages, require_whole_tiff
from spinome.io.units import VoxelSize, complete, in_nm
from spinome.io.untrusted import json_object
from spinome.io.web.limits import DownloadError
from spinome.io.zarr_arrays import array_to_write, create_array, open_array, write_zeros

TIFF_SUFFIXES, PNG_SUFFIX = {".tif", ".tiff"}, ".png"
# what a folder of Zarr 3 or 2 has at its top; pictures beside it are none of its sections
ZARR_METADATA = ("zarr.json", ".zgroup", ".zarray")
# of a data set: the size of a voxel along z, y and x in nm
HDF5_SIZE = "voxel_size_nm_zyx"
# names of axes that are none of space
NO_DEPTH = {"t", "time", "c", "channel", "s", "sample"}
LARGEST_LABEL = np.iinfo(np.int64).max


class Space(NamedTuple):
    """The unit of a volume, its length in nm, and where tables have the centre of the first voxel, in voxels."""

    unit: str
    nm: float
    first: float


# tables of EM count from the corner of the volume, those of stacks from the centre of the first voxel
EM, STACK = Space("nanometer", 1.0, 0.5), Space("micrometer", 1000.0, 0.0)


@dataclass(frozen=True)
class Volume:
    """An opened volume: sliced as a numpy array (Z, Y, X) is, it reads only what is asked for.

    `array` is anything that reads boxes (`spinome.io.slicing`). Voxels that cannot be read are a ValueError that names
    the volume. `corner` is where the first voxel begins in the file's own coordinates, which viewers go by, in voxels.
    """

    array: Any
    voxel_nm: VoxelSize | None
    source: str
    corner: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def shape(self) -> tuple[int, int, int]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(getattr(self.array.dtype, "numpy_dtype", self.array.dtype))

    def __getitem__(self, key: Any) -> np.ndarray:
        return read_as_numpy(self._read, self.shape, self.dtype, key)

    def _read(self, box: Box) -> np.ndarray:
        try:
            return np.asarray(self.array[box])
        except (MemoryError, DownloadError):
            raise
        except Exception as error:
            place = ", ".join(f"{axis.start}:{axis.stop}" for axis in box)
            raise DamagedError(
                self.source,
                f"voxels [{place}] cannot be read, the volume is damaged or not whole ({error}); copy it again, or "
                "remove it where this program made it",
            ) from error


class _Labels(Volume):
    """A label volume, whose slices hold nothing that tables of ids (64 bits with a sign) cannot hold."""

    def _read(self, box: Box) -> np.ndarray:
        values = super()._read(box)
        if values.dtype.kind == "i" and values.min() < 0:
            raise ValueError(f"{self.source}: has negative labels; 0 is background and objects are above it")
        if values.dtype == np.uint64 and values.max() > LARGEST_LABEL:
            raise ValueError(f"{self.source}: has the label {values.max()}; labels must be below 2**63, renumber them")
        return values


@dataclass(frozen=True)
class _Probability(Volume):
    """A stored map of probabilities; the value `full_scale` stands for 1."""

    full_scale: int = 1

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32)

    def _read(self, box: Box) -> np.ndarray:
        stored = super()._read(box)
        values = stored.astype(np.float32)
        if stored.dtype.kind != "f":
            if self.full_scale == 1 and values.size and values.max() > 1:
                raise ValueError(
                    f"{self.source}: holds {values.max():g}, and nothing above 1 in the eight sections by which it was "
                    "taken for a mask of zeros and ones; write floats in [0, 1]"
                )
            return values / np.float32(self.full_scale)
        values = np.nan_to_num(values, nan=0.0)
        low, high = float(values.min()), float(values.max())
        if low < 0 or high > 1.001:
            raise ValueError(
                f"{self.source}: probabilities lie between 0 and 1, these between {low:g} and {high:g}; rescale them"
            )
        return values.clip(max=1)


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
    array: Any
    stored: VoxelSize | None
    corner = (0.0, 0.0, 0.0)
    if is_address(source):
        array, stored, corner = _open_precomputed(source.partition("::")[0], name)
    elif not path.exists():
        raise FileNotFoundError(f"{path}: no such volume")
    elif path.suffix in {".h5", ".hdf5", ".hdf"}:
        array = _open_hdf5(path, name)
        stored = None if voxel_nm else _stated_size(source, array)
    elif path.suffix.lower() in TIFF_SUFFIXES:
        array, stored = _open_tiff(path)
    elif (path / "info").is_file():
        array, stored, corner = _open_precomputed(str(path), name)
    elif path.is_dir() and not _is_zarr(path) and any(map(_is_section, path.iterdir())):
        array, stored = _open_sections(path)
    elif path.is_dir():
        array, stored, corner = _open_zarr(path, name)
    else:
        raise ValueError(
            f"{path}: unknown kind of volume; use .zarr, .h5::name, .tif, a folder of TIFF or PNG sections, or a "
            "Neuroglancer precomputed folder"
        )
    array = _SpatialAxes(array, range(array.ndim)[-3:]) if array.ndim > 3 and set(array.shape[:-3]) == {1} else array
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"{source}: a volume has three filled axes (z, y, x), this has shape {tuple(array.shape)}")
    if np.dtype(getattr(array.dtype, "numpy_dtype", array.dtype)).kind not in "iufb":
        raise ValueError(f"{source}: voxels must be plain numbers, these are {array.dtype}")
    return Volume(array, voxel_nm or stored, str(source), corner)


def open_labels(source: str, voxel_nm: VoxelSize | None = None) -> Volume:
    """Open a label volume, as `open_volume`, whose labels are from 0 to 2^63 - 1.

    Raises
    ------
    ValueError: as `open_volume`, where the voxels are neither integers nor booleans, and when a slice has a label that
        is negative or from 2^63 on: no table of ids could hold it.
    """
    volume = open_volume(source, voxel_nm)
    if volume.dtype.kind not in "iub":
        raise ValueError(f"{source}: labels must be integers, these are {volume.dtype}; convert them with astype")
    return _Labels(**vars(volume))


def label_at(labels: Volume, place_um: np.ndarray) -> int:
    """The label at a place (z, y, x) in um from the corner of a volume whose voxel size is known; 0 outside of it."""
    index = np.floor(place_um * 1000 / np.array(require_voxel_size(labels)) + 1e-6).astype(int)
    if (index < 0).any() or (index >= labels.shape).any():
        return 0
    return int(labels[tuple(slice(n, n + 1) for n in index)].ravel()[0])


def open_probability(source: str, voxel_nm: VoxelSize | None = None) -> Volume:
    """Open a map of probabilities; its slices are float32 in [0, 1].

    Floats are taken as they are, what is not finite as 0. Of integers, 255 or 65,535 is 1; where no value is above 1
    in eight sections spread over the volume, it is a mask of zeros and ones.

    Raises
    ------
    ValueError: as `open_volume`, for signed integers other than masks, and when a slice has floats outside of [0, 1].
    """
    volume = open_volume(source, voxel_nm)
    return _Probability(**vars(volume), full_scale=_full_scale(volume))


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
    ValueError: if two differ in shape, or in the size of a voxel or the place in the specimen where both state one;
        the message names both.
    """
    first, *others = volumes
    # one that begins at 0 mostly says nothing of its place
    stated = [volume for volume in (first, *others) if np.abs(volume.corner).max() > 1]
    for other in stated[1:]:
        if np.abs(np.subtract(stated[0].corner, other.corner)).max() > 1:
            raise ValueError(
                f"{other.source}: begins at voxel {other.corner} (z, y, x), {stated[0].source} at {stated[0].corner}; "
                "volumes of one row of the sample sheet must show one place, cut them alike or correct their offsets"
            )
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
    files = files or sorted(filter(_is_section, path.iterdir()))
    states = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return json.dumps([str(source), states])


def create_volume(
    path: str | Path,
    shape: tuple[int, int, int],
    dtype: Any,
    voxel_nm: VoxelSize,
    chunks: tuple[int, int, int],
    name: str = "",
    kind: Kind = "labels",
    space: Space = EM,
) -> zarr.Array:
    """Create an OME-Zarr volume and return its array for writing; `fill_pyramid` follows when all of it is written.

    It is OME-Zarr 0.5, which is Zarr 3, since only that has a checksum in each chunk which zarr-python, TensorStore,
    cloud-volume, ome-zarr, napari-ome-zarr and Neuroglancer all read (`benchmarks/clients.py`).

    Parameters
    ----------
    path : folder of the store
    shape, chunks : voxels (z, y, x); every chunk must be written, one that lacks is damage
    voxel_nm : size of a voxel (z, y, x) in nm
    name : group within the store; several volumes may share one store
    kind : how coarser levels are made: the mean of grey values, the most frequent of labels
    space : of the tables that go with the volume, so that viewers show both in one place
    """
    root = zarr.open_group(str(path), mode="a", zarr_format=3)
    group = root.require_group(name) if name else root
    factors = level_factors(shape, voxel_nm)
    # one shape of chunks for all levels, however small: cloud-volume goes by that of the first
    clipped = tuple(min(chunk, length) for chunk, length in zip(chunks, shape))
    finest = [float(edge) / space.nm for edge in voxel_nm]
    datasets = []
    for level, factor in enumerate(factors):
        size = [edge * step for edge, step in zip(finest, factor)]
        # the place of a voxel is its centre; all levels begin at one corner
        corner = [(space.first - 0.5) * edge for edge in finest]
        transformations = [
            {"type": "scale", "scale": size},
            {"type": "translation", "translation": [start + edge / 2 for start, edge in zip(corner, size)]},
        ]
        datasets.append({"path": f"{level}", "coordinateTransformations": transformations})
        coarse = tuple(-(-length // step) for length, step in zip(shape, factor))
        create_array(group, f"{level}", coarse, dtype, clipped, "zyx")
    axes = [{"name": axis, "type": "space", "unit": space.unit} for axis in "zyx"]
    image: dict[str, Any] = {
        "name": name or final_path(path).stem,
        "axes": axes,
        "datasets": datasets,
        "type": METHODS[kind],
    }
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    return array_to_write(Path(path) / name / "0")


def fill_pyramid(path: str | Path, name: str = "") -> list[VoxelSize]:
    """Make the coarser levels of a volume of `create_volume` whose finest level is whole.

    Returns
    -------
    the voxel size (z, y, x) of each level in the unit of the volume, the finest first
    """
    folder = Path(path) / name
    (image,) = multiscales(zarr.open_group(str(folder), mode="r"))
    sizes = [tuple(dataset["coordinateTransformations"][0]["scale"]) for dataset in image["datasets"]]
    factors = [tuple(round(size / first) for size, first in zip(own, sizes[0])) for own in sizes]
    fill_levels([folder / dataset["path"] for dataset in image["datasets"]], factors, image["type"])
    return sizes


def fill_with_zeros(path: str | Path) -> None:
    """Write every chunk of a new volume as zeros, where many jobs write their own chunks later, and some write none."""
    write_zeros(Path(path) / "0")


def chunks_to_write(path: str | Path) -> zarr.Array:
    """The array of a volume made by `create_volume`; a chunk that is written replaces the earlier one whole."""
    return array_to_write(Path(path) / "0")


def write_volume(
    path: str | Path,
    data: np.ndarray,
    voxel_nm: VoxelSize,
    chunks: tuple[int, int, int] = (32, 256, 256),
    name: str = "",
    kind: Kind = "labels",
    space: Space = EM,
) -> None:
    """Write a whole array (Z, Y, X) as an OME-Zarr volume with its pyramid; see `create_volume`."""
    create_volume(path, data.shape, data.dtype, voxel_nm, chunks, name, kind, space)[:] = data
    fill_pyramid(path, name)


class _SpatialAxes:
    """Three axes (z, y, x), given by their places, of an array whose others (time, channel) have one entry.

    Places may be in any order. The z of a single section may have none.
    """

    def __init__(self, array: Any, places: Sequence[int | None]) -> None:
        self._array, self._places = array, list(places)
        self.shape = tuple(1 if place is None else array.shape[place] for place in places)
        self.dtype, self.ndim = array.dtype, 3

    def __getitem__(self, box: Box) -> np.ndarray:
        taken = dict(zip(self._places, box))
        voxels = np.asarray(self._array[tuple(taken.get(place, 0) for place in range(self._array.ndim))])
        kept = [place for place in self._places if place is not None]
        voxels = voxels.transpose([sorted(kept).index(place) for place in kept])
        return voxels[None][box[0]] if self._places[0] is None else voxels


def _by_name(source: str | Path, array: Any, names: Sequence[str]) -> tuple[Any, list[int | None]]:
    """The axes z, y and x of an array by their names, and their places; the last three where none is called so.

    Raises
    ------
    ValueError: if another axis has more entries than one; the message names the axes.
    """
    called = [name.lower() for name in names]
    if not {"y", "x"} <= set(called):
        return array, list(range(array.ndim)[-3:])
    depths = [place for place, name in enumerate(called) if name not in {"y", "x", *NO_DEPTH}]
    if "z" not in called and len(depths) == 1:
        called[depths[0]] = "z"
    places = [called.index(axis) if axis in called else None for axis in "zyx"]
    if any(length > 1 for place, length in enumerate(array.shape) if place not in places):
        raise ValueError(
            f"{source}: a volume has three filled axes (z, y, x), this has the axes {', '.join(names)} of shape "
            f"{tuple(array.shape)}; write one channel or time to an image of its own"
        )
    return (array if places == [0, 1, 2] and array.ndim == 3 else _SpatialAxes(array, places)), places


def _open_hdf5(path: Path, name: str) -> h5py.Dataset:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path}: is not a readable HDF5 file ({error}); copy or export it again") from error
    try:
        array = data_set(file, name) if name else None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if array is None:
        names: list[str] = []
        file.visititems(lambda key, item: names.append(key) if isinstance(item, h5py.Dataset) else None)
        raise ValueError(f"{path}: has no data set '{name}'; write {path}::NAME with one of {', '.join(names)}")
    return array


def _stated_size(source: str, array: h5py.Dataset) -> VoxelSize | None:
    """The size of a voxel (z, y, x) in nm that an attribute of a data set states; None where it states none."""
    if HDF5_SIZE not in array.attrs:
        return None
    numbers = np.asarray(array.attrs[HDF5_SIZE])
    if numbers.shape != (3,) or numbers.dtype.kind not in "fiu" or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise ValueError(
            f"{source}: its attribute {HDF5_SIZE} is {numbers.tolist()} and has to be three numbers above 0, the size "
            "of a voxel along z, y and x in nm; write it anew, or set voxel_z_nm, voxel_y_nm and voxel_x_nm in the "
            "sample sheet"
        )
    z, y, x = map(float, numbers)
    return z, y, x


def _open_zarr(path: Path, name: str) -> tuple[Any, VoxelSize | None, tuple[float, float, float]]:
    try:
        node = zarr.open(str(path / name), mode="r")
    except Exception as error:
        raise ValueError(
            f"{path}: has no Zarr volume '{name}' ({error}); write {path}::NAME, or copy it again if it is damaged"
        ) from error
    if isinstance(node, zarr.Array):
        names = [axis or "" for axis in getattr(node.metadata, "dimension_names", None) or ()]
        return _by_name(path, open_array(path / name, node), names)[0], None, (0.0, 0.0, 0.0)
    image = read_image(node, path)
    array, places = _by_name(path, open_array(path / name / image.path, image.array), image.axes)
    voxel_nm = complete(in_nm(*image.sizes[place]) if place is not None else None for place in places)
    # `open_volume` stops where there are fewer axes than three
    corner = cast(tuple[float, float, float], tuple(0.0 if place is None else image.corner[place] for place in places))
    return array, voxel_nm, corner


def _open_tiff(path: Path) -> tuple[Any, VoxelSize | None]:
    require_whole_tiff(path)
    try:
        file = tifffile.TiffFile(path)
        images = len(file.series)
    except Exception as error:
        raise ValueError(
            f"{path}: is not a readable TIFF; it may be empty or cut short ({error}); copy or export it again"
        ) from error
    if images == 0:
        raise ValueError(f"{path}: has no image in it; export it again")
    series, appended = only_image(path, file)
    require_pages(path, series.pages)
    require_grey(path, series)
    voxel_nm = complete(in_nm(*size) for size in xml_sizes(file.ome_metadata))
    if appended:
        return Pages(series), voxel_nm
    # axes of one entry are left out of a squeezed series, and with them the z of a single section, which has
    # another name or none where no program named the axes
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    spatial = set("YX") <= set(axes) and all(n == 1 for axis, n in zip(axes, shape) if axis not in "ZYX")
    array: Any = zarr.open(series.aszarr(level=0, squeeze=not spatial), mode="r")
    array = _SpatialAxes(array, [axes.index(axis) if axis in axes else None for axis in "ZYX"]) if spatial else array
    return array, voxel_nm


def _is_zarr(path: Path) -> bool:
    return any((path / name).is_file() for name in ZARR_METADATA)


def _is_section(file: Path) -> bool:
    return file.suffix.lower() in {*TIFF_SUFFIXES, PNG_SUFFIX} and not file.name.startswith(".")


def _open_sections(path: Path) -> tuple[Any, None]:
    """A folder with one TIFF or PNG a section, in the order of the numbers in their names, which have no gap."""
    files = in_order(path, [file for file in path.iterdir() if _is_section(file)])
    if len({file.suffix.lower() == PNG_SUFFIX for file in files}) > 1:
        raise ValueError(f"{path}: holds both TIFF and PNG; put the sections of one volume into a folder of their own")
    png = files[0].suffix.lower() == PNG_SUFFIX
    facts = [png_facts(file) if png else _tiff_facts(file) for file in files]
    for file, (shape, dtype) in zip(files, facts):
        if (shape, dtype) != facts[0]:
            raise ValueError(
                f"{file}: is a section of {shape} {dtype}, {files[0].name} of {facts[0][0]} {facts[0][1]}; all "
                "sections of a folder must be alike"
            )
    sequence = tifffile.FileSequence(imagecodecs.imread, files) if png else tifffile.TiffSequence(files)
    return zarr.open(sequence.aszarr(), mode="r"), None


def _tiff_facts(file: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of a section, none of whose voxels is read."""
    require_whole_tiff(file)
    with tifffile.TiffFile(file) as section:
        series, _ = only_image(file, section)
        require_grey(file, series)
        return series.shape, series.dtype


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
    info = json_object(_read_info(address))
    scales = [scale["key"] for scale in info["scales"]]
    if name and name not in scales:
        raise ValueError(f"has no scale '{name}'; write {address}::KEY with one of {', '.join(scales)}")
    folder = Path(address.removeprefix("file://"))
    if are_packed(folder, info["scales"][scales.index(name) if name else 0]):
        return open_gzipped_volume(folder, info, name)
    return tensorstore.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": _kvstore(address),
            "scale_index": scales.index(name) if name else 0,
        },
        open=True,
        read=True,
    ).result()


def _open_precomputed(address: str, name: str) -> tuple[tensorstore.TensorStore, VoxelSize, tuple[float, float, float]]:
    try:
        store = (open_public_volume if _is_public(address) else _open_local_precomputed)(address, name)
    except Exception as error:
        raise ValueError(
            f"{address}: is not a readable Neuroglancer precomputed volume ({error}); copy it again"
        ) from error
    if store.domain["channel"].size != 1:
        raise ValueError(f"{address}: has {store.domain['channel'].size} channels; a volume has one")
    first = store[tensorstore.d["channel"][store.domain["channel"].inclusive_min]]
    spatial = first[tensorstore.d["z", "y", "x"].transpose[:]]
    corner_z, corner_y, corner_x = (float(start) for start in spatial.domain.inclusive_min)
    spatial = spatial[tensorstore.d[:].translate_to[0]]
    # the format states the size of a voxel
    size_z, size_y, size_x = (float(unit.multiplier) for unit in spatial.dimension_units if unit is not None)
    return spatial, (size_z, size_y, size_x), (corner_z, corner_y, corner_x)
