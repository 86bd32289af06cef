"""Which candidates are spines: a forest that sees each of them in three dimensions and beside its shaft.

The detector sees three slices; it takes noise and the edge of a shaft for a spine more often than a person does. What
tells them apart is measured here, at the depth that `spinome.twophoton.depth` gives, in the frame of the shaft: how
bright the candidate is against the shaft beside it, how the light falls off outward, inward and along the shaft, and
how far it reaches through the slices. A forest on these features is trained in seconds, so a laboratory can have its
own from a hundred labelled spines.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from spinome.columns import POSITION
from spinome.io.models import Model
from spinome.twophoton.depth import at_depth, depth_estimates, true_heads, true_offsets
from spinome.twophoton.depth_track import without_doubles
from spinome.twophoton.place import WIDTHS, moved, moves, offsets_in_frame, profiles
from spinome.twophoton.shaft import Shafts, shafts
from spinome.twophoton.truth import distance_to_dendrites

# candidates that the detector scores lower are not judged: of 437 real spines 424 score as much
LEAST_SCORE = 0.25
# Gaussian widths in um that brightness is taken at, and width along z
SCALES_UM = (0.12, 0.24, 0.42, 0.72)
AXIAL_UM = 0.7
# steps from a candidate outward from the shaft (negative: toward it), to either side along the shaft, and in slices
OUTWARD_UM = (-1.7, -1.3, -1.0, -0.7, -0.5, -0.25, 0.25, 0.5, 0.7, 1.0, 1.3)
ALONG_UM = (0.36, 0.6, 0.96)
BELOW_UM = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)
RING_UM = 0.6
# where the necks of a head's neighbours would be: this far toward the shaft
NECK_UM = -0.72
CROWD_UM = (0.8, 1.5)
# a shaft farther away than this says nothing
FAR_UM = 4.0
# of two candidates this close the better one is the spine
APART_UM = 0.9
# a candidate is trained on as a spine this near to a head, in the plane (um) and in slices
LABEL_REACH = (1.0, 3)
# annotators trace some dendrites only; what lies farther from them is not trained on
TRAINED_UM = 3.0
# spines of one square of this side are in one fold
BLOCK_UM = 15.0
TREES, LEAF, SHARE, FOLDS = 200, 5, 0.3, 5
# in the forest that is taught by simulated candidates too, all of them count this much of all real ones
SIMULATED = 0.3
RING_RANKS = (0, 3, 6, 9, 11)
FEATURES = [
    *("score", "slices", "side_um", "shaft_distance_um", "shaft_radius_um", "shaft_level", "above_shaft_um"),
    *(f"level_{width}" for width in SCALES_UM),
    *(f"brightness_{width}" for width in SCALES_UM),
    *(f"contrast_{width}" for width in SCALES_UM[1:]),
    *(f"below_{step}" for step in BELOW_UM),
    *(f"outward_{step}" for step in OUTWARD_UM),
    *(f"{which}_{step}" for step in ALONG_UM for which in ("along_low", "along_high", "neck_low", "neck_high")),
    *(f"ring_{rank}" for rank in RING_RANKS),
    *(f"{which}_{reach}" for reach in CROWD_UM for which in ("better", "lead")),
]


@dataclass(frozen=True)
class _Beside:
    """The shaft nearest to each candidate: signed distance and radius in um, brightness, its slice, and the unit
    vector (y, x) that leads outward from it."""

    distance_um: np.ndarray
    radius_um: np.ndarray
    level: np.ndarray
    slice: np.ndarray
    outward: np.ndarray


def candidate_features(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    spines: pd.DataFrame,
    depth: list[float],
    place: list[list[float]] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bring each candidate of a stack to its depth and then to its head, and describe it there.

    Parameters
    ----------
    stack : (Z, Y, X), registered, any unit
    voxel_um : voxel size (z, y, x)
    spines : frame with `spinome.twophoton.depth_track.SPINE_COLUMNS`
    depth : weights of estimates of depth (`spinome.twophoton.depth.learn_depth`)
    place : weights of the light around candidates (`spinome.twophoton.place.learn_place`); None leaves them at their
        depth, as judges did that were trained before there were any

    Returns
    -------
    `spines` with their `z_um z_slice y_um x_um`, and a frame with `FEATURES`, rows as `spines`; brightness is counted
    in that of the shaft nearby
    """
    spines = spines.reset_index(drop=True)
    if spines.empty:
        return spines, pd.DataFrame(columns=FEATURES, dtype=float)
    pixel = np.asarray(voxel_um[1:])
    spines, smooth, fine, found, beside = _at_depth(stack, voxel_um, spines, depth)
    if place is not None:
        around = profiles(fine, voxel_um, spines[POSITION].to_numpy(float), beside.outward, beside.level)
        spines = moved(spines, moves(around, place, beside.outward), stack.shape, voxel_um)
        beside = _beside(fine, found, voxel_um, spines)
    middle = ndimage.gaussian_filter(smooth, (0, *(SCALES_UM[1] / pixel)))
    lateral = spines[["y_um", "x_um"]].to_numpy(float) / pixel
    z = spines["z_slice"].to_numpy(float).round().clip(0, len(stack) - 1)

    def light(volume: np.ndarray, step_um: np.ndarray, below_um: float = 0.0) -> np.ndarray:
        there = lateral + step_um / pixel
        slices = (z + below_um / voxel_um[0]).clip(0, len(stack) - 1)
        return ndimage.map_coordinates(volume, [slices, there[:, 0], there[:, 1]], order=1, mode="nearest")

    def scaled(values: np.ndarray) -> np.ndarray:
        return np.arcsinh(8 * values / beside.level)

    here = [light(volume, np.zeros(2)) for volume in (fine, middle)]
    for width in SCALES_UM[2:]:
        here.append(light(ndimage.gaussian_filter(smooth, (0, *(width / pixel))), np.zeros(2)))
    centre = scaled(here[0])
    outward = beside.outward
    along = np.column_stack([outward[:, 1], -outward[:, 0]])
    columns = [spines[name].to_numpy(float) for name in ("score", "slices", "side_um")]
    columns += [beside.distance_um, beside.radius_um, np.log(beside.level), (z - beside.slice) * voxel_um[0]]
    columns += [scaled(values) for values in here]
    noise = max(1.48 * float(np.median(np.abs(fine))), 1e-6 * float(beside.level.max()))
    columns += [np.arcsinh(values / noise) for values in here]
    columns += [(narrow - wide) / beside.level for narrow, wide in itertools.pairwise(here)]
    columns += [scaled(light(middle, np.zeros(2), step)) - scaled(here[1]) for step in BELOW_UM]
    columns += [scaled(light(fine, step * outward)) - centre for step in OUTWARD_UM]
    for step in ALONG_UM:
        for toward in (0.0, NECK_UM):
            sides = [scaled(light(fine, toward * outward + side * step * along)) - centre for side in (-1.0, 1.0)]
            columns += [np.minimum(*sides), np.maximum(*sides)]
    angles = np.arange(12) * np.pi / 6
    ring = [scaled(light(fine, RING_UM * np.array([np.sin(a), np.cos(a)]))) - centre for a in angles]
    columns += list(np.sort(ring, axis=0)[list(RING_RANKS)])
    columns += _crowd(spines)
    return spines, pd.DataFrame(np.column_stack(columns), columns=FEATURES)


