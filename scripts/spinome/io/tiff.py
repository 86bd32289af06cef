"""Whether a TIFF file is whole, one image, and grey.

The directories of a TIFF's pages form a chain. Readers follow it as far as it goes, so that a truncated stack
looks like a shorter one, or like one without its description.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import tifffile

# of classic TIFF and BigTIFF: formats of an offset, of a number of entries and of an entry, place of the first offset
LAYOUTS = {42: ("I", "H", "HHII", 4), 43: ("Q", "Q", "HHQQ", 8)}
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


def only_image(path: str | Path, file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """The image of an opened file, with all of its pages.

    A program that adds slice after slice leaves an image for each; these are one stack, whose first axis has no name.

    Raises
    ------
    ValueError: if the file holds several images that are no slices of one size, or lacks a page that another file
        should hold; the message names the file and the remedy.
    """
    first, *others = file.series
    # the others of Zeiss' LSM are thumbnails
    if not others or file.is_lsm:
        image = first
    else:
        sizes = sorted({" x ".join(map(str, one.shape)) for one in file.series})
        if not all(len(one.pages) == 1 and set(one.axes) <= set("YXS") for one in file.series):
            raise ValueError(
                f"{path}: holds {len(file.series)} images ({' and '.join(sizes)}); write the one that is meant to a "
                "file of its own"
            )
        if len({(one.shape, one.axes, one.dtype) for one in file.series}) > 1:
            raise ValueError(
                f"{path}: slices have different sizes or types ({' and '.join(sizes)}); all slices of a stack must "
                "be alike"
            )
        pages = [one.pages[0] for one in file.series]
        image = tifffile.TiffPageSeries(
            pages, shape=(len(pages), *first.shape), dtype=first.dtype, axes=f"Q{first.axes}", kind=first.kind
        )
    if any(page is None for page in image.pages):
        raise ValueError(f"{path}: lacks pages that another file of its series should hold; put all files beside it")
    return image


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
