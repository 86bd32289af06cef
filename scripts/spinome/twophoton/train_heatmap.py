"""Teach the heat map of heads from stacks with truth."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
from torch.nn import functional

from spinome.twophoton.heatmap import STRIDE, HeadFinder, HeatMap, half_of, planes_around
from spinome.twophoton.preprocess import PIXEL_UM, compress, resample, scale_intensity

# optimiser steps of each of the two networks, 0.2 CPU-s each, and crops of a step
STEPS, BATCH, CROP = 700, 12, 96
LEARNING_RATE, DECAY, WARM_UP, EMA = 3e-3, 0.05, 40, 0.985
# the map is this wide around a head, in the plane (pixels) and along z (um); fainter than the last is dark
SPREAD_PX, DEEP_UM, FAINT = 2.2, 0.9, 0.02
# where dendrites are traced, heads are known within so much of them
KNOWN_UM = 3.2
# share of crops that are simulated where there are real ones, that are cut around a head, and that are of one slice
SIMULATED, AT_HEADS, FLAT = 0.3, 0.65, 0.1
# a head counts as much as so many cells of the map
HEAD_CELLS = 6.0
REPORT_EVERY = 50


@dataclass(frozen=True)
class Teacher:
    """A stack with truth: `image` (Z, Y, X) as the network sees it, `step_um` between slices, `heads` (N, 3) and
    `nodes` (M, 3) of traced dendrites in slices and pixels, None where the whole stack is known."""

    image: np.ndarray
    step_um: float
    heads: np.ndarray
    nodes: np.ndarray | None
    simulated: bool


def teacher(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    truth: pd.DataFrame,
    dendrites: pd.DataFrame | None,
    simulated: bool,
) -> Teacher:
    """Make a teacher of a registered stack (Z, Y, X) and its truth (`spinome.twophoton.truth.read_truth`)."""
    resampled, pixel = resample(stack, voxel_um)
    size = np.array((voxel_um[0], *pixel))
    heads, nodes = (
        None if table is None else table[["z_um", "y_um", "x_um"]].to_numpy(float) / size
        for table in (truth, dendrites)
    )
    return Teacher(compress(scale_intensity(resampled)), voxel_um[0], heads, nodes, simulated)


def teach(teachers: Sequence[Teacher], taught_by: Sequence[str], steps: int = STEPS, seed: int = 0) -> HeadFinder:
    """Train both networks, each on its half of every stack (`spinome.twophoton.heatmap.HeadFinder`).

    AdamW with a warm-up and cosine decay on crops of `CROP` pixels; the moving average of the weights is kept.

    Raises
    ------
    ValueError: if a half has no head at all.
    """
    return HeadFinder(tuple(_fit(teachers, half, steps, 2 * seed + half) for half in (False, True)), tuple(taught_by))


def _fit(teachers: Sequence[Teacher], half: bool, steps: int, seed: int) -> HeatMap:
    known = [_in_half(one, half) for one in teachers]
    kinds = [[one for one in known if len(one.heads) and one.simulated == kind] for kind in (False, True)]
    real, simulated = kinds
    if not real and not simulated:
        raise ValueError(
            "one half of the field has no spine that the heat map could learn; name more series with truth in "
            "`twophoton.train_heatmap`"
        )
    torch.manual_seed(seed)
    model = HeatMap().to(memory_format=torch.channels_last)
    average = HeatMap()
    average.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=DECAY)
    losses, started = [], time.process_time()
    for step in range(steps):
        rng = np.random.default_rng([seed, step])
        crops = []
        for _ in range(BATCH):
            of_simulated = bool(simulated) and (not real or rng.random() < SIMULATED)
            own = simulated if of_simulated else real
            crops.append(_crop(own[rng.integers(len(own))], half, rng))
        planes, target, counted = (torch.from_numpy(np.stack(part)) for part in zip(*crops))
        for group in optimiser.param_groups:
            warm = min(1.0, (step + 1) / WARM_UP)
            group["lr"] = LEARNING_RATE * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
        logits = model(planes.to(memory_format=torch.channels_last))
        # cells that are right already count little (Li et al. 2020, quality focal loss)
        cells = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        cells = (target - logits.sigmoid()) ** 2 * cells * counted
        loss = cells.sum() / max(1.0, float((target * counted).sum()) / HEAD_CELLS)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        weight = 1 - min(EMA, (1 + step) / (10 + step))
        with torch.no_grad():
            for slow, fast in zip(average.state_dict().values(), model.state_dict().values()):
                slow.lerp_(fast.contiguous(), weight) if slow.is_floating_point() else slow.copy_(fast)
        losses.append(float(loss.detach()))
        if (step + 1) % REPORT_EVERY == 0 or step + 1 == steps:
            mean, spent = np.mean(losses[-REPORT_EVERY:]), time.process_time() - started
            print(f"half {int(half) + 1}, step {step + 1} of {steps}, loss {mean:.3f}, {spent:.0f} CPU-s", flush=True)
    return average.eval()


def _in_half(one: Teacher, half: bool) -> Teacher:
    """A teacher with the heads and nodes of one half of its field."""
    shape = one.image.shape[1:]
    heads, nodes = (
        None if places is None else places[half_of(shape, places[:, 1:]) == half] for places in (one.heads, one.nodes)
    )
    return Teacher(one.image, one.step_um, heads, nodes, one.simulated)


def _crop(one: Teacher, half: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planes (7, 96, 96) of a place, turned, mirrored, scaled, blurred and noisy; the map to learn (48, 48), and where
    heads are known there."""
    count, shape = len(one.image), one.image.shape[1:]
    at_head = one.nodes is None or not len(one.nodes) or rng.random() < AT_HEADS
    places = one.heads if at_head else one.nodes
    centre = places[rng.integers(len(places))] + [rng.integers(-2, 3), *rng.uniform(-30, 30, 2)]
    z = int(np.clip(round(centre[0]), 0, count - 1))
    angle, scale = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(-0.2, 0.2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= rng.choice([-1, 1])
    # crop = turn * scale * (image - centre) + middle, in (y, x)
    inverse, middle = turn.T / scale, np.full(2, (CROP - 1) / 2)
    offset = centre[1:] - inverse @ middle
    seen = planes_around(count, z, one.step_um)[:: rng.choice([-1, 1])]
    if rng.random() < FLAT:
        seen = np.full(len(seen), z)
    planes = np.stack(
        [ndimage.affine_transform(one.image[s], inverse, offset, (CROP, CROP), np.float32, order=1) for s in seen]
    )
    side = CROP // STRIDE
    cells = np.indices((side, side)).reshape(2, -1).T * STRIDE + (STRIDE - 1) / 2
    there = cells @ inverse.T + offset
    counted = ((there >= 0) & (there <= np.array(shape) - 1)).all(axis=1) & (half_of(shape, there) == half)
    if one.nodes is not None:
        um = np.array([one.step_um, PIXEL_UM, PIXEL_UM])
        points = np.column_stack([np.full(len(there), z), there]) * um
        near = cKDTree(one.nodes * um).query(points)[0] if len(one.nodes) else np.full(len(there), np.inf)
        counted &= near <= KNOWN_UM
    target = np.zeros(len(cells))
    shown = np.exp(-0.5 * ((one.heads[:, 0] - z) * one.step_um / DEEP_UM) ** 2)
    for weight, place in zip(shown, (one.heads[:, 1:] - centre[1:]) @ (turn * scale).T + middle):
        if weight >= FAINT:
            away = ((cells - place) ** 2).sum(axis=1)
            target = np.maximum(target, weight * np.exp(-away / (2 * SPREAD_PX**2)))
    if rng.random() < 0.4:
        planes = ndimage.gaussian_filter(planes, (rng.uniform(0, 0.6), *[rng.uniform(0.3, 1.1)] * 2))
    if rng.random() < 0.3:
        planes = np.minimum(planes, rng.uniform(0.6, 1.0))
    noise = rng.uniform(0, 0.05) * rng.standard_normal(planes.shape, np.float32)
    planes = planes * np.exp(rng.uniform(-0.3, 0.3)) + noise
    as_map = (side, side)
    return planes.astype(np.float32), target.reshape(as_map).astype(np.float32), counted.reshape(as_map)
