"""A network fitted to a volume that nobody has labelled, by the statistics of its normalisation layers.

Tissue that is stained or cut in another way shifts what each layer sees, and a network that is right about the order of
voxels becomes too sure or too timid. Mean and variance of what each normalisation layer sees are measured on a sample
of the volume itself, and the trained ones moved half of the way there (Li et al. 2016, arXiv 1603.04779; Schneider et
al. 2020, arXiv 2006.16971). No label is used, and the weights stay as they are.

How far the statistics of the last layer move says whether the network sees there what it knows (`moved`): in volumes
where it fails, they move farther than in any that it was tuned on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from spinome.cuboids import evenly_spaced
from spinome.synapses.classify import Evidence
from spinome.synapses.network import resampled
from spinome.synapses.network.published import PublishedNet
from spinome.synapses.network.tiles import TILE
from spinome.synapses.network.unet import Network, shrink

# tiles of the sample, evenly spaced over the volume
SAMPLE = 8
# how far the statistics move, from the trained ones to the measured ones; the card of the shipped network has the
# scores that this was chosen by
SHARE = 0.5


def adapt(network: Network, evidence: Evidence) -> Network:
    """The network with the statistics of a volume; the same for the same volume and network, however it is cut.

    Its card says how far they have moved, under `moved`.

    Raises
    ------
    DamagedError: if a tile of the sample cannot be read
    """
    net = copy.deepcopy(network.net)
    layers = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm3d)]
    trained = [(layer.running_mean.clone(), layer.running_var.clone()) for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        # no momentum: the mean over all tiles, whatever their order
        layer.momentum = None
        layer.train()
    device = next(net.parameters()).device
    with torch.inference_mode():
        for tile in _sample(evidence, network):
            net(tile.to(device))
    with torch.no_grad():
        for layer, (mean, variance) in zip(layers, trained):
            layer.running_mean.copy_(mean.lerp(layer.running_mean, SHARE))
            layer.running_var.copy_(variance.lerp(layer.running_var, SHARE))
    return Network(net.eval(), {**network.card, "moved": round(moved(*trained[-1], layers[-1]), 4)})


def moved(mean: Tensor, variance: Tensor, layer: nn.BatchNorm3d) -> float:
    """How far the statistics of a layer have moved from these: means in spreads and logarithms of variances, summed."""
    with torch.no_grad():
        means = (layer.running_mean - mean).abs() / variance.sqrt()
        return float(means.mean() + (layer.running_var / variance).log().abs().mean())


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
