"""A synapse network fitted to a volume that nobody has labelled (`spinome.normalisation`).

How far the statistics of the last layer move says whether the network sees there what it knows: in volumes where it
fails, they move farther than in any that it was tuned on.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from spinome.cuboids import evenly_spaced
from spinome.normalisation import fitted
from spinome.synapses.classify import Evidence
from spinome.synapses.network import resampled
from spinome.synapses.network.published import PublishedNet
from spinome.synapses.network.tiles import TILE
from spinome.synapses.network.unet import Network, shrink

# tiles of the sample, evenly spaced over the volume
SAMPLE = 8


def adapt(network: Network, evidence: Evidence) -> Network:
    """The network with the statistics of a volume; the same for the same volume and network, however it is cut.

    Its card says how far they have moved, under `moved`.

    Raises
    ------
    DamagedError: if a tile of the sample cannot be read
    """
    net, moved = fitted(network.net, _sample(evidence, network))
    return Network(net, {**network.card, "moved": round(moved, 4)})


def _sample(evidence: Evidence, network: Network) -> Iterator[Tensor]:
    """Tiles (1, 1, Z, Y, X) of the network's pixels, evenly spaced over the volume."""
    if isinstance(network.net, PublishedNet):
        for piece in evenly_spaced(evidence.image.shape, resampled.tile_size(evidence.voxel_nm), SAMPLE):
            yield resampled.read_pixels(evidence, piece.core)[0]
        return
    factors = (1, *network.factors(evidence.voxel_nm))
    size = tuple(length * factor for length, factor in zip(TILE, factors))
    for piece in evenly_spaced(evidence.image.shape, size, SAMPLE):
        levels = evidence.grey.levels(evidence.image[piece.core])
        yield torch.from_numpy(shrink(levels, factors[1:]))[None, None]
