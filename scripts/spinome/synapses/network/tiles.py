"""The network's probability in a cuboid, by tiles of the volume that are the same for every cuboid.

Floating point sums depend on how an array is cut, so two cuboids that each run the network on their own halo differ in
the last digits, and then in which voxels pass a threshold. Here the network sees tiles that start at multiples of
`TILE` in the volume, with its whole reach around them: a cuboid takes what it needs of the tiles it touches. Cuboids
of whole tiles compute nothing twice.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from spinome.cuboids import Box, Cuboid, touched
from spinome.synapses.classify import Evidence
from spinome.synapses.network.unet import CELL, REACH, Network, shrink

# sections and pixels of the network
TILE = (16, 256, 256)


def network_probability(evidence: Evidence, cuboid: Cuboid, network: Network) -> np.ndarray:
    """Probability of a synapse at each voxel of a cuboid's core, float32; the same whatever the cuboids are.

    The halo of the cuboid is not used: the image is read where the tiles lie.
    """
    factors = (1, *network.factors(evidence.voxel_nm))
    size = tuple(length * factor for length, factor in zip(TILE, factors))
    result = np.empty(cuboid.shape, np.float32)
    for tile, own, within in touched(cuboid.core, size, evidence.image.shape):
        result[own] = _run(evidence, tile, network, factors)[within]
    return result


@torch.inference_mode()
def _run(evidence: Evidence, tile: Box, network: Network, factors: tuple[int, int, int]) -> np.ndarray:
    # the reach is a multiple of the grid in plane, so cells lie at the same voxels in every tile
    margin = [reach * factor for reach, factor in zip(REACH, factors)]
    low = [max(axis.start - reach, 0) for axis, reach in zip(tile, margin)]
    high = [min(axis.stop + reach, end) for axis, reach, end in zip(tile, margin, evidence.image.shape)]
    levels = evidence.grey.levels(evidence.image[tuple(map(slice, low, high))])
    device = next(network.net.parameters()).device
    image = torch.from_numpy(shrink(levels, factors[1:]))[None, None].to(device)
    logits = network.net(image.contiguous(memory_format=torch.channels_last_3d))[0, 0]
    scale = tuple(float(CELL * factor) for factor in factors[1:])
    sections = slice(tile[0].start - low[0], tile[0].stop - low[0])
    probability = logits[sections].sigmoid()[:, None]
    fine = functional.interpolate(probability, scale_factor=scale, mode="bilinear", align_corners=False)[:, 0]
    rows, columns = (slice(axis.start - start, axis.stop - start) for axis, start in zip(tile[1:], low[1:]))
    return fine[:, rows, columns].cpu().numpy()
