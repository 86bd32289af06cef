"""Membrane probability of every voxel by a small U-Net, tile by tile without a seam.

The network looks at pixels of about `PIXEL_NM`, and its normalisation layers are fitted to each volume (`fit_to`). In
its place were two random forests on multi-scale features, one after the other. On tissue of another source the segments
that it leads to have half of their variation of information (docs/benchmarks.md).
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spinome.cuboids import Box, Cuboid, evenly_spaced, touched
from spinome.io.networks import read_network
from spinome.io.units import VoxelSize
from spinome.io.volumes import Volume
from spinome.normalisation import fitted

# oneDNN keeps what it compiles, and working memory with it, for each shape of tile that it meets: a volume has dozens,
# which took 150 MB and more, and a job meets few at a time
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")

# channels at the finest level, the middle and the coarsest; even numbers, since in half precision convolutions over odd
# ones are not to be relied on
WIDTHS = (10, 20, 40)
# size in nm of a pixel that finer voxels are averaged to, as nearly as whole pixels allow
PIXEL_NM = 10.0
# pixels (z, y, x) of a cell of the coarsest level, and those that a pixel depends on, rounded up to whole cells
GRID, REACH = (2, 4, 4), (12, 24, 24)
# pixels (z, y, x) that are computed at once, and the fewest of them where a pixel is of many voxels
TILE, LEAST_TILE = (64, 128, 128), (16, 32, 32)
# tiles that the statistics of a volume are taken from, and the smallest that has any at the coarsest level
SAMPLE, LEAST = 8, (4, 8, 8)
# a tile with more than this share of padding (0, or no number) says less of the tissue than others
PADDED = 0.1
# how far the statistics move: farther helps on tissue that is another (simulated for a network of flies), and harms a
# little on tissue that is alike (docs/benchmarks.md)
SHARE = 0.25
LEVELS = 255
# of an axis the sample of grey values has so many places, unless the volume is that short: else a wide, thin one would
# be known by its first section
PLACES = 4


class MembraneNet(nn.Module):
    """Logits (B, 1, Z, Y, X) of a membrane, of images alike whose sides are multiples of `GRID`.

    Sections are often thicker than pixels: the first step to a coarser level leaves them as they are.
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.fine = nn.Sequential(_convolution(1, fine), _convolution(fine, fine))
        self.middle = nn.Sequential(_convolution(fine, middle), _convolution(middle, middle))
        self.coarse = nn.Sequential(_convolution(middle, coarse), _convolution(coarse, coarse))
        self.to_middle = nn.Conv3d(coarse, middle, 1)
        self.merged_middle = _convolution(2 * middle, middle)
        self.to_fine = nn.Conv3d(middle, fine, 1)
        self.merged_fine = _convolution(2 * fine, fine)
        self.head = nn.Conv3d(fine, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        middle = self.middle(functional.max_pool3d(fine, (1, 2, 2)))
        coarse = self.coarse(functional.max_pool3d(middle, 2))
        up = functional.interpolate(self.to_middle(coarse), scale_factor=2.0, mode="nearest")
        middle = self.merged_middle(torch.cat([middle, up], 1))
        up = functional.interpolate(self.to_fine(middle), scale_factor=(1.0, 2.0, 2.0), mode="nearest")
        return self.head(self.merged_fine(torch.cat([fine, up], 1)))


def _convolution(channels: int, out: int) -> nn.Sequential:
    convolution = nn.Conv3d(channels, out, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(out, momentum=0.05), nn.ReLU(inplace=True))


@dataclass(frozen=True)
class Pixels:
    """The pixels of a volume: `image` (Z, Y, X) of `voxel_nm`, and `grey`, the grey values that it is scaled by."""

    image: Volume
    voxel_nm: VoxelSize
    grey: tuple[float, float]

    @property
    def factors(self) -> tuple[int, int, int]:
        """How many voxels (z, y, x) make a pixel."""
        return tuple(max(1, round(PIXEL_NM / size)) for size in self.voxel_nm)

    @property
    def tile(self) -> tuple[int, int, int]:
        """Voxels of a tile: about as many where a pixel is of several."""
        pixels = (
            max(length // factor // cell * cell, least)
            for length, factor, cell, least in zip(TILE, self.factors, GRID, LEAST_TILE)
        )
        return tuple(length * factor for length, factor in zip(pixels, self.factors))

    def read(self, box: Box, least: tuple[int, int, int] = (1, 1, 1)) -> np.ndarray:
        """The pixels of a box of voxels, float32; the far edge is repeated up to whole cells, and `least`."""
        return self.prepared(self.image[box], least)

    def prepared(self, image: np.ndarray, least: tuple[int, int, int] = (1, 1, 1)) -> np.ndarray:
        """The pixels of a part of the image."""
        return average(scaled(image, self.grey), self.factors, least)


def grey_range(image: Volume, most: int = 2_000_000) -> tuple[float, float]:
    """Grey values (1st and 99th percentile) that a volume is scaled by, from a regular sample of its voxels.

    Voxels of 0, with which volumes are padded, and those that are no number are passed over.

    Raises
    ------
    ValueError: if the sample holds nothing else; the message names the file.
    """
    steps = _steps(image.shape, most)
    # what is padded may hold tissue between the places of a sample
    for part in (0, 0.5, 0.25, 0.75):
        sample = image[tuple(slice(int(part * step), None, step) for step in steps)].ravel()
        sample = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
        seen = sample[sample != 0]
        if len(seen):
            break
    else:
        raise ValueError(f"{getattr(image, 'source', 'the image')}: has no grey value but 0; is it the image?")
    low, high = np.percentile(seen, [1, 99])
    return float(low), float(max(high, low + 1e-6))


def _steps(shape: Sequence[int], most: int) -> list[int]:
    """Steps of a regular sample, one for all axes, but that short ones keep `PLACES` places; the others pay for it."""
    steps, left = [1] * len(shape), float(most)
    order = sorted(range(len(shape)), key=lambda axis: shape[axis])
    for number, axis in enumerate(order):
        others = order[number:]
        step = max(1, math.ceil((math.prod(shape[other] for other in others) / left) ** (1 / len(others))))
        steps[axis] = min(step, max(1, shape[axis] // PLACES))
        if steps[axis] == step:
            for other in others:
                steps[other] = step
            break
        left /= math.ceil(shape[axis] / steps[axis])
    return steps


def scaled(image: np.ndarray, grey: tuple[float, float]) -> np.ndarray:
    """Grey values as float32 between about 0 and 1; what is no number is as dark as the darkest."""
    values = ((image.astype(np.float32) - np.float32(grey[0])) / np.float32(grey[1] - grey[0])).clip(-0.5, 1.5)
    return np.nan_to_num(values, copy=False, nan=0.0) if image.dtype.kind == "f" else values


def average(values: np.ndarray, factors: tuple[int, int, int], least: tuple[int, int, int] = (1, 1, 1)) -> np.ndarray:
    """Means over `factors` voxels, of whole cells of `GRID` and at least `least` pixels: the far edge is repeated."""
    beyond = [
        max(-length % (cell * factor), (fewest * factor) - length)
        for length, cell, factor, fewest in zip(values.shape, GRID, factors, least)
    ]
    if any(beyond):
        values = np.pad(values, [(0, more) for more in beyond], mode="edge")
    if factors == (1, 1, 1):
        return values
    z, y, x = (length // factor for length, factor in zip(values.shape, factors))
    return values.reshape(z, factors[0], y, factors[1], x, factors[2]).mean(axis=(1, 3, 5), dtype=np.float32)


def membrane_truth(truth: np.ndarray) -> np.ndarray:
    """Where membranes are in a dense truth (Z, Y, X): at label 0 and on either side of a face between labels."""
    membrane = truth == 0
    for axis in range(3):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        change = truth[tuple(low)] != truth[tuple(high)]
        membrane[tuple(low)] |= change
        membrane[tuple(high)] |= change
    return membrane


def precision() -> torch.autocast:
    """Half precision (bfloat16) where the processor has it: less than half of the time and memory."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu.get_capabilities().get("avx512_bf16", False))


def fit_to(net: MembraneNet, pixels: Pixels) -> tuple[MembraneNet, float]:
    """The network with the statistics of a volume, and how far they have moved (`spinome.normalisation`).

    The same for the same volume and network, however the volume is cut. No label is used. Of the tiles those count that
    have hardly any padding, or the least there is; those at the far border reach as far back as whole ones do.

    Raises
    ------
    DamagedError: if a tile of the sample cannot be read
    """
    tiles: dict[tuple[int, ...], tuple[float, np.ndarray]] = {}
    for piece in evenly_spaced(pixels.image.shape, pixels.tile, SAMPLE):
        low = [max(0, min(start, end - side)) for start, side, end in zip(piece.start, pixels.tile, pixels.image.shape)]
        stop = [min(start + side, end) for start, side, end in zip(low, pixels.tile, pixels.image.shape)]
        image = pixels.image[tuple(map(slice, low, stop))]
        blank = (image == 0) | ~np.isfinite(image)
        padded = 1.0 if image.min() == image.max() else float(blank.mean())
        tiles[*low] = (padded, pixels.prepared(image, LEAST))
    most = max(PADDED, min(padded for padded, _ in tiles.values()))
    told = [torch.from_numpy(tile)[None, None] for padded, tile in tiles.values() if padded <= most]
    with precision():
        return fitted(net, told, SHARE)


def predict_membranes(net: MembraneNet, pixels: Pixels, cuboid: Cuboid) -> np.ndarray:
    """Membrane probability (Z, Y, X) uint8 in 255ths of a cuboid's core; the same whatever the cuboids are.

    Floating point sums depend on how an array is cut. So the network sees tiles that start at multiples of
    `Pixels.tile` in the volume, with its whole reach around them, and a cuboid takes what it needs of the tiles it
    touches. Its halo is not used.
    """
    result = np.empty(cuboid.shape, np.uint8)
    for tile, own, within in touched(cuboid.core, pixels.tile, pixels.image.shape):
        result[own] = _run(net, pixels, tile)[within]
    return result


@torch.inference_mode()
def _run(net: MembraneNet, pixels: Pixels, tile: Box) -> np.ndarray:
    margin = [reach * factor for reach, factor in zip(REACH, pixels.factors)]
    low = [max(axis.start - reach, 0) for axis, reach in zip(tile, margin)]
    high = [min(axis.stop + reach, end) for axis, reach, end in zip(tile, margin, pixels.image.shape)]
    image = torch.from_numpy(pixels.read(tuple(map(slice, low, high))))[None, None]
    with precision():
        logits = net(image.contiguous(memory_format=torch.channels_last_3d))[0, 0]
    found = logits.float().sigmoid().numpy()
    for axis, factor in enumerate(pixels.factors):
        found = found.repeat(factor, axis) if factor > 1 else found
    inner = tuple(slice(axis.start - start, axis.stop - start) for axis, start in zip(tile, low))
    return np.rint(found[inner] * LEVELS).astype(np.uint8)


def load_membranes(path: str | Path) -> MembraneNet:
    """Load a membrane network.

    Raises
    ------
    FileNotFoundError, ValueError: if there is no such file, or it is no membrane network; the message names it.
    """
    keys = "`models.membranes` and `linking.train`"
    net, _ = read_network(path, lambda card: MembraneNet(), "membrane network", keys)
    return net.to(memory_format=torch.channels_last_3d)