def _at_depth(
    stack: np.ndarray, voxel_um: tuple[float, float, float], spines: pd.DataFrame, depth: list[float]
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, Shafts, _Beside]:
    """Candidates at their depth; the stack above its background, smoothed along z, and in the plane by the least of
    `SCALES_UM` as well; its shafts, and the one beside each candidate."""
    smooth = ndimage.gaussian_filter1d(stack.astype(np.float32), AXIAL_UM / voxel_um[0], axis=0) - np.median(stack)
    fine = ndimage.gaussian_filter(smooth, (0, *(SCALES_UM[0] / np.asarray(voxel_um[1:]))))
    found = shafts(stack, voxel_um[1:])
    beside = _beside(fine, found, voxel_um, spines)
    estimates = depth_estimates(stack, voxel_um, spines, _above_shaft(spines, beside, voxel_um[0]))
    return at_depth(spines, estimates, depth, len(stack), voxel_um[0]), smooth, fine, found, beside


def place_examples(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    spines: pd.DataFrame,
    truth: pd.DataFrame,
    depth: list[float],
) -> tuple[np.ndarray, ...]:
    """What a stack with truth teaches of where heads lie: profiles in three directions and offsets, for `learn_place`.

    Parameters
    ----------
    stack, voxel_um, spines, depth : as `candidate_features` takes them
    truth : of `spinome.twophoton.truth.read_truth`
    """
    spines = spines[spines["score"] >= LEAST_SCORE].reset_index(drop=True)
    if spines.empty:
        return (*(np.zeros((0, width)) for width in WIDTHS), np.zeros((0, 3)))
    spines, _, fine, _, beside = _at_depth(stack, voxel_um, spines, depth)
    head = true_heads(spines, truth)
    rows, place = np.flatnonzero(head >= 0), spines[POSITION].to_numpy(float)
    around = profiles(fine, voxel_um, place[rows], beside.outward[rows], beside.level[rows])
    offsets = truth[POSITION].to_numpy(float)[head[rows]] - place[rows]
    return (*around, offsets_in_frame(offsets, beside.outward[rows]))


