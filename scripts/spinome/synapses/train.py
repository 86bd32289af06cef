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
# voxels this close to the border between the two halves see the same image, and train neither
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
    """Train a forest on all volumes; choose threshold and least size on halves that it was not trained on.

    Each volume is cut in two along x. A forest trained on the left halves is tried on the right ones and the other
    way around; see `choose_point` for the operating point.

    Parameters
    ----------
    volumes : by name, the evidence and the truth labels (0 background)
    voxels_per_class : to train on, at most

    Raises
    ------
    ValueError: if truth and image disagree in shape, or no synapse is among the training voxels.
    """
    described, labels, side = [], [], []
    for name, (evidence, truth) in volumes.items():
        require_same_grid([evidence.image, truth])
        share = min(1.0, 4 * voxels_per_class * len(volumes) / np.prod(truth.shape) / len(volumes))
        for piece in cuboids(truth.shape, cuboid, halo(evidence.voxel_nm, evidence.vesicles is not None)):
            classes = training_classes(truth[piece.padded], evidence.voxel_nm)[piece.inner]
            chosen = draw(classes, share, f"{name}-{piece.name}", seed)
            where, found = describe(evidence, piece, contrast, vesicle_threshold, chosen)
            described.append(found)
            labels.append(classes[tuple(where.T)])
            side.append(_side(where[:, 2] + piece.start[2], truth.shape[2], evidence.voxel_nm))
    described, labels, side = np.concatenate(described), np.concatenate(labels), np.concatenate(side)

    outcomes: dict[tuple[float, float], list[Matched]] = {}
    halves = []
    for half in (0, 1):
        rows, values = balance(described[side == half], labels[side == half], voxels_per_class, seed)
        halves.append(flatten(fit(rows, values, trees, depth, seed)))
    for evidence, truth in volumes.values():
        probability = np.zeros(truth.shape, np.float32)
        middle = truth.shape[2] // 2
        for piece in cuboids(
            truth.shape, (*cuboid[:2], middle), halo(evidence.voxel_nm, evidence.vesicles is not None)
        ):
            other = halves[0] if piece.start[2] >= middle else halves[1]
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
        "object precision, recall, F1 between halves": [round(score, 3) for score in scores[threshold, min_volume]],
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


def _side(x: np.ndarray, width: int, voxel_nm: VoxelSize) -> np.ndarray:
    """0 for voxels of the left half, 1 for the right, -1 for those between."""
    from_middle = (x - width // 2) * voxel_nm[2]
    return np.where(from_middle < -BUFFER_NM, 0, np.where(from_middle >= BUFFER_NM, 1, -1))
