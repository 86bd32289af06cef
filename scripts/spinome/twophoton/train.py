"""Train the detector on stacks with known spines and on flat field views with boxes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from spinome.io.atomic import atomic
from spinome.scores.detection import average_precision
from spinome.scores.matching import match_points
from spinome.twophoton.augment import sampler
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import Detector
from spinome.twophoton.loss import set_loss
from spinome.twophoton.preprocess import PIXEL_UM
from spinome.twophoton.training_images import View

BATCH = 8
# largest step of the weights of a new detector and of one that was trained before
LEARNING_RATE, TUNING_RATE = 1.5e-3, 4e-4
WARM_UP = 50
DECAY = 0.05
EMA = 0.99
CHECKPOINT_EVERY = 50
# held-out crops that the score is watched on
WATCHED = 16
HISTORY_COLUMNS = ["step", "loss", "held_out_loss", "held_out_ap", "seconds"]


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
    """Train on crops that are drawn half from stacks and half from field views where there are both, and watch how the
    detector does on crops that are held out; see `optimise`.
    """
    watched = [sampler(held_out)(np.random.default_rng(number)) for number in range(WATCHED)]
    draw = sampler(views)
    return optimise(draw, steps, checkpoint, key, seed, report_every, start, lambda model: _watch(model, watched))


def optimise(
    draw: Callable[[np.random.Generator], tuple[np.ndarray, ...]],
    steps: int,
    checkpoint: str | Path | None,
    key: str,
    seed: int = 0,
    report_every: int = 25,
    start: Detector | None = None,
    watch: Callable[[Detector], dict[str, float]] | None = None,
    warm_up: int = WARM_UP,
) -> tuple[Detector, pd.DataFrame]:
    """Train from nothing or from a detector, or on from the checkpoint where its key is the same.

    AdamW with a warm-up and cosine decay, batches of 8 crops of 256 pixels, and an exponential moving average of the
    weights, which is what is returned.

    Parameters
    ----------
    draw : gives an image, its targets, and its weights where it has any, as `set_loss` takes them
    steps : optimiser steps, 0.7 to 1.3 CPU-s each
    checkpoint : file written every 50 steps and after the last; None where none is kept
    key : hash of data, parameters and code; a checkpoint of another key is not used
    start : a trained detector, whose weights are moved in smaller steps than those of a new one
    watch : scores of a detector for the history
    warm_up : steps until the optimiser's are at their largest

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
    losses, started = [], time.process_time()
    for step in range(first, steps):
        rng = np.random.default_rng([seed, step])
        images, *told = zip(*(draw(rng) for _ in range(BATCH)))
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))
        batch = torch.from_numpy(np.stack(images)).to(memory_format=torch.channels_last)
        loss = set_loss(model(batch), *told)
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
            last = step + 1 == steps
            score = watch(average) if watch and (last or (step + 1) % (4 * report_every) == 0) else {}
            row = {"step": step + 1, "loss": float(np.mean(losses)), "seconds": time.process_time() - started, **score}
            history.append(row)
            losses = []
            print(", ".join(f"{name} {value:.4g}" for name, value in row.items()), f"of {steps} steps", flush=True)
        if checkpoint and ((step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps):
            _keep(checkpoint, key, step + 1, history, model, average, optimiser)
    return average.eval(), pd.DataFrame(history, columns=HISTORY_COLUMNS)


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


def _resume(
    path: str | Path | None, key: str, model: Detector, average: Detector, optimiser: torch.optim.Optimizer
) -> tuple:
    if path and Path(path).exists():
        # a job that was killed beside a GPU may go on without one
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["key"] == key:
            model.load_state_dict(state["model"])
            average.load_state_dict(state["average"])
            optimiser.load_state_dict(state["optimiser"])
            print(f"resumed after {state['step']} steps", flush=True)
            return state["step"], state["history"]
    return 0, []


def _keep(path: str | Path, key: str, step: int, history: list, model: Detector, average: Detector, optimiser) -> None:
    state = {"key": key, "step": step, "history": history, "model": model.state_dict()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as part:
        torch.save({**state, "average": average.state_dict(), "optimiser": optimiser.state_dict()}, part)
