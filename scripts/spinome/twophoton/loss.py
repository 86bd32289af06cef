"""What the detector is trained to make small: each spine answered by one query, and by no other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from spinome.twophoton.detector import HEAT_STRIDE, UNIT_BOX

HEAT_SIGMA = 2.0
# a query farther than this from a spine, in pixels, does not answer for it
REACH = 8.0


def set_loss(output: dict, targets: Sequence[np.ndarray], weights: Sequence[np.ndarray] | None = None) -> Tensor:
    """Loss of a batch: each spine is answered by one query, every other query by none, on both decoder layers.

    The heatmap is an auxiliary loss. Scores and heatmap learn how visible a spine is in the slice, by quality
    focal loss (Li et al. 2020); boxes by the absolute error of centre and log side.

    Parameters
    ----------
    output : output of `Detector`
    targets : for each image (N, 4): x, y and box side in pixels, visibility
    weights : for each image how much each cell of the heatmap counts, and what a query says whose box is centred there;
        without it all count the same
    """
    heat, size = output["heat"], output["size"]
    counts = torch.ones_like(heat) if weights is None else torch.from_numpy(np.stack(weights)).to(heat)
    told = [counts[(index, *_cells(torch.from_numpy(target[:, :2]), heat))] for index, target in enumerate(targets)]
    count = max(1.0, float(sum(float(own.sum()) for own in told)))
    goal = torch.from_numpy(np.stack([heat_target(target, heat.shape[1:]) for target in targets]))
    loss = (quality_focal(heat, goal) * counts).sum() / count
    for index, target in enumerate(targets):
        if len(target):
            side = torch.from_numpy(np.log(target[:, 2] / UNIT_BOX))
            there = size[(index, *_cells(torch.from_numpy(target[:, :2]), heat))]
            loss = loss + 0.2 * ((there - side).abs() * told[index]).sum() / count
    for boxes, logits in output["stages"]:
        wanted, counted = torch.zeros_like(logits), torch.ones_like(logits)
        for index, target in enumerate(targets):
            counted[index] = counts[(index, *_cells(boxes[index, :, :2].detach(), heat))]
            rows, columns = assign(boxes[index], logits[index], target)
            if len(rows):
                matched, own = torch.from_numpy(target[columns]), told[index][columns]
                wanted[index, rows], counted[index, rows] = matched[:, 3], own
                found = boxes[index, rows]
                loss = loss + 0.25 * ((found[:, :2] - matched[:, :2]).abs() * own[:, None]).sum() / count
                loss = loss + 0.5 * ((found[:, 2] - (matched[:, 2] / UNIT_BOX).log()).abs() * own).sum() / count
        loss = loss + (quality_focal(logits, wanted) * counted).sum() / count
    return loss


def _cells(place: Tensor, heat: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of the cell of the heatmap (B, H, W) in which each place (N, 2: x, y in pixels) lies."""
    cell = (place / HEAT_STRIDE).long()
    return cell[:, 1].clamp(0, heat.shape[1] - 1), cell[:, 0].clamp(0, heat.shape[2] - 1)


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