def depth_examples(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    spines: pd.DataFrame,
    truth: pd.DataFrame,
) -> tuple[np.ndarray, np.ndarray]:
    """What a stack with truth teaches of depth: estimates and offsets, as `learn_depth` takes them.

    Parameters
    ----------
    stack, voxel_um, spines : as `candidate_features` takes them
    truth : of `spinome.twophoton.truth.read_truth`
    """
    spines = spines[spines["score"] >= LEAST_SCORE].reset_index(drop=True)
    offsets = true_offsets(spines, truth)
    known = np.isfinite(offsets)
    return estimates_of(stack, voxel_um, spines[known].reset_index(drop=True)), offsets[known]


def estimates_of(stack: np.ndarray, voxel_um: tuple[float, float, float], spines: pd.DataFrame) -> np.ndarray:
    """Estimates of the depth of candidates, as `spinome.twophoton.depth.depth_estimates` gives them.

    Parameters
    ----------
    stack, voxel_um, spines : as `candidate_features` takes them
    """
    if spines.empty:
        return depth_estimates(stack, voxel_um, spines, np.zeros(0))
    smooth = ndimage.gaussian_filter1d(stack.astype(np.float32), AXIAL_UM / voxel_um[0], axis=0) - np.median(stack)
    fine = ndimage.gaussian_filter(smooth, (0, *(SCALES_UM[0] / np.asarray(voxel_um[1:]))))
    above = _above_shaft(spines, _beside(fine, shafts(stack, voxel_um[1:]), voxel_um, spines), voxel_um[0])
    return depth_estimates(stack, voxel_um, spines, above)


