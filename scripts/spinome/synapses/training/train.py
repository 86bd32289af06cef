"""Train a voxel classifier on volumes with truth, and choose where it is to operate."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spinome.cuboids import Box, cuboids
from spinome.io.models import Model
from spinome.io.volumes import Volume, require_same_grid
from spinome.scores.objects import Matched, pool, precision_recall_f1
from spinome.synapses.appearance import known_of
from spinome.synapses.classifiers import Classifier
from spinome.synapses.classify import Evidence
from spinome.synapses.training.candidates import choose_operation, find_candidates
from spinome.synapses.training.folds import FEW, folds_of, slab_width, synapse_boxes, synapse_volumes
from spinome.synapses.training.learners import Learner, Volumes
from spinome.synapses.training.operating_point import best_point, try_points

# with fewer true synapses a run says that they are few
ENOUGH = 5
# of networks that have learnt from fewer than `FEW` synapses, which are too sure: an object is where they are sure,
# and at least this share of the median labelled synapse. Chosen in view of four draws of the benchmark of five labels
FEW_THRESHOLD, FEW_SHARE = 0.8, 0.25

if TYPE_CHECKING:
    from spinome.synapses.network.unet import Network


def train(
    volumes: Volumes,
    learn: Learner,
    classifier_of: Callable[[Model | Network], Classifier],
    cuboid: tuple[int, int, int],
    networks: bool = False,
    tune: Volumes | None = None,
    fit_to: Callable[[Model | Network, Evidence], Model | Network] | None = None,
    taught: Collection[str] = (),
) -> Model | Network:
    """Train on all volumes; choose what makes objects where slabs are predicted by classifiers of the others.

    With volumes to `tune` on it is chosen there, for the classifier as it is fitted to each of them without labels. No
    other classifier is trained then, nor a judge of candidates: what is learnt of one tissue misleads in another.

    Parameters
    ----------
    volumes : by name, the evidence and the truth labels (0 background)
    learn : a learner of `spinome.synapses.training.learners`
    classifier_of : makes a classifier of what `learn` returns
    cuboid : size in which volumes are read
    networks : whether `learn` makes networks: they take a minute each, and can learn from a few synapses
    tune : volumes with truth, apart from the others
    fit_to : fits the classifier to a volume
    taught : names of the volumes whose labels are no truth, but what a network of others finds; they are learnt from,
        and nothing is chosen or scored on them

    Returns
    -------
    the model trained on all, its card with what `operate` says and the score there

    Raises
    ------
    ValueError: if truth and image disagree in shape, or there is nothing to learn from.
    """
    own = {name: volume for name, volume in volumes.items() if name not in taught}
    synapses = [box for _, truth in own.values() for box in synapse_boxes(truth[:])]
    few, lacking = networks and len(synapses) < FEW, lacks(synapses)
    folds = folds_of(few)
    if lacking:
        print(f"warning: training knows {lacking}", flush=True)
    if tune:
        model = _announced(learn, 1)(())
        fitted = [fit_to(model, evidence) if fit_to else model for evidence, _ in tune.values()]
        maps = [whole_map(*volume, classifier_of(one), cuboid) for volume, one in zip(tune.values(), fitted)]
        operation, result = operate_by_rules(tune, maps)
        if moves := [one.card["moved"] for one in fitted if "moved" in one.card]:
            operation["most moved"] = max(moves)
    else:
        learn = _announced(learn, len(folds) + 1)
        maps = left_out(volumes, learn, classifier_of, cuboid, folds)
        maps = [one for name, one in zip(volumes, maps) if name in own]
        model = learn(())
        operation, result = (operate_few if few and synapses else operate)(own, maps)
    where = "volumes tuned on" if tune else "slabs left out"
    card = {
        "task": "probability that a voxel of an EM volume belongs to a synapse",
        "training volumes": list(volumes),
        **model.card,
        **operation,
        f"object precision, recall, F1 on {where}": [round(score, 3) for score in precision_recall_f1(result)],
        "true synapses": len(synapses),
        "lacking": lacking,
        "training data": known_of([evidence for evidence, _ in volumes.values()]).for_card(),
    }
    return replace(model, card=card)


def lacks(synapses: Sequence[Box]) -> str:
    """What the labels lack that a classifier is to be relied on, and the remedy; nothing where there is enough.

    Parameters
    ----------
    synapses : the box of each true synapse
    """
    remedy = f"label {ENOUGH} or more, through several sections, and train again"
    if len(synapses) < ENOUGH:
        return f"only {len(synapses)} true synapse{'s' * (len(synapses) != 1)}: its scores say little; {remedy}"
    if len({(box[0].start, box[0].stop) for box in synapses}) == 1 and synapses[0][0].stop - synapses[0][0].start == 1:
        return f"synapses of a single section alone, and not how they go on in the next; {remedy}"
    return ""


def operate(volumes: Volumes, maps: Sequence[np.ndarray]) -> tuple[dict[str, Any], Matched]:
    """Where classifiers are to operate whose probabilities of slabs left out are known, for their card.

    Candidates are judged where there are enough to learn from. Else rules about volume and peak are chosen.

    Returns
    -------
    `threshold min_volume_um3 min_peak`, with `judge min_probability` where candidates are judged; and what became of
    the objects of all volumes
    """
    pairs = list(zip(volumes.values(), maps))
    every = [find_candidates(probability, evidence, truth) for (evidence, truth), probability in pairs]
    if chosen := choose_operation(every):
        operation, probabilities = chosen
        card: dict[str, Any] = {"threshold": operation.threshold, "min_volume_um3": 0.0, "min_peak": 0.0}
        card |= {"judge": operation.judge.for_card(), "min_probability": operation.min_probability}
        at = [one[operation.threshold] for one in every]
        results = [one.outcome(p, p >= operation.min_probability) for one, p in zip(at, probabilities)]
        return card, pool(results)
    return operate_by_rules(volumes, maps)


def operate_by_rules(volumes: Volumes, maps: Sequence[np.ndarray]) -> tuple[dict[str, Any], Matched]:
    """The threshold, the least volume and the least peak that make the best objects.

    Parameters and returns as `operate`.
    """
    pairs = zip(volumes.values(), maps)
    tried = [try_points(probability, truth[:], evidence.voxel_nm) for (evidence, truth), probability in pairs]
    outcomes = {point: [one[point].result for one in tried] for point in tried[0]}
    point = best_point(outcomes, lambda result: precision_recall_f1(result)[2])
    return dict(zip(("threshold", "min_volume_um3", "min_peak"), point)), pool(outcomes[point])


def operate_few(volumes: Volumes, maps: Sequence[np.ndarray]) -> tuple[dict[str, Any], Matched]:
    """Where networks are to operate that have learnt from a few synapses: by the size of these alone.

    A network without half of five synapses is so much worse than the one with all that no probability can be chosen by
    it. It still scores: the true figure lies above.

    Returns
    -------
    as `operate`
    """
    pairs = list(zip(volumes.values(), maps))
    sizes = [synapse_volumes(truth[:], evidence.voxel_nm) for (evidence, truth), _ in pairs]
    least = FEW_SHARE * float(np.median(np.concatenate(sizes)))
    results = []
    for (evidence, truth), probability in pairs:
        one = find_candidates(probability, evidence, truth, (FEW_THRESHOLD,))[FEW_THRESHOLD]
        volume = one.table["volume_um3"].to_numpy()
        results.append(one.outcome(volume, volume >= least))
    return {"threshold": FEW_THRESHOLD, "min_volume_um3": least, "min_peak": 0.0}, pool(results)


def whole_map(evidence: Evidence, truth: Volume, classifier: Classifier, cuboid: tuple[int, int, int]) -> np.ndarray:
    """The probability of each voxel of a volume, float32."""
    require_same_grid([evidence.image, truth])
    probability = np.zeros(truth.shape, np.float32)
    for piece in cuboids(truth.shape, cuboid, classifier.halo(evidence)):
        probability[piece.core] = classifier.probability(evidence, piece)
    return probability


def left_out(
    volumes: Volumes,
    learn: Learner,
    classifier_of: Callable[[Model | Network], Classifier],
    cuboid: tuple[int, int, int],
    folds: Sequence[tuple[int, ...]],
    nor: tuple[int, ...] = (),
) -> list[np.ndarray]:
    """The probability of each voxel by a classifier that has seen neither the slabs of its fold nor those of `nor`.

    float32, an array for each volume.
    """
    for evidence, truth in volumes.values():
        require_same_grid([evidence.image, truth])
    of_fold = [classifier_of(learn(tuple(sorted({*fold, *nor})))) for fold in folds]
    classifiers = {slab: classifier for fold, classifier in zip(folds, of_fold) for slab in fold}
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
        without = f" but quarter {' and '.join(str(slab + 1) for slab in slabs)} along x" if slabs else ""
        rest = f"; about {np.mean(spent) * (number - len(spent)) / 60:.1f} CPU-min to go" if spent else ""
        print(f"classifier {len(spent) + 1} of {number}, trained on all{without}{rest}", flush=True)
        started = time.process_time()
        model = learn(slabs)
        spent.append(time.process_time() - started)
        return model

    return announced
