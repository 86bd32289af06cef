"""Where heads are: a heat map of each slice, seen with three micrometres of stack on either side of it.

The detector draws boxes in a slice that it sees with its two neighbours, and was taught by flat views and simulated
stacks. This network sees how light comes and goes through the slices, was taught by heads that a person placed, and
says how near each place is to one. Its peaks are places along all three axes; the judge weighs them together with what
the detector found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spinome.io.atomic import atomic
from spinome.twophoton.detector import HALF
from spinome.twophoton.preprocess import compress, resample, scale_intensity

# planes that are seen above and below a slice, and their distance
AROUND, STEP_UM = 3, 1.0
# cells of the map are so many pixels wide; sizes of an image are padded to a multiple of the second
STRIDE, MULTIPLE = 2, 8
# a peak that is lower than this is no candidate
LEAST_HEAT = 0.2
# the map is smoothed by so much along z before its peaks are taken, and a peak is the highest within so much there
SMOOTH_UM, PEAK_UM = 0.5, 1.0
BATCH = 2
HEAD_COLUMNS = ["heat", "z_um", "y_um", "x_um"]


class Convolution(nn.Sequential):
    """3 x 3 convolution, batch normalisation, activation: what is learned of small crops holds in whole slices."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.SiLU())


class HeatMap(nn.Module):
    """A U-Net (Ronneberger et al. 2015) from planes around a slice to the logit of a head at each cell of it."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Sequential(Convolution(2 * AROUND + 1, 24, 2), Convolution(24, 24))
        self.fourth = nn.Sequential(Convolution(24, 48, 2), Convolution(48, 48))
        self.eighth = nn.Sequential(Convolution(48, 80, 2), Convolution(80, 80))
        self.lateral = nn.ModuleList([nn.Conv2d(80, 48, 1), nn.Conv2d(48, 24, 1)])
        self.merge = nn.ModuleList([Convolution(48, 48), Convolution(24, 24)])
        self.out = nn.Conv2d(24, 1, 1)
        nn.init.constant_(self.out.bias, -4.0)

    def forward(self, planes: Tensor) -> Tensor:
        """Logits (B, H/2, W/2) of `planes` (B, 7, H, W), H and W multiples of 8."""
        second = self.second(planes)
        fourth = self.fourth(second)
        coarse = self.lateral[0](self.eighth(fourth))
        for merge, fine, further in zip(self.merge, (fourth, second), (self.lateral[1], None)):
            coarse = merge(fine + functional.interpolate(coarse, scale_factor=2.0, mode="bilinear"))
            coarse = coarse if further is None else further(coarse)
        return self.out(coarse)[:, 0]


@dataclass(frozen=True)
class HeadFinder:
    """Two networks, the first taught by the first half of each series, the second by the other (`half_of`), and the
    series that taught them. What a series says of itself comes from the network that did not see the place."""

    networks: tuple[HeatMap, HeatMap]
    taught_by: tuple[str, ...] = ()


def half_of(shape: tuple[int, ...], cells: np.ndarray) -> np.ndarray:
    """In which half of a field places lie, (N,) bool: it is cut across its longer side.

    Parameters
    ----------
    shape : (Y, X) of the field
    cells : (N, 2) places y x, in the unit of `shape`
    """
    axis = int(np.argmax(shape))
    return cells[:, axis] >= shape[axis] / 2


def planes_around(count: int, z: int, step_um: float) -> np.ndarray:
    """The slices (7,) of a stack of `count` that lie around slice `z`; beyond its ends the last one goes on."""
    steps = np.arange(-AROUND, AROUND + 1) * STEP_UM / step_um
    return np.clip(np.rint(z + steps).astype(int), 0, count - 1)


def find_heads(
    stack: np.ndarray, voxel_um: tuple[float, float, float], finder: HeadFinder, series: str = ""
) -> pd.DataFrame:
    """The peaks of the heat map of a stack.

    Parameters
    ----------
    stack : (Z, Y, X), registered, any unit
    voxel_um : voxel size (z, y, x)
    series : that the stack is of; where it taught the networks, each half is seen by the network of the other one

    Returns
    -------
    frame with `HEAD_COLUMNS`: height of the peak, at least `LEAST_HEAT`, and its place in um
    """
    resampled, pixel = resample(stack, voxel_um)
    image = compress(scale_intensity(resampled))
    own = series in finder.taught_by
    heat = heat_map(image, voxel_um[0], finder.networks, apart=own)
    return peaks(heat, voxel_um, pixel)


@torch.inference_mode()
def heat_map(image: np.ndarray, step_um: float, networks: Sequence[HeatMap], apart: bool = False) -> np.ndarray:
    """How near each cell of each slice is to a head, (Z, Y/2, X/2), from 0 to 1; the mean of what the networks say.

    Parameters
    ----------
    image : (Z, Y, X) at `spinome.twophoton.preprocess.PIXEL_UM`, scaled and compressed as there
    step_um : distance of slices
    apart : each half of the field from the network of the other half alone
    """
    count, height, width = image.shape
    padded = [-(-size // MULTIPLE) * MULTIPLE for size in (height, width)]
    whole = np.pad(image, [(0, 0), *((0, new - old) for new, old in zip(padded, (height, width)))], mode="edge")
    cells = [-(-size // STRIDE) for size in (height, width)]
    heats = np.zeros((len(networks), count, *cells), np.float16)
    faster = [_fused(network) for network in networks]
    lit = np.flatnonzero(image.reshape(count, -1).any(axis=1))
    for start in range(0, len(lit), BATCH):
        slices = lit[start : start + BATCH]
        planes = np.stack([whole[planes_around(count, z, step_um)] for z in slices])
        batch = torch.from_numpy(planes).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
            for own, network in zip(heats, faster):
                own[slices] = network(batch).float().sigmoid().numpy()[:, : cells[0], : cells[1]]
    if not apart:
        return heats.mean(axis=0, dtype=np.float32)
    places = np.stack(np.indices(cells), axis=-1).reshape(-1, 2)
    second = half_of(tuple(cells), places).reshape(cells)
    return np.where(second, heats[0], heats[1]).astype(np.float32)


def peaks(heat: np.ndarray, voxel_um: tuple[float, float, float], pixel_um: tuple[float, float]) -> pd.DataFrame:
    """The highest places of a heat map, each at the centre of the heat around it (`find_heads`).

    Parameters
    ----------
    heat : (Z, Y, X) of `heat_map`
    voxel_um : voxel of the stack that the places are counted in
    pixel_um : pixel (y, x) of the image that was shown to the networks
    """
    heat = ndimage.gaussian_filter1d(heat, SMOOTH_UM / voxel_um[0], axis=0)
    near = max(1, round(PEAK_UM / voxel_um[0]))
    highest = ndimage.maximum_filter(heat, (2 * near + 1, 3, 3))
    found = np.argwhere((heat == highest) & (heat >= LEAST_HEAT))
    deep = 2 * near
    padded = np.pad(heat, ((deep, deep), (1, 1), (1, 1)))
    z, y, x = (found + np.array([deep, 1, 1])).T
    beside = np.stack([[padded[z, y + i, x + j] for j in (-1, 0, 1)] for i in (-1, 0, 1)]) ** 2
    total = np.maximum(beside.sum(axis=(0, 1)), 1e-12)
    moved = [(beside[2].sum(0) - beside[0].sum(0)) / total, (beside[:, 2].sum(0) - beside[:, 0].sum(0)) / total]
    steps = np.arange(-deep, deep + 1)
    profile = np.stack([padded[z + step, y, x] for step in steps]) ** 2
    slices = found[:, 0] + (profile * steps[:, None]).sum(axis=0) / np.maximum(profile.sum(axis=0), 1e-12)
    # a cell is as wide as two pixels; places count from the centre of the stack's first pixel
    lateral = [
        ((cell + move) * STRIDE + STRIDE / 2) * pixel - voxel / 2
        for cell, move, pixel, voxel in zip(found[:, 1:].T, moved, pixel_um, voxel_um[1:])
    ]
    columns = [heat[tuple(found.T)], slices * voxel_um[0], *lateral]
    return pd.DataFrame(np.column_stack(columns).reshape(-1, 4), columns=HEAD_COLUMNS)


def _fused(network: HeatMap) -> nn.Module:
    """The network with its normalisations put into its convolutions, which changes its speed alone."""
    fast = HeatMap()
    fast.load_state_dict(network.state_dict())
    fast.eval()
    for module in fast.modules():
        if isinstance(module, Convolution):
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return fast.to(memory_format=torch.channels_last)


def save_finder(path: str | Path, finder: HeadFinder, facts: dict) -> None:
    """Write both networks in half precision, with plain facts and the series that taught them in the header."""
    weights = {
        f"{number}.{name}": (value.half() if value.is_floating_point() else value).contiguous()
        for number, network in enumerate(finder.networks)
        for name, value in network.state_dict().items()
    }
    with atomic(path) as part:
        header = json.dumps({**facts, "taught_by": list(finder.taught_by)}, sort_keys=True)
        save_file(weights, part, {"spinome": header})


def load_finder(path: str | Path) -> HeadFinder:
    """Load the networks of a file.

    Raises
    ------
    FileNotFoundError, ValueError: if there is no such file, or if it is no heat map of Spinome; the message names it.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such heat map; see `models.heatmap` and `twophoton.train_heatmap`")
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["spinome"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        networks = HeatMap(), HeatMap()
        for number, network in enumerate(networks):
            own = {name[2:]: value for name, value in weights.items() if name.startswith(f"{number}.")}
            network.load_state_dict(own)
        return HeadFinder((networks[0].eval(), networks[1].eval()), tuple(facts["taught_by"]))
    except Exception as error:
        raise ValueError(f"{path}: is no heat map of Spinome ({error}); train one or take the shipped one") from None
