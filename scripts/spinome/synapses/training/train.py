"""Train a voxel classifier on volumes with truth, and choose where it is to operate."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.models import Model
from spinome.io.volumes import require_same_grid
from spinome.scores.objects import pool, precision_recall_f1
from spinome.synapses.appearance import known_of
from spinome.synapses.classifiers import Classifier
from spinome.synapses.training.folds import SLABS, slab_width
from spinome.synapses.training.learners import Learner, Volumes
from spinome.synapses.training.operating_point import best_point, try_points

if TYPE_CHECKING:
    from spinome.synapses.network.unet import Network


def train(
    volumes: Volumes,
    learn: Learner,
    classifier_of: Callable[[Model | Network], Classifier],
    cuboid: tuple[int, int, int],
) -> Model | Network:
    """Train on all volumes; choose the rules that make objects where slabs are predicted by others' classifiers.

    Parameters
    ----------
    volumes : by name, the evidence and the truth labels (0 background)
    learn : a learner of `spinome.synapses.training.learners`
    classifier_of : makes a classifier of what `learn` returns
    cuboid : size in which volumes are read

    Returns
    -------
    the model trained on all, its card with `threshold`, `min_volume_um3`, `min_peak` and the score there

    Raises
    ------
    ValueError: if truth and image disagree in shape, or there is nothing to learn from.
    """
    learn = _announced(learn, SLABS + 1)
    tried = []
    for (evidence, truth), probability in zip(volumes.values(), left_out(volumes, learn, classifier_of, cuboid)):
        tried.append(try_points(probability, truth[:], evidence.voxel_nm))
    results = {point: [one[point].result for one in tried] for point in tried[0]}
    point = best_point(results, lambda result: precision_recall_f1(result)[2])
    model = learn(())
    scores = precision_recall_f1(pool(results[point]))
    card = {
        "task": "probability that a voxel of an EM volume belongs to a synapse",
        "training volumes": list(volumes),
        **model.card,
        **dict(zip(("threshold", "min_volume_um3", "min_peak"), point)),
        "object precision, recall, F1 on slabs left out": [round(score, 3) for score in scores],
        "training data": known_of([evidence for evidence, _ in volumes.values()]).for_card(),
    }
    return replace(model, card=card)


def left_out(
    volumes: Volumes,
    learn: Learner,
    classifier_of: Callable[[Model | Network], Classifier],
    cuboid: tuple[int, int, int],
    nor: tuple[int, ...] = (),
) -> list[np.ndarray]:
    """The probability of each voxel by a classifier that has seen neither its slab nor those of `nor`.

    float32, an array for each volume.
    """
    for evidence, truth in volumes.values():
        require_same_grid([evidence.image, truth])
    classifiers = [classifier_of(learn(tuple(sorted({slab, *nor})))) for slab in range(SLABS)]
    maps = []
    for evidence, truth in volumes.values():
        probability = np.zeros(truth.shape, np.float32)
        width = slab_width(truth.shape[2])
        for piece in cuboids(truth.shape, (*cuboid[:2], width), classifiers[0].halo(evidence)):
            probability[piece.core] = classifiers[piece.start[2] // width].probability(evidence, piece)
        maps.append(probability)
    return maps


def _announced(learn: Learner, number: int) -> Learner:
    """The learner, which says before each of its models which one it is and how long the rest will take."""
    spent: list[float] = []

    def announced(slabs: tuple[int, ...]) -> Model | Network:
        without = f" but quarter {slabs[0] + 1} along x" if slabs else ""
        rest = f"; about {np.mean(spent) * (number - len(spent)) / 60:.1f} CPU-min to go" if spent else ""
        print(f"classifier {len(spent) + 1} of {number}, trained on all{without}{rest}", flush=True)
        started = time.process_time()
        model = learn(slabs)
        spent.append(time.process_time() - started)
        return model

    return announced
