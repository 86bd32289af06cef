"""A published network for the postsynaptic densities of mouse cortex: its layers, and how its file is read.

The network is one of seung-lab/modelzoo (`models/IARPAphase1/SynapseDetection`, MIT licence): a residual U-Net that
halves its sections twice and keeps their number, after Lee et al. 2017 (arXiv 1706.00120). Neither its weights nor its
code are a part of Spinome. A user names where the file is and its checksum, and it is translated once into a file as
Spinome's own networks have.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinome.synapses.network.unet import PUBLISHED, Network

# feature maps of the three levels
WIDTHS = (28, 36, 48)
# pixels and sections (z, y, x) that an output depends on, rounded up to the cells of the coarsest level
REACH, GRID = (7, 44, 44), 4
# what the authors say of it: size of a voxel (z, y, x), threshold and least size of objects
VOXEL_NM = (40.0, 7.16, 7.16)
THRESHOLD, LEAST_VOXELS = 0.25, 50
# how their names of layers become ours
NAMES = (
    (r"^inputconv\.conv\.conv", "entry"),
    (r"^embedconv\.conv\.conv", "embed"),
    (r"^outputdeconv\.psd_label\.conv", "head"),
    (r"^convmod(\d)\.", r"down.\1."),
    (r"^rszconvmod(\d)\.convmod\.", r"up.\1.block."),
    (r"^rszconvmod(\d)\.upsampling\.conv\.conv", r"up.\1.enlarged"),
    (r"^rszconvmod(\d)\.bn1", r"up.\1.normal"),
    (r"conv([123])\.conv", r"convolution\1"),
    (r"bn([123])", r"normal\1"),
)


def _convolution(channels: int, out: int, size: tuple[int, int, int], bias: bool = False) -> nn.Conv3d:
    return nn.Conv3d(channels, out, size, padding=tuple(length // 2 for length in size), bias=bias)


class Block(nn.Module):
    """Three normalised convolutions, the first within sections; what the first one gives is added to the last."""

    def __init__(self, channels: int, out: int, size: tuple[int, int, int]) -> None:
        super().__init__()
        self.convolution1 = _convolution(channels, out, (1, 3, 3))
        self.convolution2 = _convolution(out, out, size)
        self.convolution3 = _convolution(out, out, size)
        self.normal1, self.normal2, self.normal3 = (nn.BatchNorm3d(out) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        first = functional.elu(self.normal1(self.convolution1(x)))
        second = functional.elu(self.normal2(self.convolution2(first)))
        return functional.elu(self.normal3(self.convolution3(second) + first))


class Up(nn.Module):
    """A coarser level enlarged and added to a finer one, then a block."""

    def __init__(self, channels: int, out: int, size: tuple[int, int, int]) -> None:
        super().__init__()
        self.enlarged = _convolution(channels, out, size)
        self.normal = nn.BatchNorm3d(out)
        self.block = Block(out, out, size)

    def forward(self, x: Tensor, finer: Tensor) -> Tensor:
        x = x.repeat_interleave(2, -2).repeat_interleave(2, -1)
        return self.block(functional.elu(self.normal(self.enlarged(x) + finer)))


class PublishedNet(nn.Module):
    """Logits (B, 1, Z, Y, X) from grey values over 255 of the same shape; Y and X are multiples of `GRID`."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        flat, deep = (1, 3, 3), (3, 3, 3)
        self.entry = _convolution(1, fine, (1, 5, 5), bias=True)
        self.down = nn.ModuleList([Block(fine, fine, flat), Block(fine, middle, deep), Block(middle, coarse, deep)])
        self.up = nn.ModuleList([Up(middle, fine, flat), Up(coarse, middle, deep)])
        self.embed = _convolution(fine, fine, flat, bias=True)
        self.head = _convolution(fine, 1, (1, 5, 5), bias=True)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down[0](functional.elu(self.entry(x)))
        middle = self.down[1](functional.max_pool3d(fine, (1, 2, 2)))
        coarse = self.down[2](functional.max_pool3d(middle, (1, 2, 2)))
        x = self.up[0](self.up[1](coarse, middle), fine)
        return self.head(functional.elu(self.embed(x)))


def translate(path: str | Path) -> Network:
    """The network in a file of the authors, with a card; hold the file against its checksum first.

    Only tensors are read of the file (`weights_only`), whatever else is in it.

    Raises
    ------
    ValueError: if the file holds no weights of this network; the message names it
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weights = torch.load(path, map_location="cpu", weights_only=True)
        named = {_our_name(name): value.float() for name, value in weights.items()}
        net = PublishedNet()
        lacking, unknown = net.load_state_dict(named, strict=False)
        # how many batches a layer has seen is no part of the file, and nothing depends on it
        lacking = [name for name in lacking if not name.endswith("num_batches_tracked")]
        if lacking or unknown:
            raise ValueError(f"{len(lacking)} layers are lacking and {len(unknown)} are unknown")
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path}: does not hold the published synapse network that Spinome knows ({reason}); the address must be "
            "that of mip1_d2_1175k.chkpt of seung-lab/modelzoo"
        ) from None
    card = {
        "kind": PUBLISHED,
        "task": "probability that a voxel of an EM volume belongs to a postsynaptic density",
        "source": "seung-lab/modelzoo, models/IARPAphase1/SynapseDetection, MIT",
        "voxel_nm": list(VOXEL_NM),
        "threshold": THRESHOLD,
        "min_volume_um3": LEAST_VOXELS * VOXEL_NM[0] * VOXEL_NM[1] * VOXEL_NM[2] / 1e9,
        "min_peak": 0.0,
    }
    return Network(net.eval(), card)


def _our_name(name: str) -> str:
    for theirs, ours in NAMES:
        name = re.sub(theirs, ours, name)
    return name
