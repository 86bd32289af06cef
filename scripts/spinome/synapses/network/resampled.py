"""The probability of a network that knows one size of voxel, in volumes of any: pixels are resampled there and back.

As in `spinome.synapses.network.tiles`, the network sees tiles that are the same for every cuboid. The pixels of all
tiles lie on one grid that begins at the corner of the volume, so that neighbouring tiles see the same pixels.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from spinome.cuboids import Box, Cuboid, touched
from spinome.io.units import VoxelSize
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import MIDDLE, SPREAD
from spinome.synapses.network.published import GRID, REACH, VOXEL_NM
from spinome.synapses.network.unet import Network

# sections and pixels of the network
TILE = (16, 256, 256)
# median and spread, as `measure_grey` has them, of the authors' own cutout of neuropil: what grey values over 255 are
# to the network
CENTRE, CONTRAST = 138.0, 45.0


def resampled_probability(evidence: Evidence, cuboid: Cuboid, network: Network) -> np.ndarray:
    """Probability of a synapse at each voxel of a cuboid's core, float32; the same whatever the cuboids are."""
    result = np.empty(cuboid.shape, np.float32)
    for tile, own, within in touched(cuboid.core, tile_size(evidence.voxel_nm), evidence.image.shape):
        result[own] = _run(evidence, tile, network)[within]
    return result


def scales(voxel_nm: VoxelSize) -> tuple[int, float, float]:
    """Voxels (z, y, x) of a volume that make a voxel of the network; whole sections, at least one."""
    return max(1, round(VOXEL_NM[0] / voxel_nm[0])), VOXEL_NM[1] / voxel_nm[1], VOXEL_NM[2] / voxel_nm[2]


def tile_size(voxel_nm: VoxelSize) -> tuple[int, int, int]:
    """Voxels (z, y, x) of a tile."""
    return tuple(max(1, math.floor(length * scale)) for length, scale in zip(TILE, scales(voxel_nm)))


def read_pixels(evidence: Evidence, tile: Box) -> tuple[torch.Tensor, list[int]]:
    """What the network sees of a tile, its reach around it, and where that begins on the grid of pixels.

    Nothing is seen beyond the volume, as in the authors' patches; the last pixels are filled up by its border.

    Returns
    -------
    image : (1, 1, Z, Y, X) float32
    first : the first pixel (z, y, x)
    """
    scale = scales(evidence.voxel_nm)
    first, axes, read = [], [], []
    for place, factor, reach, grid, end in zip(tile, scale, REACH, (1, GRID, GRID), evidence.image.shape):
        low = max(math.floor((place.start / factor - reach) / grid), 0) * grid
        high = math.ceil(min(place.stop / factor + reach, end / factor) / grid) * grid
        weights, start = _averages(low, high, factor, end)
        first.append(low)
        axes.append(weights)
        read.append(slice(start, start + weights.shape[1]))
    levels = evidence.grey.levels(evidence.image[tuple(read)]).astype(np.float32)
    pixels = axes[1] @ np.tensordot(axes[0], levels, 1) @ axes[2].T
    grey = (CENTRE + (pixels - np.float32(MIDDLE)) * np.float32(CONTRAST / SPREAD)) / 255
    return torch.from_numpy(np.ascontiguousarray(grey, np.float32))[None, None], first


@torch.inference_mode()
def _run(evidence: Evidence, tile: Box, network: Network) -> np.ndarray:
    image, first = read_pixels(evidence, tile)
    device = next(network.net.parameters()).device
    image = image.to(device, memory_format=torch.channels_last_3d)
    fine = network.net(image)[0, 0].sigmoid().cpu().numpy()
    deep, *scale = scales(evidence.voxel_nm)
    # a section of the network stands for whole sections of the volume
    sections = np.arange(tile[0].start, tile[0].stop) // deep - first[0]
    rows, columns = (_between(*axis) for axis in zip(tile[1:], first[1:], fine.shape[1:], scale))
    return (rows @ fine[sections] @ columns.T).astype(np.float32)


def _averages(low: int, high: int, factor: float, end: int) -> tuple[np.ndarray, int]:
    """Weights (pixels from `low` to `high`, voxels) that make pixels of `factor` voxels, and the first of the voxels.

    A pixel larger than a voxel is the mean of what it covers; a smaller one lies between two.
    """
    edges = np.arange(low, high + 1) * factor
    if factor >= 1:
        start, stop = edges[:-1], edges[1:]
    else:
        middle = (edges[:-1] + edges[1:]) / 2
        start, stop = middle - 0.5, middle + 0.5
    voxels = np.arange(math.floor(start[0]), math.ceil(stop[-1]))
    covered = np.minimum(stop[:, None], voxels + 1) - np.maximum(start[:, None], voxels)
    weights = np.clip(covered, 0, None) / (stop - start)[:, None]
    return _inside(weights, voxels, end)


def _inside(weights: np.ndarray, voxels: np.ndarray, end: int) -> tuple[np.ndarray, int]:
    """Weights of voxels beyond the volume given to those at its border."""
    nearest = np.clip(voxels, 0, end - 1)
    kept = np.arange(nearest[0], nearest[-1] + 1)
    gathered = np.zeros((len(weights), len(kept)))
    np.add.at(gathered.T, nearest - nearest[0], weights.T)
    return gathered.astype(np.float32), int(kept[0])


def _between(place: slice, first: int, length: int, factor: float) -> np.ndarray:
    """Weights (voxels of a tile, pixels) that read pixels at the middle of voxels, linearly between two."""
    at = (np.arange(place.start, place.stop) + 0.5) / factor - 0.5 - first
    low = np.clip(np.floor(at).astype(int), 0, length - 2)
    part = np.clip(at - low, 0, 1).astype(np.float32)
    weights = np.zeros((len(at), length), np.float32)
    weights[np.arange(len(at)), low] = 1 - part
    weights[np.arange(len(at)), low + 1] = part
    return weights
