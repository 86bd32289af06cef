"""Two-photon stacks in: OME-TIFF, ImageJ, ScanImage, Prairie/Bruker, folders of slices, OME-Zarr, NWB.

Slices are read one at a time. The voxel size comes from the sample sheet or from the file and is never guessed.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import tifffile
import zarr

from spinome.io.nwb import open_nwb
from spinome.io.ome import read_image, xml_channels, xml_sizes
from spinome.io.opened_stack import Channel, Stack, pick_plane
from spinome.io.prairie import open_prairie, prairie_xml
from spinome.io.scanimage import open_scanimage
from spinome.io.sections import in_order, refuse_days
from spinome.io.sources import split_source
from spinome.io.tiff import only_image, require_pages, require_whole_tiff
from spinome.io.units import VoxelSize, complete, in_um
from spinome.io.zarr_arrays import open_array

TIFF = {".tif", ".tiff"}
IMAGES = TIFF | {".png"}


def open_stack(path: str | Path, channel: Channel | None = None, voxel_um: VoxelSize | None = None) -> Stack:
    """Open a stack by its kind, without reading its pixels.

    Parameters
    ----------
    path : file, folder of slices, Prairie folder or its XML, OME-Zarr folder (`store.zarr` or `store.zarr::group`), or
        NWB file (`file.nwb` or `file.nwb::series`)
    channel : a number from 0 in the order of the file, or what the microscope calls it (`Ch2` of Prairie, `Channel 2`
        of ScanImage, the name in OME metadata); needed where the file has several
    voxel_um : voxel size (z, y, x) from the sample sheet; it overrides the file's own

    Raises
    ------
    FileNotFoundError, ValueError: the message names the file, what is wrong and the remedy.
    """
    path, group = split_source(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such stack")
    prairie = prairie_xml(path)
    if prairie is not None:
        opened = open_prairie(prairie, channel)
    elif path.is_dir() and any((path / group / name).exists() for name in (".zattrs", ".zgroup", "zarr.json")):
        opened = _open_zarr(path, group, channel)
    elif path.is_dir():
        opened = _open_folder(path, channel)
    elif path.suffix.lower() in TIFF:
        opened = _open_tiff(path, channel)
    elif path.suffix.lower() == ".nwb":
        opened = open_nwb(path, group, channel)
    else:
        raise ValueError(
            f"{path}: unknown kind of stack; use TIFF, Prairie XML, OME-Zarr, NWB or a folder of PNG or TIFF slices"
        )
    if 0 in opened.shape:
        raise ValueError(f"{path}: is empty, it has {opened.shape[0]} slices of {opened.shape[1]} x {opened.shape[2]}")
    if opened.dtype.kind not in "uif":
        raise ValueError(f"{path}: holds {opened.dtype} values; a stack must hold integers or floats")
    return Stack(opened.shape, opened.dtype, voxel_um or opened.voxel_um, str(path), opened.read_slice)


def _open_tiff(path: Path, channel: Channel | None) -> Stack:
    require_whole_tiff(path)
    try:
        file = tifffile.TiffFile(path)
        pages = len(file.pages)
    except Exception as error:
        raise ValueError(f"{path}: is empty, truncated or no TIFF ({error}); export it again") from None
    if pages == 0:
        raise ValueError(f"{path}: has no image in it; export it again")
    if file.is_scanimage:
        return open_scanimage(path, file, channel)
    _check_last_page(path, file)
    series, _ = only_image(path, file)
    axes, shape = series.axes, series.shape
    # a plain TIFF does not say what its pages are: slices
    axes = re.sub("[QI]", "Z", axes) if "Z" not in axes else axes
    axes = axes.replace("T", "Z") if "Z" not in axes else axes
    voxel = complete(in_um(*size) for size in xml_sizes(file.ome_metadata)) or _imagej_voxel(file)
    names = xml_channels(file.ome_metadata)
    if "S" in axes or len(series.pages) != int(np.prod([n for axis, n in zip(axes, shape) if axis not in "YX"])):
        # not stored page by page: read whole when the first slice is asked for
        pixels = cache(series.asarray)
        pick, depth = pick_plane(path, axes, shape, channel, names)
        return Stack((depth, *_plane(axes, shape)), series.dtype, voxel, str(path), lambda z: pixels()[pick(z)])
    pick, depth = pick_plane(path, axes, shape, channel, names)
    outer = [length for axis, length in zip(axes, shape) if axis not in "YX"]

    def page_of(z: int) -> tifffile.TiffPage | tifffile.TiffFrame | None:
        index = [value for value in pick(z) if not isinstance(value, slice)]
        return series.pages[int(np.ravel_multi_index(index, outer)) if outer else 0]

    def read(z: int) -> np.ndarray:
        page = page_of(z)
        # looked at below
        assert page is not None
        return page.asarray()

    require_pages(path, map(page_of, range(depth)))
    return Stack((depth, *_plane(axes, shape)), series.dtype, voxel, str(path), read)


def _check_last_page(path: Path, file: tifffile.TiffFile) -> None:
    """Stop where the data of the last page lie beyond the end of the file."""
    size = path.stat().st_size
    last = file.pages[len(file.pages) - 1]
    if not last.dataoffsets or max(a + b for a, b in zip(last.dataoffsets, last.databytecounts)) > size:
        raise ValueError(f"{path}: is truncated, the file ends before its last slice; copy or export it again")


def _plane(axes: str, shape: tuple[int, ...]) -> tuple[int, int]:
    length = dict(zip(axes, shape))
    return length["Y"], length["X"]


def _imagej_voxel(file: tifffile.TiffFile) -> VoxelSize | None:
    if not file.is_imagej:
        return None
    facts, tags = file.imagej_metadata or {}, file.pages.first.tags
    plane = []
    for name in ("YResolution", "XResolution"):
        per, of = tags[name].value if name in tags else (0, 1)
        plane.append(of / per if per else None)
    # ImageJ writes a resolution of 1 where none was set
    unit = facts.get("unit")
    return None if unit in {None, "pixel"} else complete(in_um(size, unit) for size in (facts.get("spacing"), *plane))


def _open_folder(path: Path, channel: Channel | None) -> Stack:
    """A folder with one image a slice, in the order of the numbers in their names, which have no gap."""
    files = [file for file in path.iterdir() if file.suffix.lower() in IMAGES and not file.name.startswith(".")]
    if not files:
        raise ValueError(f"{path}: holds no PNG or TIFF slice; name a stack or a folder of slices")
    refuse_days(path, sorted(files))
    files = in_order(path, files)
    try:
        shapes = [imageio.improps(file).shape for file in files]
    except Exception as error:
        raise ValueError(f"{path}: a slice is empty or damaged ({error}); copy the folder again") from None
    for file, shape in zip(files, shapes):
        if shape != shapes[0]:
            raise ValueError(
                f"{file}: is {' x '.join(map(str, shape))} and {files[0].name} is {' x '.join(map(str, shapes[0]))}; "
                "all slices of a stack must have one size"
            )
    axes = "YXS" if len(shapes[0]) == 3 and shapes[0][-1] in (2, 3, 4) else "YX"
    if len(shapes[0]) != len(axes):
        raise ValueError(f"{files[0]}: has shape {shapes[0]}; a folder of slices holds one image a file")
    pick, _ = pick_plane(path, axes, shapes[0], channel)
    dtype, (height, width) = imageio.improps(files[0]).dtype, shapes[0][:2]
    return Stack((len(files), height, width), dtype, None, str(path), lambda z: imageio.imread(files[z])[pick(0)])


def _open_zarr(path: Path, group: str, channel: Channel | None) -> Stack:
    try:
        node = zarr.open_group(str(path / group), mode="r")
    except Exception as error:
        raise ValueError(
            f"{path}: is no OME-Zarr image ({error}); write {path.name}::GROUP, or copy it again"
        ) from None
    image = read_image(node, path)
    array = open_array(path / group / image.path, image.array)
    axes = "".join(axis[0].upper() for axis in image.axes)
    sizes = dict(zip(map(str.lower, image.axes), image.sizes))
    voxel = complete(in_um(*sizes.get(axis, (None, ""))) for axis in "zyx")
    pick, depth = pick_plane(path, axes, array.shape, channel, image.channels)
    dtype = np.dtype(image.array.dtype)
    turned = axes.index("X") < axes.index("Y")

    def read(z: int) -> np.ndarray:
        image = np.asarray(array[pick(z)])
        return image.T if turned else image

    return Stack((depth, *_plane(axes, array.shape)), dtype, voxel, str(path), read)
