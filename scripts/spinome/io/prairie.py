"""Prairie View (Bruker) folders: one TIFF a plane and channel, listed in an XML beside them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import tifffile

from spinome.io.opened_stack import Channel, Stack, chosen_channel
from spinome.io.units import complete


def prairie_xml(path: Path) -> Path | None:
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


def open_prairie(path: Path, channel: Channel | None) -> Stack:
    """Prairie/Bruker: one TIFF a plane, listed in the XML.

    Channels have the names that the user gave them at the microscope (`channelName`), and are called `Ch1` and so on as
    in file names besides.
    """
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
    named = {int(_said(path, file, "channel")): file.get("channelName") for file in frames[0]}
    channels = sorted(named)
    names = [named[number] or f"Ch{number}" for number in channels]
    by_number = re.fullmatch(r"(?i)ch(\d+)", channel.strip()) if isinstance(channel, str) else None
    # a name that a user gave goes before that in file names
    if by_number and channel not in names and int(by_number[1]) in channels:
        channel = channels.index(int(by_number[1]))
    taken = chosen_channel(path, names, channel)
    wanted = str(channels[taken])
    files = [file for frame in frames for file in frame if file.get("channel") == wanted]
    if len(files) != len(frames):
        raise ValueError(
            f"{path}: lists {len(frames)} planes and {len(files)} images of channel {wanted}; copy the whole folder, "
            "or choose another channel"
        )
    pages = [(path.parent / _said(path, file, "filename"), int(file.get("page", 1)) - 1) for file in files]
    if len({name for name, _ in pages}) == len(pages):
        # a file a plane: its one page, whatever the XML counts
        pages = [(name, 0) for name, _ in pages]
    for name, _ in pages:
        if not name.exists():
            raise ValueError(f"{path}: lists {name.name}, which is not beside it; copy the whole folder")
    microns = {
        item.get("index"): float(_said(path, item, "value"))
        for value in root.iter("PVStateValue")
        if value.get("key") == "micronsPerPixel"
        for item in value.findall("IndexedValue")
    }
    voxel = complete(microns.get(f"{axis}Axis") for axis in "ZYX")
    try:
        first = _read_page(*pages[0])
    except Exception as error:
        raise ValueError(f"{pages[0][0]}: is truncated or damaged ({error}); copy it again") from None
    return Stack((len(pages), *first.shape), first.dtype, voxel, str(path), lambda z: _read_page(*pages[z]))


def _said(path: Path, element: ElementTree.Element, key: str) -> str:
    value = element.get(key)
    if value is None:
        raise ValueError(f"{path}: an element {element.tag} lacks its {key}; copy or export the stack again")
    return value


def _read_page(path: Path, page: int) -> np.ndarray:
    # the OME header of such a file points at all the others; only the page itself is wanted
    with tifffile.TiffFile(path, is_ome=False) as file:
        return file.pages[page].asarray()
