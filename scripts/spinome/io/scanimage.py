"""ScanImage's TIFF files: frames of a slice averaged, fly-back dropped, one channel taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from spinome.io.opened_stack import Channel, Stack, chosen_channel
from spinome.io.units import complete


def open_scanimage(path: Path, file: tifffile.TiffFile, channel: Channel | None) -> Stack:
    """Open a file of ScanImage 5 or later as one stack: the frames of a slice, and repeated volumes, are averaged.

    Raises
    ------
    ValueError: where the header cannot be read, promises more frames than there are, or leaves the channel open.
    """
    facts = _header(path, file)
    saved = np.atleast_1d(facts.get("SI.hChannels.channelSave", 1)).ravel()
    taken = chosen_channel(path, [f"Channel {number}" for number in saved], channel)
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
        voxel = complete((abs(float(step)), extent[1] / height, extent[0] / width))
    stored = np.dtype(pages[0].dtype)
    averaging = len(groups[0]) > 1

    def read(z: int) -> np.ndarray:
        images = [pages[frame * len(saved) + taken].asarray() for frame in groups[z]]
        return np.asarray(np.mean(images, axis=0, dtype=np.float32)) if averaging else images[0]

    return Stack((slices, height, width), np.dtype(np.float32) if averaging else stored, voxel, str(path), read)


def _header(path: Path, file: tifffile.TiffFile) -> dict[str, Any]:
    """The settings of the microscope, from the start of the file or from its first page."""
    facts = (file.scanimage_metadata or {}).get("FrameData") or tifffile.matlabstr2py(file.pages.first.software)
    if not any(str(key).startswith("SI.hStackManager") for key in facts):
        raise ValueError(
            f"{path}: is of ScanImage and its header says nothing of slices and frames; export the slices as a plain "
            "TIFF, averaged"
        )
    return facts
