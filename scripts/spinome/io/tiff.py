"""Whether a TIFF file is whole, one image, and grey.

The directories of a TIFF's pages form a chain. Readers follow it as far as it goes, so that a truncated stack
looks like a shorter one, or like one without its description.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile

from spinome.io.slicing import Box

# of classic TIFF and BigTIFF: formats of an offset, of a number of entries and of an entry, place of the first offset
LAYOUTS = {42: ("I", "H", "HHII", 4), 43: ("Q", "Q", "HHQQ", 8)}
# names of images that show another one in small, or its slide
THUMBNAILS = {"thumbnail", "preview", "label", "macro", "overview"}
# bytes of a value by the number of its type
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def require_whole_tiff(path: str | Path) -> None:
    """Follow the chain of pages to its end and find the last page's data, without reading a pixel.

    Raises
    ------
    ValueError: if the file is empty, is no TIFF or ends too early; the message names it and the remedy.
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        header = file.read(16)
        endian = {b"II": "<", b"MM": ">"}.get(header[:2])
        version = struct.unpack(f"{endian}H", header[2:4])[0] if endian and len(header) == 16 else None
        if endian is None or version not in LAYOUTS:
            raise ValueError(f"{path}: is empty or no TIFF; copy or export it again")
        try:
            end = _end_of_chain(file, endian, version)
        except struct.error:
            end = size + 1
    if end <= size:
        with tifffile.TiffFile(path) as tiff:
            last = tiff.pages[len(tiff.pages) - 1]
            end = max((start + length for start, length in zip(last.dataoffsets, last.databytecounts)), default=0)
    if end > size:
        raise ValueError(f"{path}: is truncated, it ends after {size} bytes and needs more; copy or export it again")


class Pages:
    """Pages of one size as an array (pages, Y, X), read one by one: each may be stored in a way of its own."""

    def __init__(self, series: tifffile.TiffPageSeries) -> None:
        # none lacks where `require_pages` has looked
        self._pages = [page for page in series.pages if page is not None]
        self.shape, self.dtype, self.ndim = tuple(series.shape), series.dtype, 3

    def __getitem__(self, box: Box) -> np.ndarray:
        pages = range(len(self._pages))[box[0]]
        return np.stack([np.asarray(self._pages[page].asarray())[box[1:]] for page in pages])


def only_image(path: str | Path, file: tifffile.TiffFile) -> tuple[tifffile.TiffPageSeries, bool]:
    """The image of an opened file, and whether it was put together from one image a slice.

    A program that adds slice after slice leaves an image for each; these are one stack, whose first axis has no name.
    Thumbnails do not count.

    Raises
    ------
    ValueError: if the file holds several images that are no slices of one size; the message names the file and the
        remedy.
    """
    # the others of Zeiss' LSM are thumbnails
    images = file.series[:1] if file.is_lsm else [one for one in file.series if not _is_thumbnail(one)]
    images = images or file.series[:1]
    if len(images) == 1:
        return images[0], False
    sizes = sorted({" x ".join(map(str, one.shape)) for one in images})
    planes = [_plane_of(one) for one in images]
    if not all(len(one.pages) == 1 and set(axes) <= set("YXS") for one, (axes, _) in zip(images, planes)):
        raise ValueError(
            f"{path}: holds {len(images)} images ({' and '.join(sizes)}); write the one that is meant to a file of its "
            "own"
        )
    if len({(*plane, one.dtype) for one, plane in zip(images, planes)}) > 1:
        raise ValueError(
            f"{path}: slices have different sizes or types ({' and '.join(sizes)}); all slices of a stack must be alike"
        )
    pages = [one.pages[0] for one in images]
    axes, shape = planes[0]
    joined = tifffile.TiffPageSeries(
        pages, shape=(len(pages), *shape), dtype=images[0].dtype, axes=f"Q{axes}", kind=images[0].kind
    )
    return joined, True


def _is_thumbnail(series: tifffile.TiffPageSeries) -> bool:
    return series.keyframe.is_reduced or series.name.lower().partition(" ")[0] in THUMBNAILS


def _plane_of(series: tifffile.TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Axes and shape without axes of one entry that are none of a plane."""
    kept = [(axis, length) for axis, length in zip(series.axes, series.shape) if length > 1 or axis in "YX"]
    return "".join(axis for axis, _ in kept), tuple(length for _, length in kept)


def require_pages(path: str | Path, pages: Iterable[object]) -> None:
    """Refuse an image some of whose pages lie in other files that are not here, or were never written.

    Raises
    ------
    ValueError: the message names the file and the remedy.
    """
    if any(page is None for page in pages):
        raise ValueError(
            f"{path}: lacks pages that its description promises; put the other files of its series beside it, or "
            "export what there is, where the recording was stopped early"
        )


def require_grey(path: str | Path, series: tifffile.TiffPageSeries) -> None:
    """Refuse an image in colour, whose samples would pass for an axis of space.

    Raises
    ------
    ValueError: if a pixel has several samples; the message names the file and the remedy.
    """
    # tifffile writes three sections as three planes of samples, which lie as sections do
    if series.keyframe.samplesperpixel > 1 and series.keyframe.planarconfig == tifffile.PLANARCONFIG.CONTIG:
        raise ValueError(f"{path}: is in colour; export it in grey values")


def _end_of_chain(file: BinaryIO, endian: str, version: int) -> int:
    """The byte after the last value that a directory points at; struct.error where a directory itself is cut off."""
    offset_format, count_format, entry_format, place = LAYOUTS[version]
    entry = struct.Struct(endian + entry_format)
    inline = struct.calcsize(offset_format)
    end, seen = 0, set()
    file.seek(place)
    (offset,) = struct.unpack(endian + offset_format, file.read(inline))
    while offset and offset not in seen:
        seen.add(offset)
        file.seek(offset)
        (count,) = struct.unpack(endian + count_format, file.read(struct.calcsize(count_format)))
        directory = file.read(count * entry.size)
        (offset,) = struct.unpack(endian + offset_format, file.read(inline))
        for _, kind, number, value in entry.iter_unpack(directory):
            length = TYPE_BYTES.get(kind, 0) * number
            end = max(end, value + length if length > inline else 0)
    return end
