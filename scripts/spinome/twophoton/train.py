"""Train the detector on stacks with known spines and on flat field views with boxes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.scores.detection import average_precision, match_points
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import CROP, HEAT_STRIDE, UNIT_BOX, Detector
from spinome.twophoton.inputs import PIXEL_UM, compress, resample, scale_intensity

# a spine fades with the distance of a slice from its head as the axial point-spread function does
FADE_UM = 0.8
# a spine this faint in a slice is no target there
FAINTEST = 0.25
BATCH = 8
# largest step of the weights of a new detector and of one that was trained before
LEARNING_RATE, TUNING_RATE = 1.5e-3, 4e-4
WARM_UP = 50
DECAY = 0.05
EMA = 0.99
HEAT_SIGMA = 2.0
# a query farther than this from a spine, in pixels, does not answer for it
REACH = 8.0
CHECKPOINT_EVERY = 50
# reach of the annotation of a traced dendrite, along z and in the plane
BESIDE_UM = (6.0, 3.6, 3.6)
# held-out crops that the score is watched on
WATCHED = 16
# field views are held out in blocks, every third of so many
FIELD_BLOCKS = 14
HISTORY_COLUMNS = ["step", "loss", "held_out_loss", "held_out_ap", "seconds"]


@dataclass(frozen=True)
class View:
    """A training image on the scale of `scale_intensity`, resampled to `PIXEL_UM`.

    `stack` (Z, Y, X) float32 (Z = 1 for a flat field view), `spines` (N, 4): z in slices, y, x and box side in
    pixels, `step_um` between slices.
    """

    stack: np.ndarray
    spines: np.ndarray
    step_um: float


def fit(
    views: Sequence[View],
    held_out: Sequence[View],
    steps: int,
    checkpoint: str | Path,
    key: str,
    seed: int = 0,
    report_every: int = 25,
    start: Detector | None = None,
) -> tuple[Detector, pd.DataFrame]:
    """Train from nothing or from a detector, or on from the checkpoint where its key is the same.

    AdamW with a warm-up and cosine decay, batches of 8 crops of 256 pixels drawn half from stacks and half from
    field views where there are both, and an exponential moving average of the weights, which is what is returned.

    Parameters
    ----------
    steps : optimiser steps, 0.7 to 1.3 CPU-s each
    checkpoint : file written every 50 steps
    key : hash of data, parameters and code; a checkpoint of another key is not used
    start : a trained detector, whose weights are moved in smaller steps than those of a new one

    Returns
    -------
    the detector, and its history with `HISTORY_COLUMNS`
    """
    torch.manual_seed(seed)
    model = Detector().to(memory_format=torch.channels_last)
    average = Detector()
    if start is not None:
        model.load_state_dict(start.state_dict())
    average.load_state_dict(model.state_dict())
    rate = LEARNING_RATE if start is None else TUNING_RATE
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=DECAY)
    first, history = _resume(checkpoint, key, model, average, optimiser)
    draw = sampler(views)
    watched = [sampler(held_out)(np.random.default_rng(number)) for number in range(WATCHED)]
    losses, started = [], time.process_time()
    for step in range(first, steps):
        rng = np.random.default_rng([seed, step])
        images, targets = zip(*(draw(rng) for _ in range(BATCH)))
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
        batch = torch.from_numpy(np.stack(images)).to(memory_format=torch.channels_last)
        loss = set_loss(model(batch), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        weight = min(EMA, (1 + step) / (10 + step))
        with torch.no_grad():
            for slow, fast in zip(average.state_dict().values(), model.state_dict().values()):
                slow.lerp_(fast.contiguous(), 1 - weight)
        losses.append(float(loss.detach()))
        if (step + 1) % report_every == 0 or step + 1 == steps:
            score = _watch(average, watched) if (step + 1) % (4 * report_every) == 0 or step + 1 == steps else {}
            row = {"step": step + 1, "loss": float(np.mean(losses)), "seconds": time.process_time() - started, **score}
            history.append(row)
            losses = []
            print(", ".join(f"{name} {value:.4g}" for name, value in row.items()), f"of {steps} steps", flush=True)
        if (step + 1) % CHECKPOINT_EVERY == 0:
            _keep(checkpoint, key, step + 1, history, model, average, optimiser)
    return average.eval(), pd.DataFrame(history, columns=HISTORY_COLUMNS)


def sampler(views: Sequence[View]) -> Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]:
    """Return a function that draws one augmented crop, from stacks and field views with equal chance."""
    kinds = [[view for view in views if len(view.stack) > 1], [view for view in views if len(view.stack) == 1]]
    kinds = [kind for kind in kinds if kind]

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        kind = kinds[rng.integers(len(kinds))]
        return augmented_crop(kind[rng.integers(len(kind))], rng)

    return draw


def augmented_crop(view: View, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut a crop around a spine and vary what microscopes vary.

    Rotation, mirror, scale, blur in the plane and along z, saturation (bright shafts clipped, which lifts the spines
    beside them), gain and noise. The neighbouring slices of a flat view are its own image, half the time dimmed and
    blurred.

    Returns
    -------
    image (3, 256, 256) float32 as the detector sees it; spines (N, 4): x, y and box side in pixels, visibility
    """
    focus = view.spines[rng.integers(len(view.spines))] if len(view.spines) else np.zeros(4)
    z = int(np.clip(round(focus[0] + rng.integers(-2, 3)), 0, len(view.stack) - 1))
    scale = np.exp(rng.uniform(-0.3, 0.3))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= rng.choice([-1, 1])
    middle = np.array([CROP / 2, CROP / 2])
    centre = np.asarray(view.stack.shape[1:]) / 2
    centre = focus[1:3] + rng.uniform(-60, 60, 2) if len(view.spines) else centre
    # crop = turn * scale * (image - centre) + middle, in (y, x)
    inverse = turn.T / scale
    offset = centre - inverse @ middle
    flat = len(view.stack) == 1
    blur = rng.uniform(0, 1.0) / view.step_um
    planes = [
        ndimage.affine_transform(_plane(view.stack, z + step, blur), inverse, offset, (CROP, CROP), np.float32, order=1)
        for step in ((0,) if flat else (-1, 0, 1))
    ]
    if flat:
        planes *= 3
        # as it is when no stack is there to detect in, or as if one were
        if rng.random() < 0.5:
            for side in (0, 2):
                planes[side] = ndimage.gaussian_filter(planes[1], rng.uniform(0.5, 2.5)) * rng.uniform(0.3, 1.0)
    image = np.stack(planes)
    if rng.random() < 0.5:
        image = ndimage.gaussian_filter(image, (0, *[rng.uniform(0.3, 1.3)] * 2))
    if rng.random() < 0.6:
        limit = rng.uniform(0.25, 1.0)
        image = np.minimum(image, limit) / limit
    image = image * np.exp(rng.uniform(-0.35, 0.35))
    noise = np.exp(rng.uniform(np.log(0.003), np.log(0.08), 2))
    spread = np.sqrt(noise[0] ** 2 + noise[1] ** 2 * np.clip(image, 0, None))
    image = compress(image + spread * rng.standard_normal(image.shape, np.float32))

    place = (view.spines[:, 1:3] - centre) @ (turn * scale).T + middle
    shown = np.exp(-0.5 * ((view.spines[:, 0] - z) * view.step_um / FADE_UM) ** 2)
    inside = ((place > 0) & (place < CROP)).all(axis=1) & (shown >= FAINTEST)
    spines = np.column_stack([place[:, 1], place[:, 0], view.spines[:, 3] * scale, shown])[inside]
    return image, spines.astype(np.float32)


