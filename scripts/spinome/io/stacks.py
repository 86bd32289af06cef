"""Two-photon stacks in: OME-TIFF, ImageJ, ScanImage, Prairie/Bruker, folders of slices, OME-Zarr.

Slices are read one at a time. The voxel size comes from the sample sheet or from the file and is never guessed.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import tifffile
import zarr

from spinome.io.tiff import require_whole_tiff

VoxelSize = tuple[float, float, float]
TIFF = {".tif", ".tiff"}
IMAGES = TIFF | {".png"}
UM_PER = {"nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0}
UM_PER |= dict.fromkeys(["um", "micron", "microns", "micrometer", "µm", "μm", r"\u00b5m", r"\u00B5m"], 1.0)


@dataclass(frozen=True)
class Stack:
    """An opened stack: one channel, slices read when asked for.

    `shape` (Z, Y, X), `dtype` as stored, `voxel_um` (z, y, x) or None where neither sheet nor file says it.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    voxel_um: VoxelSize | None
    source: str
    read_slice: Callable[[int], np.ndarray]

    def slices(self) -> Iterator[np.ndarray]:
        """Read the slices in turn; raises a ValueError naming the file where one cannot be read or is not finite."""
        for z in range(self.shape[0]):
            try:
                image = np.asarray(self.read_slice(z))
            except Exception as error:
                raise ValueError(
                    f"{self.source}: slice {z} cannot be read, the file is truncated or damaged ({error})"
                ) from None
            if image.shape != self.shape[1:]:
                raise ValueError(
                    f"{self.source}: slice {z} is {image.shape[0]} x {image.shape[1]} pixels and the first slice "
                    f"{self.shape[1]} x {self.shape[2]}; all slices of a stack must have one size"
                )
            if image.dtype.kind == "f" and not np.isfinite(image).all():
                raise ValueError(
                    f"{self.source}: slice {z} has values that are not finite; mend or leave out the stack"
                )
            yield image

    def read(self) -> np.ndarray:
        """Read the whole stack (Z, Y, X), as stored."""
        out = np.empty(self.shape, self.dtype)
        for z, image in enumerate(self.slices()):
            out[z] = image
        return out


def open_stack(path: str | Path, channel: int | None = None, voxel_um: VoxelSize | None = None) -> Stack:
    """Open a stack by its kind, without reading its pixels.

    Parameters
    ----------
    path : file, folder of slices, Prairie folder or its XML, or OME-Zarr folder (`store.zarr` or `store.zarr::group`)
    channel : counted from 0; needed where the file has several
    voxel_um : voxel size (z, y, x) from the sample sheet; it overrides the file's own

    Raises
    ------
    FileNotFoundError, ValueError: the message names the file, what is wrong and the remedy.
    """
    path, _, group = str(path).partition("::")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such stack")
    prairie = _prairie_xml(path)
    if prairie is not None:
        opened = _open_prairie(prairie, channel)
    elif path.is_dir() and any((path / group / name).exists() for name in (".zattrs", ".zgroup", "zarr.json")):
        opened = _open_zarr(path, group, channel)
    elif path.is_dir():
        opened = _open_folder(path, channel)
    elif path.suffix.lower() in TIFF:
        opened = _open_tiff(path, channel)
    else:
        raise ValueError(
            f"{path}: unknown kind of stack; use TIFF, Prairie XML, OME-Zarr or a folder of PNG or TIFF slices"
        )
    if 0 in opened.shape:
        raise ValueError(f"{path}: is empty, it has {opened.shape[0]} slices of {opened.shape[1]} x {opened.shape[2]}")
    if opened.dtype.kind not in "uif":
        raise ValueError(f"{path}: holds {opened.dtype} values; a stack must hold integers or floats")
    return Stack(opened.shape, opened.dtype, voxel_um or opened.voxel_um, str(path), opened.read_slice)


def require_voxel_um(stack: Stack) -> VoxelSize:
    """Return the voxel size (z, y, x) in um, or raise a ValueError that names the columns that set it."""
    if stack.voxel_um is None:
        raise ValueError(
            f"{stack.source}: has no voxel size; set voxel_z_um, voxel_y_um and voxel_x_um in the sample sheet"
        )
    return stack.voxel_um


