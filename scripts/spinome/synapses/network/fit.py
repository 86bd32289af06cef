"""Train the synapse network."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spinome.io.atomic import atomic
from spinome.synapses.network.augment import Teacher, draw_crop
from spinome.synapses.network.unet import UNet, find_device

BATCH = 4
LEARNING_RATE, WARM_UP, DECAY = 3e-3, 30, 0.02
# a synapse voxel weighs this much more than another; how much the overlap of whole synapses counts beside voxels
POSITIVE_WEIGHT, OVERLAP_WEIGHT = 3.0, 0.3
REPORT_EVERY = 50
CHECKPOINT_EVERY = 10


def fit_network(
    teachers: Sequence[Teacher],
    steps: int,
    seed: int,
    start: UNet | None = None,
    checkpoint: str | Path | None = None,
) -> UNet:
    """Train a net on random crops, from nothing or from a net that has learnt elsewhere.

    AdamW with a warm-up and a cosine decay of the learning rate, batches of 4 crops, in half precision (bfloat16) where
    the processor has it, which halves the time. About 0.35 CPU-s per step there. On a GPU where PyTorch sees one.

    Parameters
    ----------
    teachers : drawn in proportion to their pixels times their weights
    steps : steps of the optimiser
    start : is left as it is; without one the crops are rough (`augment.draw_crop`), for tissue that nobody has seen yet
    checkpoint : file written every 10 steps, from which training goes on where it is there; its name is to tell the
        teachers, the steps, the seed and the start from others

    Raises
    ------
    ValueError: if the teachers show no synapse.
    """
    if not any(source.objects for source in teachers):
        raise ValueError("no synapse is left to train the network on; check the truth of the training volumes")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = find_device()
    net = (copy.deepcopy(start) if start else UNet()).to(device, memory_format=torch.channels_last_3d).train()
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=DECAY)
    sizes = np.array([source.image.size * source.weight for source in teachers], float)
    half = device.type == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    first, losses = _resume(checkpoint, net, optimiser, rng)
    started = time.process_time()
    for step in range(first, steps):
        drawn = rng.choice(len(teachers), BATCH, p=sizes / sizes.sum())
        crops = zip(*(draw_crop(teachers[index], rng, rough=start is None) for index in drawn))
        image, truth, weight = (torch.stack(part)[:, None].to(device) for part in crops)
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARM_UP) * max(cosine, 0.01)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = net(image.contiguous(memory_format=torch.channels_last_3d))
        loss = loss_of(logits.float(), truth, weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        if (step + 1) % REPORT_EVERY == 0 or step + 1 == steps:
            seconds, mean = time.process_time() - started, np.mean(losses[-REPORT_EVERY:])
            rest = seconds / (step + 1 - first) * (steps - step - 1)
            print(f"step {step + 1} of {steps}: loss {mean:.3f}, {seconds:.0f} CPU-s, {rest:.0f} to go", flush=True)
        if checkpoint and ((step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps):
            _keep(Path(checkpoint), step + 1, losses, net, optimiser, rng)
    return net.eval()


def _resume(
    path: str | Path | None, net: UNet, optimiser: torch.optim.Optimizer, rng: np.random.Generator
) -> tuple[int, list[float]]:
    if not path or not Path(path).exists():
        return 0, []
    # a job that was killed beside a GPU may go on without one
    state = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict(state["net"])
    optimiser.load_state_dict(state["optimiser"])
    # crops are drawn one after another
    rng.bit_generator.state = json.loads(state["rng"])
    print(f"resumed after {state['step']} steps", flush=True)
    return state["step"], state["losses"]


def _keep(
    path: Path, step: int, losses: list[float], net: UNet, optimiser: torch.optim.Optimizer, rng: np.random.Generator
) -> None:
    state = {"step": step, "losses": losses, "net": net.state_dict(), "optimiser": optimiser.state_dict()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as part:
        torch.save({**state, "rng": json.dumps(rng.bit_generator.state)}, part)


def loss_of(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy of cells plus one minus their Dice overlap, where there is weight.

    Parameters
    ----------
    logits : (B, 1, Z, Y/2, X/2)
    truth, weight : (B, 1, Z, Y, X); a cell counts if all of its pixels do
    """
    truth = functional.avg_pool3d(truth, (1, 2, 2))
    weight = (functional.avg_pool3d(weight, (1, 2, 2)) > 0.99).float()
    positive = torch.tensor(POSITIVE_WEIGHT, device=logits.device)
    cells = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none", pos_weight=positive)
    found = logits.sigmoid() * weight
    overlap = (2 * (found * truth).sum() + 10) / ((found**2).sum() + (truth**2 * weight).sum() + 10)
    return (cells * weight).sum() / weight.sum().clamp(min=1) + OVERLAP_WEIGHT * (1 - overlap)
