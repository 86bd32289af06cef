"""Train the membrane network on crops that are turned, cut thicker, blurred, and of other grey values.

One densely labelled volume is little. What holds in another direction, in sections, under another microscope is made
at random here, so that the network sees a membrane by its shape and not by its grey value.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spinome.cuboids import Cuboid
from spinome.io.volumes import Volume
from spinome.linking.membranes import MembraneNet, Pixels, average, membrane_truth, precision

# pixels (z, y, x) of a crop
CROP = (24, 64, 64)
BATCH = 3
LEARNING_RATE, WARM_UP, DECAY = 3e-3, 30, 0.02
# voxels whose sides differ by less than this have no direction; crops of them are cut into sections of so many pixels
ISOTROPIC, THICK = 1.5, (1, 1, 2, 3, 4)
REPORT_EVERY = 100


@dataclass(frozen=True)
class Teacher:
    """`image` and `truth` (Z, Y, X) float32 pixels, and whether the voxels are `isotropic`."""

    image: np.ndarray
    truth: np.ndarray
    isotropic: bool


def teachers_of(pixels: Pixels, truth: Volume, blocks: Iterable[Cuboid]) -> Iterator[Teacher]:
    """What some cuboids of a volume teach.

    Parameters
    ----------
    truth : (Z, Y, X) dense truth of the same grid; label 0 is membrane
    """
    isotropic = max(pixels.voxel_nm) < ISOTROPIC * min(pixels.voxel_nm)
    for block in blocks:
        membrane = membrane_truth(truth[block.core]).astype(np.float32)
        yield Teacher(pixels.read(block.core, CROP), average(membrane, pixels.factors, CROP), isotropic)


def train_membranes(
    teachers: Mapping[str, Sequence[Teacher]], steps: int, seed: int, start: MembraneNet | None = None
) -> MembraneNet:
    """Train a network.

    AdamW with a warm-up and a cosine decay of the learning rate. About 0.3 CPU-s per step in half precision.

    Parameters
    ----------
    teachers : by volume; all volumes are drawn alike
    steps : steps of the optimiser, of `BATCH` crops each
    start : a trained network to begin with, which stays as it is; random weights if not given

    Raises
    ------
    ValueError: if there is no membrane in the truth of a volume, or nothing else; the message names it.
    """
    for name, volume in teachers.items():
        if float(np.mean([teacher.truth.mean() for teacher in volume])) in (0.0, 1.0):
            raise ValueError(
                f"{name}: its truth has no membrane, or nothing but membrane; train on a dense segmentation"
            )
    volumes = list(teachers.values())
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = (MembraneNet() if start is None else copy.deepcopy(start)).to(memory_format=torch.channels_last_3d).train()
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=DECAY)
    losses, started = [], time.process_time()
    for step in range(steps):
        drawn = [volumes[number] for number in rng.integers(len(volumes), size=BATCH)]
        crops = zip(*(draw_crop(volume[rng.integers(len(volume))], rng) for volume in drawn))
        image, truth = (torch.stack(part)[:, None] for part in crops)
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARM_UP) * max(cosine, 0.01)
        with precision():
            logits = net(image.contiguous(memory_format=torch.channels_last_3d))
        loss = functional.binary_cross_entropy_with_logits(logits.float(), truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        if (step + 1) % REPORT_EVERY == 0:
            spent = time.process_time() - started
            mean = np.mean(losses[-REPORT_EVERY:])
            print(f"step {step + 1} of {steps}: loss {mean:.4f}, {spent:.0f} CPU-s", flush=True)
    return net.eval()


def draw_crop(source: Teacher, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw a crop: image and truth, each `CROP` float32."""
    image, truth, thick = source.image, source.truth, 1
    if source.isotropic:
        turns = [turn for turn in _TURNS if all(image.shape[axis] >= side for axis, side in zip(turn, CROP))]
        turn = turns[rng.integers(len(turns))]
        image, truth = image.transpose(turn), truth.transpose(turn)
        fit = [each for each in THICK if (CROP[0] - 1) * each < len(image)]
        thick = fit[rng.integers(len(fit))]
    room = ((CROP[0] - 1) * thick + 1, *CROP[1:])
    start = [rng.integers(length - side + 1) for length, side in zip(image.shape, room)]
    box = tuple(slice(low, low + side, step) for low, side, step in zip(start, room, (thick, 1, 1)))
    flip = tuple(slice(None, None, rng.choice([-1, 1])) for _ in CROP)
    swap = (0, 2, 1) if rng.random() < 0.5 else (0, 1, 2)
    image, truth = (
        torch.from_numpy(np.ascontiguousarray(array[box].transpose(swap)[flip])) for array in (image, truth)
    )
    return _roughen(image, rng), truth


_TURNS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def _roughen(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Another curve of grey values, a softer or sharper image, grain, other contrast, sections of other brightness."""
    image = image.clamp(0, 1) ** float(np.exp(rng.normal(0, 0.3)))
    fate = rng.random()
    if fate < 0.35:
        for _ in range(rng.integers(1, 3)):
            image = _soft(image)
    elif fate < 0.55:
        image = image + float(rng.uniform(0.3, 1.2)) * (image - _soft(image))
    if rng.random() < 0.6:
        grain = torch.from_numpy(rng.standard_normal(image.shape, np.float32))
        image = image + float(rng.uniform(0, 0.15)) * grain
    image = (image - image.mean()) * float(np.exp(rng.normal(0, 0.25))) + image.mean() + float(rng.normal(0, 0.1))
    if rng.random() < 0.4:
        a_section = (len(image), 1, 1)
        gain, shift = np.exp(rng.normal(0, 0.1, a_section)), rng.normal(0, 0.08, a_section)
        image = image * torch.from_numpy(gain).float() + torch.from_numpy(shift).float()
    return image


def _soft(image: Tensor) -> Tensor:
    return functional.avg_pool2d(image[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
