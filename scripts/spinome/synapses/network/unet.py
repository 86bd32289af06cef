"""A small U-Net for synapses, in plain torch: the probability of a synapse at cells of two pixels.

Sections are several times thicker than pixels, so the finest level looks within sections alone and the coarser ones
also across them, until a voxel of the coarsest is about as deep as it is wide (as in Lee et al. 2017, arXiv
1706.00120). Normalisation is by batch statistics that are fixed after training: nothing in a prediction depends on
how much of the volume is looked at, beyond `REACH`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spinome.io.networks import read_network, write_network
from spinome.io.units import VoxelSize
from spinome.synapses.grey import MIDDLE, SPREAD, shrinkage

WIDTHS = (16, 32, 48)
# pixels of an output cell, and of a cell of the coarsest level: arrays begin and end on multiples of the latter
CELL, GRID = 2, 8
# sections and pixels (z, y, x) that an output depends on, rounded up to the grid
REACH = (3, 80, 80)
# the kind of another laboratory's network, on the card of its file (`spinome.synapses.network.published`)
PUBLISHED = "published network"


class Convolution(nn.Sequential):
    """Convolution over `size` (z, y, x), batch normalisation, activation; a stride of two halves y and x."""

    def __init__(self, channels: int, out: int, size: tuple[int, int, int], stride: int = 1) -> None:
        padding = tuple((length - 1) // 2 for length in size)
        convolution = nn.Conv3d(channels, out, size, (1, stride, stride), padding, bias=False)
        super().__init__(convolution, nn.BatchNorm3d(out, momentum=0.05), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two convolutions added to their input; the first looks across sections where `across`."""

    def __init__(self, channels: int, across: bool) -> None:
        super().__init__()
        self.first = Convolution(channels, channels, (3 if across else 1, 3, 3))
        plain = nn.Conv3d(channels, channels, (1, 3, 3), padding=(0, 1, 1), bias=False)
        self.second = nn.Sequential(plain, nn.BatchNorm3d(channels, momentum=0.05))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class UNet(nn.Module):
    """Logits of a synapse (B, 1, Z, Y/2, X/2) from images (B, 1, Z, Y, X), Y and X multiples of `GRID`."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.fine = nn.Sequential(Convolution(1, fine, (1, 4, 4), 2), Residual(fine, False))
        self.middle = nn.Sequential(Convolution(fine, middle, (1, 4, 4), 2), Residual(middle, True))
        self.coarse = nn.Sequential(
            Convolution(middle, coarse, (1, 4, 4), 2), Residual(coarse, True), Residual(coarse, False)
        )
        self.to_middle = Convolution(coarse, middle, (1, 1, 1))
        self.merged_middle = Residual(middle, True)
        self.to_fine = Convolution(middle, fine, (1, 1, 1))
        self.merged_fine = Residual(fine, False)
        self.head = nn.Conv3d(fine, 1, 1)
        nn.init.constant_(self.head.bias, -4.0)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.merged_middle(middle + enlarge(self.to_middle(coarse)))
        return self.head(self.merged_fine(fine + enlarge(self.to_fine(middle))))


def find_device() -> torch.device:
    """The graphics processor that PyTorch sees, or the main one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def enlarge(x: Tensor) -> Tensor:
    """Twice the height and width."""
    return x.repeat_interleave(2, -2).repeat_interleave(2, -1)


@dataclass(frozen=True)
class Network:
    """A trained net and the card that says where it comes from.

    `pixel_nm` of the card is what a `UNet` was trained on; a `spinome.synapses.network.published.PublishedNet` knows
    one size of voxel.
    """

    net: nn.Module
    card: dict[str, Any]

    def factors(self, voxel_nm: VoxelSize) -> tuple[int, int]:
        """How many voxels (y, x) make a pixel of the net."""
        return shrinkage(voxel_nm, self.card["pixel_nm"])


def shrink(levels: np.ndarray, factors: tuple[int, int]) -> np.ndarray:
    """Levels averaged to pixels and centred, with the far edge repeated up to whole cells of the coarsest level.

    Parameters
    ----------
    levels : (Z, Y, X) uint8 from `Grey.levels`

    Returns
    -------
    (Z, Y', X') float32 in standard deviations of the volume
    """
    return (average(levels, factors) - np.float32(MIDDLE)) / np.float32(SPREAD)


def average(values: np.ndarray, factors: tuple[int, int]) -> np.ndarray:
    """Means (float32) over `factors` voxels of each section; the far edge is repeated up to whole cells of `GRID`."""
    depth, height, width = values.shape
    factor_y, factor_x = factors
    beyond = (-height % (GRID * factor_y), -width % (GRID * factor_x))
    if any(beyond):
        values = np.pad(values, ((0, 0), (0, beyond[0]), (0, beyond[1])), mode="edge")
    rows, columns = values.shape[1] // factor_y, values.shape[2] // factor_x
    return values.reshape(depth, rows, factor_y, columns, factor_x).mean(axis=(2, 4), dtype=np.float32)


def save_network(path: str | Path, network: Network) -> None:
    """Write the weights with the card in the header."""
    write_network(path, network.net, network.card)


def load_network(path: str | Path) -> Network:
    """Load a net with its card.

    Raises
    ------
    FileNotFoundError, ValueError: if there is no such file, or it is no synapse net of Spinome; the message names it.
    """
    net, card = read_network(path, _empty, "synapse network", "`models.synapses` and `synapses.train`")
    return Network(net.to(find_device(), memory_format=torch.channels_last_3d), card)


def _empty(card: dict[str, Any]) -> nn.Module:
    if card.get("kind", "") == PUBLISHED:
        # imported here, since it builds on this module
        from spinome.synapses.network.published import PublishedNet

        return PublishedNet()
    return UNet()