def _plane(stack: np.ndarray, z: int, blur: float) -> np.ndarray:
    """A slice, blurred along z by a standard deviation in slices; the first and last slice go on for ever."""
    weights = np.exp(-0.5 * (np.arange(-2, 3) / max(blur, 0.2)) ** 2)
    indices = np.clip(np.arange(z - 2, z + 3), 0, len(stack) - 1)
    return np.tensordot((weights / weights.sum()).astype(np.float32), stack[indices], 1)


def set_loss(output: dict, targets: Sequence[np.ndarray]) -> Tensor:
    """Loss of a batch: each spine is answered by one query, every other query by none, on both decoder layers.

    The heatmap is an auxiliary loss. Scores and heatmap learn how visible a spine is in the slice, by quality
    focal loss (Li et al. 2020); boxes by the absolute error of centre and log side.

    Parameters
    ----------
    output : of `Detector`
    targets : for each image (N, 4): x, y and box side in pixels, visibility
    """
    heat, size = output["heat"], output["size"]
    count = max(1, sum(len(target) for target in targets))
    goal = torch.from_numpy(np.stack([heat_target(target, heat.shape[1:]) for target in targets]))
    loss = quality_focal(heat, goal).sum() / count
    for index, target in enumerate(targets):
        if len(target):
            cell = torch.from_numpy((target[:, :2] / HEAT_STRIDE).astype(np.int64))
            cell[:, 0].clamp_(0, heat.shape[2] - 1)
            cell[:, 1].clamp_(0, heat.shape[1] - 1)
            side = torch.from_numpy(np.log(target[:, 2] / UNIT_BOX))
            loss = loss + 0.2 * (size[index, cell[:, 1], cell[:, 0]] - side).abs().sum() / count
    for boxes, logits in output["stages"]:
        wanted = torch.zeros_like(logits)
        for index, target in enumerate(targets):
            rows, columns = assign(boxes[index], logits[index], target)
            if len(rows):
                matched = torch.from_numpy(target[columns])
                wanted[index, rows] = matched[:, 3]
                found = boxes[index, rows]
                loss = loss + 0.25 * (found[:, :2] - matched[:, :2]).abs().sum() / count
                loss = loss + 0.5 * (found[:, 2] - (matched[:, 2] / UNIT_BOX).log()).abs().sum() / count
        loss = loss + quality_focal(logits, wanted).sum() / count
    return loss


