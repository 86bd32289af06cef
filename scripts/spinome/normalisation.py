"""A network fitted to a volume that nobody has labelled, by the statistics of its normalisation layers.

Tissue that is stained or cut in another way shifts what each layer sees, and a network that is right about the order of
voxels becomes too sure or too timid. Mean and variance of what each normalisation layer sees are measured on a sample
of the volume itself, and the trained ones moved a share of the way there (Li et al. 2016, arXiv 1603.04779; Schneider
et al. 2020, arXiv 2006.16971). No label is used, and the weights stay as they are.

How far the statistics of the last layer move says whether the network sees there what it knows (`moved`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)
# how far the statistics move, from the trained ones to the measured ones; the card of the shipped synapse network has
# the scores that this was chosen by
SHARE = 0.5


def fitted(net: Net, tiles: Iterable[Tensor], share: float = SHARE) -> tuple[Net, float]:
    """A copy of a net with the statistics of what it sees in these tiles, and how far those of the last layer moved.

    Parameters
    ----------
    tiles : (1, channels, Z, Y, X) each
    """
    net = copy.deepcopy(net)
    layers = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm3d)]
    trained = [(layer.running_mean.clone(), layer.running_var.clone()) for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        # no momentum: the mean over all tiles, whatever their order
        layer.momentum = None
        layer.train()
    device = next(net.parameters()).device
    with torch.inference_mode():
        for tile in tiles:
            net(tile.to(device))
    with torch.no_grad():
        for layer, (mean, variance) in zip(layers, trained):
            layer.running_mean.copy_(mean.lerp(layer.running_mean, share))
            layer.running_var.copy_(variance.lerp(layer.running_var, share))
    return net.eval(), moved(*trained[-1], layers[-1])


def moved(mean: Tensor, variance: Tensor, layer: nn.BatchNorm3d) -> float:
    """How far the statistics of a layer have moved from these: means in spreads and logarithms of variances, summed."""
    with torch.no_grad():
        means = (layer.running_mean - mean).abs() / variance.sqrt()
        return float(means.mean() + (layer.running_var / variance).log().abs().mean())