def examples(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    spines: pd.DataFrame,
    truth: pd.DataFrame,
    dendrites: pd.DataFrame | None,
    name: str,
    depth: list[float],
    place: list[list[float]] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a stack with truth teaches a judge, as `taught` gives it.

    Parameters
    ----------
    stack, voxel_um, spines, depth, place : as `candidate_features` takes them
    truth, dendrites, name : as `taught` takes them
    """
    spines, features = candidate_features(stack, voxel_um, spines[spines["score"] >= LEAST_SCORE], depth, place)
    return taught(spines, features, truth, dendrites, name, voxel_um[0])


def taught(
    spines: pd.DataFrame,
    features: pd.DataFrame,
    truth: pd.DataFrame,
    dendrites: pd.DataFrame | None,
    name: str,
    slice_um: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What described candidates with truth teach a judge.

    Parameters
    ----------
    spines, features : of `candidate_features`
    truth, dendrites : of `spinome.twophoton.truth.read_truth`; where dendrites are traced, candidates within
        `TRAINED_UM` of them alone are learned from
    name : of the series
    slice_um : distance of slices

    Returns
    -------
    features (N, F), labels (N,) and groups (N,), as `train_judge` takes them
    """
    used = np.ones(len(spines), bool)
    if dendrites is not None:
        used = distance_to_dendrites(spines[["z_um", "y_um", "x_um"]].to_numpy(float), dendrites) <= TRAINED_UM
    return features.to_numpy()[used], label_candidates(spines, truth, slice_um)[used], blocks(spines, name)[used]


def label_candidates(spines: pd.DataFrame, truth: pd.DataFrame, slice_um: float) -> np.ndarray:
    """Which candidates (N,) are true spines: the best one within `LABEL_REACH` of each head."""
    place, heads = (frame[["z_um", "y_um", "x_um"]].to_numpy(float) for frame in (spines, truth))
    labels, free = np.zeros(len(place), bool), np.ones(len(heads), bool)
    for row in np.argsort(-spines["score"].to_numpy(), kind="stable"):
        apart = np.linalg.norm(heads[:, 1:] - place[row, 1:], axis=1)
        deep = np.abs(heads[:, 0] - place[row, 0])
        near = np.flatnonzero(free & (apart <= LABEL_REACH[0]) & (deep <= LABEL_REACH[1] * slice_um))
        if len(near):
            labels[row], free[near[np.argmin(apart[near])]] = True, False
    return labels


def blocks(spines: pd.DataFrame, name: str) -> np.ndarray:
    """The square of a field that each candidate lies in, the same square in all sessions."""
    cell = (spines[["y_um", "x_um"]].to_numpy(float) // BLOCK_UM).astype(int)
    return np.array([f"{name}/{y}/{x}" for y, x in cell], dtype=object)


def train_judge(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    truths: int,
    seed: int = 0,
    simulated: np.ndarray | None = None,
) -> tuple[CalibratedClassifierCV, float, float]:
    """Train the forest, calibrated (Platt 1999) on what it says of parts of the fields that it has not seen.

    One real series does not show how other microscopes image, and simulated ones show it roughly. Where there are both,
    two forests are trained, one on the real candidates and one on all, and the probability is their mean: mixed into
    one forest, simulated candidates cost what they bring.

    Parameters
    ----------
    features : (N, F)
    labels : (N,) bool
    groups : (N,) of `blocks`
    truths : number of true spines, those without a candidate included, of real series where there are any
    simulated : (N,) which candidates are simulated

    Returns
    -------
    the calibrated forest; the probability at which unseen candidates are judged with the best F1, and that F1, of real
    candidates where there are any

    Raises
    ------
    ValueError: if fewer than two blocks have a true spine.
    """
    real = np.ones(len(labels), bool) if simulated is None or simulated.all() else ~simulated
    model, unseen = _calibrated_forest(features[real], labels[real], groups[real], np.ones(real.sum()), seed)
    if not real.all():
        weights = np.where(real, 1.0, SIMULATED * real.sum() / (~real).sum())
        other, also = _calibrated_forest(features, labels, groups, weights, seed)
        # the mean of what its calibrated forests say is what such a model says
        model.calibrated_classifiers_ += other.calibrated_classifiers_
        unseen = (unseen + also[real]) / 2
    order = np.argsort(-unseen, kind="stable")
    f1 = 2 * np.cumsum(labels[real][order]) / (np.arange(1, len(order) + 1) + truths)
    best = int(np.argmax(f1))
    return model, float(unseen[order][best]), float(f1[best])


def _calibrated_forest(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, weights: np.ndarray, seed: int
) -> tuple[CalibratedClassifierCV, np.ndarray]:
    """A forest on weighted candidates, calibrated, and what it says of each in blocks that it was not shown (N,)."""
    if len(np.unique(groups[labels])) < 2 or labels.all():
        raise ValueError(
            "too few labelled spines, or all in one place, to tell spines from what only looks like one; "
            "name more series with truth in `twophoton.train_judge`"
        )
    forest = ExtraTreesClassifier(
        TREES, min_samples_leaf=LEAF, max_features=SHARE, class_weight="balanced_subsample", random_state=seed, n_jobs=1
    )
    splits = list(GroupKFold(min(FOLDS, len(np.unique(groups)))).split(features, labels, groups))
    fitted = {"sample_weight": weights}
    unseen = cross_val_predict(forest, features, labels, cv=splits, method="predict_proba", params=fitted)[:, 1]
    model = CalibratedClassifierCV(forest, cv=splits, method="sigmoid", ensemble=False).fit(features, labels, **fitted)
    return model, model.calibrated_classifiers_[0].calibrators[0].predict(unseen)


def judge_stack(
    stack: np.ndarray, voxel_um: tuple[float, float, float], spines: pd.DataFrame, model: Model
) -> pd.DataFrame:
    """Candidates of a stack with the probability that a forest gives them as their `score` (`judged`).

    Parameters
    ----------
    stack, voxel_um, spines : as `candidate_features` takes them; candidates below `LEAST_SCORE` are left out
    model : forest on `FEATURES`
    """
    likely = spines[spines["score"] >= LEAST_SCORE]
    spines, features = candidate_features(stack, voxel_um, likely, model.card["depth"], model.card.get("place"))
    return judge_described(spines, features, model, voxel_um[0])


def judge_described(spines: pd.DataFrame, features: pd.DataFrame, model: Model, slice_um: float) -> pd.DataFrame:
    """Candidates of `candidate_features` with the probability that a forest gives them (`judged`)."""
    probability = model.probabilities(features.to_numpy())[:, 1] if len(spines) else features["score"].to_numpy()
    return judged(spines, probability, slice_um)


def judged(spines: pd.DataFrame, probability: np.ndarray, slice_um: float) -> pd.DataFrame:
    """Candidates with the forest's probability as their `score`, and doubles left out."""
    return without_doubles(spines.reset_index(drop=True).assign(score=probability), slice_um, APART_UM)


def expected_threshold(scores: np.ndarray, otherwise: float = 0.5) -> float:
    """The score at which the F1 that calibrated probabilities lead one to expect is greatest.

    Above a threshold the expected hits are the sum of the probabilities, and all spines together are the sum of all of
    them. So a series sets its own threshold without a label: a dim one is not held to what a bright one reaches.

    Parameters
    ----------
    scores : (N,) probabilities of all candidates
    otherwise : threshold where there is no candidate
    """
    ordered = np.sort(np.asarray(scores, float))[::-1]
    if not len(ordered) or not ordered[0] > 0:
        return otherwise
    f1 = 2 * np.cumsum(ordered) / (np.arange(1, len(ordered) + 1) + ordered.sum())
    return float(ordered[np.argmax(f1)])


def _beside(fine: np.ndarray, found: Shafts, voxel_um, spines: pd.DataFrame) -> _Beside:
    """`fine` (Z, Y, X) is the stack above its background, smoothed, and `found` its shafts."""
    pixel = np.asarray(voxel_um[1:])
    row, column = (
        (spines[f"{axis}_um"].to_numpy(float) / size).round().astype(int).clip(0, length - 1)
        for axis, size, length in zip("yx", pixel, fine.shape[1:])
    )
    brightest = fine.max(axis=0)
    count = len(spines)
    if not found.labels.any():
        level = np.full(count, max(float(np.percentile(brightest, 99.7)), 1e-6))
        direction = np.tile([0.0, 1.0], (count, 1))
        return _Beside(np.full(count, FAR_UM), np.zeros(count), level, np.zeros(count), direction)
    outside = found.labels == 0
    away, nearest = ndimage.distance_transform_edt(outside, sampling=voxel_um[1:], return_indices=True)
    distance = away - ndimage.distance_transform_edt(~outside, sampling=voxel_um[1:])
    slope = np.stack(np.gradient(ndimage.gaussian_filter(distance, 0.24 / pixel), *pixel), axis=-1)[row, column]
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    shaft = tuple(index[row, column] for index in nearest)
    level = ndimage.maximum_filter(brightest, [int(2 * 0.5 / size) + 1 for size in pixel])[shaft]
    floor = max(0.02 * float(brightest.max()), 1e-6)
    return _Beside(
        np.minimum(distance[row, column], FAR_UM),
        found.radius_um[shaft],
        np.maximum(level, floor),
        fine.argmax(axis=0)[shaft].astype(float),
        slope,
    )


def _above_shaft(spines: pd.DataFrame, beside: _Beside, slice_um: float) -> np.ndarray:
    """Height (N,) of candidates over the shaft nearby in um, 0 where there is none."""
    above = (spines["z_slice"].to_numpy(float) - beside.slice) * slice_um
    return np.where(beside.distance_um < FAR_UM, above, 0.0)


def _crowd(spines: pd.DataFrame) -> list[np.ndarray]:
    """How many candidates within each reach score better, and by how much this one leads the best of the others."""
    score = spines["score"].to_numpy(float)
    tree = cKDTree(spines[["z_um", "y_um", "x_um"]].to_numpy(float) * [0.4, 1, 1])
    columns = []
    for reach in CROWD_UM:
        near = [[n for n in own if n != row] for row, own in enumerate(tree.query_ball_point(tree.data, reach))]
        columns.append(np.array([(score[own] > score[row]).sum() for row, own in enumerate(near)], float))
        columns.append(np.array([score[row] - max(score[own], default=0.0) for row, own in enumerate(near)]))
    return columns
