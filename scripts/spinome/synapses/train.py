"""Train the voxel classifier on volumes with truth, and choose where it is to operate."""

from __future__ import annotations

from collections.abc import Mapping

import cc3d
import numpy as np
from scipy.ndimage import uniform_filter

from spinome.blocks import cuboids
from spinome.io.models import Model
from spinome.io.volumes import Volume, VoxelSize, require_same_grid
from spinome.scores.objects import Matched, match_one_to_one, outcome, overlaps, pool, precision_recall_f1
from spinome.synapses.classify import Evidence, balance, describe, draw, fit, halo, training_classes
from spinome.synapses.detect import synapse_probability
from spinome.synapses.features import FEATURES
from spinome.synapses.forest import flatten

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.985)
MIN_VOLUMES_UM3 = (0.0, 0.0002, 0.0004, 0.0006, 0.0008, 0.0012, 0.0018, 0.0025, 0.005)
# slabs along x that the operating point is chosen on, each by a forest trained on the others: with fewer, a forest
# knows less than the final one and its probabilities lie lower
SLABS = 4
# voxels this close to a slab see the same image, and do not train its forest
BUFFER_NM = 200.0


def train(
    volumes: Mapping[str, tuple[Evidence, Volume]],
    *,
    cuboid: tuple[int, int, int],
    trees: int,
    depth: int,
    voxels_per_class: int,
    contrast: float,
    vesicle_threshold: float,
    seed: int,
) -> Model:
    """Train a forest on all volumes; choose threshold and least size on slabs that it was not trained on.

    Each volume is cut into slabs along x. A forest trained on all other slabs is tried on each; see `choose_point`
    for the operating point.

    Parameters
    ----------
    volumes : by name, the evidence and the truth labels (0 background)
    voxels_per_class : to train on, at most

    Raises
    ------
    ValueError: if truth and image disagree in shape, or no synapse is among the training voxels.
    """
    described, labels, far_from = [], [], []
    for name, (evidence, truth) in volumes.items():
        require_same_grid([evidence.image, truth])
        share = min(1.0, 4 * voxels_per_class * len(volumes) / np.prod(truth.shape) / len(volumes))
        for piece in cuboids(truth.shape, cuboid, halo(evidence.voxel_nm, evidence.vesicles is not None)):
            classes = training_classes(truth[piece.padded], evidence.voxel_nm)[piece.inner]
            chosen = draw(classes, share, f"{name}-{piece.name}", seed)
            where, found = describe(evidence, piece, contrast, vesicle_threshold, chosen)
            described.append(found)
            labels.append(classes[tuple(where.T)])
            far_from.append(_far_from_slabs(where[:, 2] + piece.start[2], truth.shape[2], evidence.voxel_nm))
    described, labels, far_from = np.concatenate(described), np.concatenate(labels), np.concatenate(far_from)

    outcomes: dict[tuple[float, float], list[Matched]] = {}
    others = []
    for far in far_from.T:
        rows, values = balance(described[far], labels[far], voxels_per_class, seed)
        others.append(flatten(fit(rows, values, trees, depth, seed)))
    for evidence, truth in volumes.values():
        probability = np.zeros(truth.shape, np.float32)
        width = _slab_width(truth.shape[2])
        for piece in cuboids(truth.shape, (*cuboid[:2], width), halo(evidence.voxel_nm, evidence.vesicles is not None)):
            other = others[piece.start[2] // width]
            probability[piece.core] = synapse_probability(evidence, piece, other, contrast, vesicle_threshold)
        for point, result in try_points(probability, truth[:], evidence.voxel_nm).items():
            outcomes.setdefault(point, []).append(result)
    scores = {point: precision_recall_f1(pool(results)) for point, results in outcomes.items()}
    threshold, min_volume = choose_point({point: values[2] for point, values in scores.items()})
    rows, values = balance(described, labels, voxels_per_class, seed)
    card = {
        "task": "probability that a voxel of an EM volume belongs to a synapse",
        "training volumes": list(volumes),
        "training voxels": {"synapse": int((values == 1).sum()), "background": int((values == 0).sum())},
        "trees": trees,
        "depth": depth,
        "seed": seed,
        "threshold": threshold,
        "min_volume_um3": min_volume,
        "object precision, recall, F1 on slabs left out": [round(score, 3) for score in scores[threshold, min_volume]],
    }
    return Model(fit(rows, values, trees, depth, seed), FEATURES, card)


def try_points(probability: np.ndarray, truth: np.ndarray, voxel_nm: VoxelSize) -> dict[tuple[float, float], Matched]:
    """Match objects one to one at every threshold and least volume (um3) of the grid."""
    true = cc3d.connected_components(truth, connectivity=18)
    truth_ids = np.arange(1, int(true.max()) + 1)
    results = {}
    for threshold in THRESHOLDS:
        found = cc3d.connected_components(probability >= threshold, connectivity=18)
        volume = np.bincount(found.ravel())[1:] * (np.prod(voxel_nm) / 1e9)
        shared = overlaps(true, found)
        for min_volume in MIN_VOLUMES_UM3:
            kept = np.flatnonzero(volume >= min_volume) + 1
            matched = match_one_to_one(shared[shared["found"].isin(kept)])
            results[threshold, min_volume] = outcome(matched, truth_ids, kept, np.zeros(len(kept)))
    return results


def choose_point(f1: Mapping[tuple[float, float], float]) -> tuple[float, float]:
    """The point of the grid with the best mean F1 of itself and its neighbours: few objects make single peaks."""
    grid = np.array([[f1[threshold, volume] for volume in MIN_VOLUMES_UM3] for threshold in THRESHOLDS])
    weight = uniform_filter(np.ones(grid.shape), 3, mode="constant")
    best = np.argmax(uniform_filter(np.nan_to_num(grid), 3, mode="constant") / weight)
    threshold, volume = np.unravel_index(best, grid.shape)
    return THRESHOLDS[threshold], MIN_VOLUMES_UM3[volume]


def _slab_width(width: int) -> int:
    return -(-width // SLABS)


def _far_from_slabs(x: np.ndarray, width: int, voxel_nm: VoxelSize) -> np.ndarray:
    """Whether voxels at x (N,) are so far from each slab that they may train its forest: (N, SLABS) bool."""
    start = np.arange(SLABS) * _slab_width(width)
    before = (start - x[:, None]) * voxel_nm[2]
    behind = (x[:, None] - start - _slab_width(width) + 1) * voxel_nm[2]
    return np.maximum(before, behind) > BUFFER_NM