def _open_tiff(path: Path, channel: int | None) -> Stack:
    require_whole_tiff(path)
    try:
        file = tifffile.TiffFile(path)
        pages = len(file.pages)
    except Exception as error:
        raise ValueError(f"{path}: is empty, truncated or no TIFF ({error}); export it again") from None
    if pages == 0:
        raise ValueError(f"{path}: has no image in it; export it again")
    if file.is_scanimage:
        return _open_scanimage(path, file, channel)
    series = file.series[0]
    _check_pages(path, file, len(series.pages))
    axes, shape = series.axes, series.shape
    # a plain TIFF does not say what its pages are: slices
    axes = re.sub("[QI]", "Z", axes) if "Z" not in axes else axes
    axes = axes.replace("T", "Z") if "Z" not in axes else axes
    voxel = _ome_voxel(file) or _imagej_voxel(file)
    if "S" in axes or len(series.pages) != int(np.prod([n for axis, n in zip(axes, shape) if axis not in "YX"])):
        pixels = series.asarray()
        pick, depth = _pick(path, axes, shape, channel)
        return Stack((depth, *_plane(axes, shape)), series.dtype, voxel, str(path), lambda z: pixels[pick(z)])
    pick, depth = _pick(path, axes, shape, channel)
    outer = [length for axis, length in zip(axes, shape) if axis not in "YX"]

    def read(z: int) -> np.ndarray:
        index = [value for value in pick(z) if not isinstance(value, slice)]
        number = int(np.ravel_multi_index(index, outer)) if outer else 0
        page = series.pages[number]
        if page is None:
            raise ValueError("the page is missing")
        return page.asarray()

    return Stack((depth, *_plane(axes, shape)), series.dtype, voxel, str(path), read)


def _check_pages(path: Path, file: tifffile.TiffFile, pages: int) -> None:
    """Stop where the data of the last page lie beyond the end of the file, or pages differ in size."""
    size = path.stat().st_size
    last = file.pages[len(file.pages) - 1]
    if not last.dataoffsets or max(a + b for a, b in zip(last.dataoffsets, last.databytecounts)) > size:
        raise ValueError(f"{path}: is truncated, the file ends before its last slice; copy or export it again")
    if len(file.series) > 1 and pages == 1 and len({one.shape for one in file.series}) > 1:
        sizes = " and ".join(sorted({" x ".join(map(str, one.shape[-2:])) for one in file.series}))
        raise ValueError(f"{path}: slices have different sizes ({sizes}); all slices of a stack must have one size")


def _pick(path: Path, axes: str, shape: tuple[int, ...], channel: int | None) -> tuple[Callable, int]:
    """Return a function from a slice to the index into an array of these axes, and the number of slices."""
    length = dict(zip(axes, shape))
    several = [axis for axis in axes if axis in "CS" and length[axis] > 1]
    if len(several) > 1:
        raise ValueError(f"{path}: has several channels and colour samples; export one channel in grey values")
    count = length[several[0]] if several else 1
    if count > 1 and channel is None:
        raise ValueError(
            f"{path}: has {count} channels; choose one in the column `channel` of the sample sheet, from 0"
        )
    if channel is not None and channel >= count:
        raise ValueError(f"{path}: has no channel {channel}, it has {count}, counted from 0")
    others = [axis for axis in axes if axis not in "ZCSYX" and length[axis] > 1]
    if others:
        raise ValueError(
            f"{path}: has axes {axes} of shape {shape}; a stack is one timepoint, split the file by {others}"
        )

    def pick(z: int) -> tuple:
        place = {"Z": z, "Y": slice(None), "X": slice(None)}
        return tuple(place.get(axis, channel or 0 if several and axis == several[0] else 0) for axis in axes)

    return pick, length.get("Z", 1)


def _plane(axes: str, shape: tuple[int, ...]) -> tuple[int, int]:
    length = dict(zip(axes, shape))
    return length["Y"], length["X"]