def assign(boxes: Tensor, logits: Tensor, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair queries with spines at the least total cost; pairs out of reach are left unpaired."""
    if not len(target):
        return np.zeros(0, int), np.zeros(0, int)
    with torch.no_grad():
        place, score = boxes[:, :2].numpy(), logits.sigmoid().numpy()
    distance = np.linalg.norm(place[:, None] - target[None, :, :2], axis=-1)
    within = distance <= REACH
    rows, columns = linear_sum_assignment(np.where(within, distance / 4 - 2 * score[:, None], 10.0))
    near = within[rows, columns]
    return rows[near], columns[near]


def quality_focal(logits: Tensor, goal: Tensor) -> Tensor:
    """Binary cross entropy weighted by the squared distance of prediction and soft target."""
    return (goal - logits.sigmoid()) ** 2 * functional.binary_cross_entropy_with_logits(logits, goal, reduction="none")


def heat_target(target: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Gaussian of each head's visibility on the heatmap's grid, the highest where they overlap."""
    heat = np.zeros(shape, np.float32)
    reach = 4
    for x, y, _, shown in target:
        column, row = int(x / HEAT_STRIDE), int(y / HEAT_STRIDE)
        rows = np.arange(max(0, row - reach), min(shape[0], row + reach + 1))
        columns = np.arange(max(0, column - reach), min(shape[1], column + reach + 1))
        dy, dx = (rows + 0.5) * HEAT_STRIDE - y, (columns + 0.5) * HEAT_STRIDE - x
        blob = shown * np.exp(-(dy[:, None] ** 2 + dx[None] ** 2) / (2 * HEAT_SIGMA**2))
        window = np.ix_(rows, columns)
        heat[window] = np.maximum(heat[window], blob)
    return heat


def field_view(image: np.ndarray, boxes: np.ndarray, pixel_um: float) -> View:
    """Make a training view of a flat field view.

    Parameters
    ----------
    image : (Y, X)
    boxes : (N, 4) x_min, y_min, x_max, y_max in pixels
    pixel_um : size of a pixel
    """
    side = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    stack, (pixel_y, pixel_x) = resample(image[None], (1.0, pixel_um, pixel_um))
    centre_y = (boxes[:, 1] + boxes[:, 3]) / 2 * pixel_um / pixel_y - 0.5
    centre_x = (boxes[:, 0] + boxes[:, 2]) / 2 * pixel_um / pixel_x - 0.5
    spines = np.column_stack([np.zeros(len(boxes)), centre_y, centre_x, side * pixel_um / PIXEL_UM])
    view = View(scale_intensity(stack), spines, 1.0)
    return _mirrored(view) if min(stack.shape[1:]) < 1.3 * CROP else view


def _mirrored(view: View) -> View:
    """Four mirror images side by side, so that a crop of a small view is full."""
    height, width = view.stack.shape[1:]
    rows = np.concatenate([view.stack, view.stack[:, ::-1]], axis=1)
    below = view.spines * [1, -1, 1, 1] + [0, 2 * height - 1, 0, 0]
    spines = np.concatenate([view.spines, below])
    right = spines * [1, 1, -1, 1] + [0, 0, 2 * width - 1, 0]
    return View(np.concatenate([rows, rows[:, :, ::-1]], axis=2), np.concatenate([spines, right]), view.step_um)


def stack_view(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    truth: pd.DataFrame,
    dendrites: pd.DataFrame | None = None,
) -> View:
    """Make a training view of a stack (Z, Y, X) with its truth (`read_truth_spines`).

    A box is the head with a margin of 0.2 um on each side, and the median box where no head's size is known. Where
    `dendrites` (`read_truth_dendrites`) are given, spines were annotated along them alone: what lies farther away
    becomes dark, so that its spines are not taken for background.
    """
    resampled, pixel = resample(stack, voxel_um)
    side = truth["diameter_um"].to_numpy(float) + 0.4
    known = np.isfinite(side)
    side = np.where(known, side, np.median(side[known]) if known.any() else 1.1)
    place = truth[["z_um", "y_um", "x_um"]].to_numpy(float) / (voxel_um[0], *pixel)
    image = scale_intensity(resampled)
    if dendrites is not None:
        image *= _beside(dendrites, image.shape, (voxel_um[0], *pixel))
    return View(image, np.column_stack([place, side / PIXEL_UM]), voxel_um[0])


def _beside(dendrites: pd.DataFrame, shape: tuple[int, int, int], voxel_um: tuple[float, float, float]) -> np.ndarray:
    """1 where a stack lies beside the traced dendrites, 0 elsewhere, soft between: (Z, Y, X) float32."""
    nodes = (dendrites[["z_um", "y_um", "x_um"]].to_numpy(float) / voxel_um).round().astype(int)
    away = np.ones(shape, bool)
    away[tuple(np.clip(nodes, 0, np.array(shape) - 1).T)] = False
    distance = ndimage.distance_transform_edt(away, sampling=np.array(voxel_um) / BESIDE_UM)
    return ndimage.gaussian_filter((distance <= 1).astype(np.float32), (0, 2, 2))


def read_fields(folder: str | Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read flat field views: `boxes.csv` with `image x_min_px y_min_px x_max_px y_max_px`, and `images` beside it.

    They come in the order of their names, so that near-duplicates of one dendrite follow each other.

    Yields
    ------
    image (Y, X) float32 and its boxes (N, 4): x_min, y_min, x_max, y_max in pixels from the image's corner
    """
    folder = Path(folder)
    corners = ["x_min_px", "y_min_px", "x_max_px", "y_max_px"]
    for name, own in read_table(folder / "boxes.csv", ["image", *corners]).groupby("image", sort=True):
        image = np.asarray(imageio.imread(folder / "images" / str(name)), np.float32)
        yield image if image.ndim == 2 else image[..., :3].mean(axis=2), own[corners].to_numpy(float)


def held_out_fields(count: int) -> np.ndarray:
    """Which of `count` field views in the order of their names are held out, (count,) bool: every third block.

    Neighbours by name are often near-duplicates of one dendrite, so they are held out in blocks.
    """
    return np.arange(count) * FIELD_BLOCKS // max(count, 1) % 3 == 2


def hold_out(views: Sequence[View], share: float = 0.1) -> tuple[list[View], list[View]]:
    """Hold the last tenth of the stacks out and the field views of `held_out_fields`.

    Raises
    ------
    ValueError: if there is no view.
    """
    if not views:
        raise ValueError("there is nothing to train the detector on; name series with truth in `twophoton.train`")
    stacks, flat = ([view for view in views if (len(view.stack) == 1) == kind] for kind in (False, True))
    count = max(1, round(share * len(stacks)))
    held = held_out_fields(len(flat))
    training = (stacks[:-count] or stacks) + [view for view, out in zip(flat, held) if not out]
    held_out = stacks[-count:] + [view for view, out in zip(flat, held) if out]
    return training, held_out or training[-1:]


def calibrate(model: Detector, held_out: Sequence[View]) -> tuple[float, float]:
    """The score at which held-out spines, tracked through depth, are found with the best F1, and that F1."""
    stacks = [view for view in held_out if len(view.stack) > 1] or list(held_out)
    scores, hits, total = [], [], 0
    for view in stacks:
        voxel = (view.step_um, PIXEL_UM, PIXEL_UM)
        boxes = detect(view.stack, voxel, model)
        spines, _ = find_spines(boxes, view.stack, voxel)
        place = spines[["z_um", "y_um", "x_um"]].to_numpy(float)
        rows, _ = match_points(place, view.spines[:, :3] * voxel, 0.7, 2 * view.step_um)
        hit = np.zeros(len(place), bool)
        hit[rows] = True
        scores.append(spines["score"].to_numpy())
        hits.append(hit)
        total += len(view.spines)
    score, hit = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-score)
    f1 = 2 * np.cumsum(hit[order]) / (np.arange(1, len(order) + 1) + total)
    best = int(np.argmax(f1))
    return round(float(score[order][best]), 4), round(float(f1[best]), 4)


def average_precision_of_boxes(found: Sequence[np.ndarray], targets: Sequence[np.ndarray], reach: float = 5.0) -> float:
    """Average precision of boxes (N, 4: x, y, side, score) within `reach` pixels of targets, over images."""
    scores, hits = [], []
    for boxes, target in zip(found, targets):
        flat = [np.column_stack([np.zeros(len(points)), points[:, 1::-1]]) for points in (boxes, target)]
        rows, _ = match_points(*flat, reach)
        scores.append(boxes[:, 3])
        hits.append(np.isin(np.arange(len(boxes)), rows))
    return average_precision(np.concatenate(scores), np.concatenate(hits), sum(len(target) for target in targets))


@torch.inference_mode()
def _watch(model: Detector, crops: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    found, targets, losses = [], [], []
    for image, target in crops:
        output = model(torch.from_numpy(image[None]))
        losses.append(float(set_loss(output, [target])))
        boxes, logits = output["stages"][-1]
        found.append(torch.cat([boxes[0], logits[0].sigmoid()[:, None]], -1).numpy())
        targets.append(target)
    return {"held_out_loss": float(np.mean(losses)), "held_out_ap": average_precision_of_boxes(found, targets)}


def _resume(path: str | Path, key: str, model: Detector, average: Detector, optimiser: torch.optim.Optimizer) -> tuple:
    if Path(path).exists():
        state = torch.load(path, weights_only=True)
        if state["key"] == key:
            model.load_state_dict(state["model"])
            average.load_state_dict(state["average"])
            optimiser.load_state_dict(state["optimiser"])
            print(f"resumed after {state['step']} steps", flush=True)
            return state["step"], state["history"]
    return 0, []


def _keep(path: str | Path, key: str, step: int, history: list, model: Detector, average: Detector, optimiser) -> None:
    state = {"key": key, "step": step, "history": history, "model": model.state_dict()}
    with atomic(path) as part:
        torch.save({**state, "average": average.state_dict(), "optimiser": optimiser.state_dict()}, part)
