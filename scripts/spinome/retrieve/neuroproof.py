"""Presynaptic bars of a fly's medulla, from janelia-flyem/neuroproof_examples (CC BY) and places marked by looking.

`config/training/neuroproof_ts2_synapses.tsv` is our own annotation: the darkest places (z, y, x in voxels) of dense
bodies on a membrane, in the first 150 sections of `training_sample2` (FIB-SEM, 10 nm). All 288 local minima of the grey
values smoothed by 2 voxels, darker than 94 % of the voxels, were looked at on sections of 0.8 um around them, the 32
doubtful ones again on three sections. A large bar has several places. Left out are minima in mitochondria, and a few
doubtful ones. One annotator looked once; nobody else has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, label

from spinome.io.units import VoxelSize

# of `training_sample2/grayscale_maps`: the sections that were looked at, and the checksum of their voxels
SECTIONS, VOXEL_NM = 150, 10.0
SHA256 = "1ffa28118c17f7c50522d37840d4fb1790c7ca613202849f69a65b50940eac8f"
# a bar is what is darker than this after smoothing (voxels), connected, and this close (voxels) to a marked place
DARK, SMOOTH, REACH = 88.0, 1.0, 9.0
# sections that are averaged to one, as thick as sections that are cut with a knife
THICKNESS = (3, 5)


def checked_sections(image: np.ndarray, source: str) -> np.ndarray:
    """The sections that were looked at.

    Parameters
    ----------
    image : (Z, Y, X) uint8
    source : is named where it is another image

    Raises
    ------
    ValueError: if the image is another one
    """
    image = np.ascontiguousarray(image[:SECTIONS])
    if hashlib.sha256(image.tobytes()).hexdigest() != SHA256:
        raise ValueError(
            f"{source}: holds other sections than those that were looked at; put the folder training_sample2/"
            "grayscale_maps of https://github.com/janelia-flyem/neuroproof_examples there, as it is"
        )
    return image


def grow_bars(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The bars at marked places, with the voxels that touch them: bool of the shape of the image.

    Parameters
    ----------
    image : (Z, Y, X)
    places : (N, 3) voxels; a place that is not dark marks nothing
    """
    dark = gaussian_filter(image.astype(np.float32), SMOOTH) < DARK
    grid = np.ogrid[tuple(map(slice, image.shape))]
    bars = np.zeros(image.shape, bool)
    for place in places:
        away = sum((axis - at) ** 2 for axis, at in zip(grid, place))
        parts, _ = label(dark & (away < REACH**2))
        if parts[tuple(place)]:
            bars |= parts == parts[tuple(place)]
    return binary_dilation(bars)


def views(image: np.ndarray, bars: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray, VoxelSize]]:
    """The volume as if it were cut along each of its axes, in sections of 30 and 50 nm.

    Yields
    ------
    name, grey values (uint8), bars (uint8, where at least half of a section's voxels are), size of a voxel
    """
    for axis, name in enumerate("zyx"):
        turned = [np.moveaxis(array.astype(np.float32), axis, 0) for array in (image, bars)]
        for deep in THICKNESS:
            grey, share = (_thicken(array, deep) for array in turned)
            thick = deep * VOXEL_NM
            yield (
                f"{name}{thick:.0f}",
                np.rint(grey).astype(np.uint8),
                (share >= 0.5).astype(np.uint8),
                (
                    thick,
                    VOXEL_NM,
                    VOXEL_NM,
                ),
            )


def _thicken(values: np.ndarray, deep: int) -> np.ndarray:
    whole = len(values) // deep * deep
    return values[:whole].reshape(-1, deep, *values.shape[1:]).mean(axis=1)