def _ome_voxel(file: tifffile.TiffFile) -> VoxelSize | None:
    if not file.is_ome:
        return None
    pixels = next(
        (node for node in ElementTree.fromstring(file.ome_metadata).iter() if node.tag.endswith("Pixels")), None
    )
    if pixels is None:
        return None
    return _complete(
        _in_um(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"
    )


def _imagej_voxel(file: tifffile.TiffFile) -> VoxelSize | None:
    if not file.is_imagej:
        return None
    facts, tags = file.imagej_metadata or {}, file.pages[0].tags
    plane = []
    for name in ("YResolution", "XResolution"):
        per, of = tags[name].value if name in tags else (0, 1)
        plane.append(of / per if per else None)
    # ImageJ writes a resolution of 1 where none was set
    unit = facts.get("unit")
    return None if unit in {None, "pixel"} else _complete(_in_um(size, unit) for size in (facts.get("spacing"), *plane))


def _in_um(size: str | float | None, unit: str) -> float | None:
    factor = UM_PER.get(unit) or UM_PER.get(unit.lower())
    return None if size is None or factor is None else float(size) * factor


def _complete(sizes) -> VoxelSize | None:
    sizes = tuple(sizes)
    return sizes if all(size is not None and size > 0 for size in sizes) else None


def _open_scanimage(path: Path, file: tifffile.TiffFile, channel: int | None) -> Stack:
    """ScanImage: average the frames of a slice (and of repeated volumes), drop fly-back frames."""
    facts = file.scanimage_metadata.get("FrameData", {})
    saved = np.atleast_1d(facts.get("SI.hChannels.channelSave", 1)).ravel()
    if len(saved) > 1 and channel is None:
        raise ValueError(
            f"{path}: has {len(saved)} channels; choose one in the column `channel` of the sample sheet, from 0"
        )
    if channel is not None and channel >= len(saved):
        raise ValueError(f"{path}: has no channel {channel}, it has {len(saved)}, counted from 0")
    pages = file.pages
    frames = len(pages) // len(saved)
    slices = int(facts.get("SI.hStackManager.actualNumSlices") or facts.get("SI.hStackManager.numSlices") or 1)
    if facts.get("SI.hFastZ.enable"):
        flyback = int(facts.get("SI.hFastZ.numDiscardFlybackFrames") or 0)
        volume = int(facts.get("SI.hFastZ.numFramesPerVolume") or slices + flyback)
        groups = [[start + z for start in range(0, frames - slices + 1, volume)] for z in range(slices)]
    else:
        averaged = int(facts.get("SI.hScan2D.logAverageFactor") or 1)
        repeat = max(1, int(facts.get("SI.hStackManager.framesPerSlice") or 1) // averaged)
        slices = max(1, frames // repeat) if slices == 1 else slices
        groups = [list(range(z * repeat, (z + 1) * repeat)) for z in range(slices)]
    if not groups[0] or groups[-1][-1] >= frames:
        raise ValueError(
            f"{path}: is truncated, its header promises {slices} slices and it ends after {frames} frames; "
            "copy it again or cut the header's stack"
        )
    step = facts.get("SI.hStackManager.actualStackZStepSize") or facts.get("SI.hStackManager.stackZStepSize")
    corners = facts.get("SI.hRoiManager.imagingFovUm")
    height, width = pages[0].shape
    voxel = None
    if step and corners is not None:
        extent = np.ptp(np.asarray(corners, float).reshape(-1, 2), axis=0)
        voxel = _complete((abs(float(step)), extent[1] / height, extent[0] / width))
    stored = np.dtype(pages[0].dtype)
    averaging = len(groups[0]) > 1

    def read(z: int) -> np.ndarray:
        images = [pages[frame * len(saved) + (channel or 0)].asarray() for frame in groups[z]]
        return np.mean(images, axis=0, dtype=np.float32) if averaging else images[0]

    return Stack((slices, height, width), np.dtype(np.float32) if averaging else stored, voxel, str(path), read)


def _prairie_xml(path: Path) -> Path | None:
    """The Prairie XML that `path` is, that lies in the folder, or that describes the TIFF (stub OME) beside it."""
    if path.suffix.lower() == ".xml":
        return path
    folder = path if path.is_dir() else path.parent
    if path.is_file() and not re.search(r"_Ch\d+_\d+\.ome\.tiff?$", path.name):
        return None
    for candidate in sorted(folder.glob("*.xml")):
        with candidate.open(errors="replace") as stream:
            if "<PVScan" in stream.read(2000):
                return candidate
    return None


def _open_prairie(path: Path, channel: int | None) -> Stack:
    """Prairie/Bruker: one TIFF a plane, listed in the XML."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: is no complete Prairie XML ({error}); copy it again") from None
    sequences = root.findall("Sequence")
    if len(sequences) > 1:
        raise ValueError(f"{path}: has {len(sequences)} sequences (timepoints); give each its own folder and row")
    frames = [frame.findall("File") for frame in root.iter("Frame")]
    if not frames or not frames[0]:
        raise ValueError(f"{path}: lists no image; give the XML of a Z series")
    channels = sorted({int(file.get("channel")) for file in frames[0]})
    if len(channels) > 1 and channel is None:
        raise ValueError(f"{path}: has {len(channels)} channels; choose one in the column `channel`, from 0")
    if channel is not None and channel >= len(channels):
        raise ValueError(f"{path}: has no channel {channel}, it has {len(channels)}, counted from 0")
    wanted = str(channels[channel or 0])
    files = [next(file for file in frame if file.get("channel") == wanted) for frame in frames]
    names = [(path.parent / file.get("filename"), int(file.get("page", 1)) - 1) for file in files]
    for name, _ in names:
        if not name.exists():
            raise ValueError(f"{path}: lists {name.name}, which is not beside it; copy the whole folder")
    microns = {
        item.get("index"): float(item.get("value"))
        for value in root.iter("PVStateValue")
        if value.get("key") == "micronsPerPixel"
        for item in value.findall("IndexedValue")
    }
    voxel = _complete(microns.get(f"{axis}Axis") for axis in "ZYX")
    first = _read_page(*names[0])
    return Stack((len(names), *first.shape), first.dtype, voxel, str(path), lambda z: _read_page(*names[z]))


def _read_page(path: Path, page: int) -> np.ndarray:
    # the OME header of such a file points at all the others; only the page itself is wanted
    with tifffile.TiffFile(path, is_ome=False) as file:
        return file.pages[min(page, len(file.pages) - 1)].asarray()


def _open_folder(path: Path, channel: int | None) -> Stack:
    files = [file for file in path.iterdir() if file.suffix.lower() in IMAGES and not file.name.startswith(".")]
    files.sort(key=lambda file: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", file.name)])
    if not files:
        raise ValueError(f"{path}: holds no PNG or TIFF slice; name a stack or a folder of slices")
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
    pick, _ = _pick(path, axes, shapes[0], channel)
    dtype = imageio.improps(files[0]).dtype
    return Stack((len(files), *shapes[0][:2]), dtype, None, str(path), lambda z: imageio.imread(files[z])[pick(0)])


def _open_zarr(path: Path, group: str, channel: int | None) -> Stack:
    try:
        node = zarr.open_group(str(path / group), mode="r")
    except Exception as error:
        raise ValueError(f"{path}: is no OME-Zarr image ({error}); write {path.name}::GROUP") from None
    scales = node.attrs.get("multiscales") or dict(node.attrs.get("ome", {})).get("multiscales")
    if not scales:
        inside = ", ".join(key for key, _ in node.members())
        raise ValueError(
            f"{path}: is a Zarr group without multiscales metadata; write {path}::NAME with one of {inside}"
        )
    dataset = scales[0]["datasets"][0]
    array = node[dataset["path"]]
    described = scales[0].get("axes") or [{"name": axis} for axis in "tczyx"[-array.ndim :]]
    axes = "".join(axis["name"][0].upper() for axis in described)
    scale = next((t["scale"] for t in dataset.get("coordinateTransformations", []) if t["type"] == "scale"), None)
    unit = {axis["name"]: axis.get("unit") for axis in described}
    size = dict(zip([axis["name"] for axis in described], scale or []))
    voxel = _complete(_in_um(size.get(axis), unit.get(axis) or "") for axis in "zyx")
    pick, depth = _pick(path, axes, array.shape, channel)
    return Stack(
        (depth, *_plane(axes, array.shape)), array.dtype, voxel, str(path), lambda z: np.asarray(array[pick(z)])
    )
