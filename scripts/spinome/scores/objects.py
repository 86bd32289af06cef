"""Found objects against true ones, matched one to one.

A score that counts every overlap can be gamed: all membranes as one object find every synapse. Here a found object
answers for one true object at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spinome.scores import detection
from spinome.scores.intervals import bootstrap

# what masks have for what is inside
MASKS = (0, 1, 255, 65535)


@dataclass(frozen=True)
class Matched:
    """Outcome of a matching: `found_score` and `found_true` for each found object, `truth_found` for each true one.

    All are arrays of one entry per object; the latter two bool.
    """

    found_score: np.ndarray
    found_true: np.ndarray
    truth_found: np.ndarray


def object_labels(objects: np.ndarray) -> np.ndarray:
    """Labelled objects as they are; a mask is taken apart into what is connected, of 18 neighbours.

    A mask has one value above 0: 1, or the largest of 8 or 16 bits. Where all of it is connected it is one object, and
    its label stays.
    """
    highest = objects.max(initial=0)
    if objects.dtype != bool and (highest not in MASKS or ((objects != 0) & (objects != highest)).any()):
        return objects
    parts, number = cc3d.connected_components(objects != 0, connectivity=18, return_N=True)
    return objects if number == 1 and objects.dtype != bool else parts


def match_one_to_one(shared: pd.DataFrame, min_voxels: int = 10) -> pd.DataFrame:
    """The largest set of pairs in which no object appears twice; among those of one size, the largest overlap.

    Parameters
    ----------
    shared : what `spinome.scores.overlap.object_overlaps` returns
    min_voxels : overlaps below this do not count

    Returns
    -------
    the rows of `shared` that are matched
    """
    shared = shared[shared["voxels"] >= min_voxels].reset_index(drop=True)
    if shared.empty:
        return shared
    truth, truths = pd.factorize(shared["truth"])
    found, founds = pd.factorize(shared["found"])
    size = len(truths) + len(founds)
    graph = coo_array((np.ones(len(shared)), (truth, found + len(truths))), shape=(size, size))
    group = connected_components(graph, directed=False)[1][truth]
    kept = []
    for rows in shared.groupby(group).indices.values():
        local_truth, first = np.unique(truth[rows], return_inverse=True)
        local_found, second = np.unique(found[rows], return_inverse=True)
        voxels = shared["voxels"].to_numpy()[rows]
        gain = np.zeros((len(local_truth), len(local_found)))
        # a pair more outweighs any overlap
        gain[first, second] = voxels.sum() + voxels
        row_of = np.full(gain.shape, -1)
        row_of[first, second] = rows
        chosen = row_of[linear_sum_assignment(gain, maximize=True)]
        kept.extend(chosen[chosen >= 0])
    return shared.loc[sorted(kept)].reset_index(drop=True)


def outcome(matched: pd.DataFrame, truth_ids: np.ndarray, found_ids: np.ndarray, scores: np.ndarray) -> Matched:
    """What became of each object: `matched` from `match_one_to_one`, and all ids with the scores of the found."""
    return Matched(
        found_score=np.asarray(scores, float),
        found_true=np.isin(found_ids, matched["found"]),
        truth_found=np.isin(truth_ids, matched["truth"]),
    )


def partners(matched: pd.DataFrame, truth_ids: np.ndarray, found_ids: np.ndarray) -> np.ndarray:
    """For each found object the position in `truth_ids` of the true one it is matched with, or -1."""
    truth = matched.set_index("found")["truth"].reindex(found_ids)
    return pd.Index(truth_ids).get_indexer(truth)


def leave_out(result: Matched, partner: np.ndarray, truth_left_out: np.ndarray) -> Matched:
    """The outcome without some true objects (bool) and without the found ones that are matched with them.

    Parameters
    ----------
    partner : what `partners` returns
    """
    kept = (partner < 0) | ~truth_left_out[partner] if len(truth_left_out) else partner < 0
    return Matched(result.found_score[kept], result.found_true[kept], result.truth_found[~truth_left_out])


def pool(outcomes: list[Matched]) -> Matched:
    """Join the outcomes of several volumes."""
    return Matched(
        *(
            np.concatenate([getattr(one, name) for one in outcomes])
            for name in ("found_score", "found_true", "truth_found")
        )
    )


def precision_recall_f1(result: Matched) -> tuple[float, float, float]:
    """Precision, recall and F1; precision is not a number where nothing is found, recall where nothing is true."""
    hits = int(result.truth_found.sum())
    return detection.precision_recall(hits, len(result.found_true) - hits, len(result.truth_found) - hits)


def intervals(result: Matched, seed: int = 0) -> list[tuple[float, float]]:
    """Bootstrap intervals of precision, recall and F1 over objects: found pairs, misses and false ones."""
    pairs, misses = int(result.truth_found.sum()), int((~result.truth_found).sum())
    kinds = np.repeat([0, 1, 2], [pairs, misses, int((~result.found_true).sum())])

    def resampled(score: int):
        def statistic(drawn: np.ndarray) -> float:
            hits, missed, false = np.bincount(kinds[drawn], minlength=3)
            return detection.precision_recall(hits, false, missed)[score]

        return statistic

    return [bootstrap(resampled(score), len(kinds), seed=seed) for score in range(3)]


def precision_recall_curve(result: Matched) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall when found objects are taken in the order of falling score."""
    return detection.precision_recall_curve(result.found_score, result.found_true, len(result.truth_found))


def average_precision_interval(result: Matched, seed: int = 0) -> tuple[float, float]:
    """Bootstrap interval of the average precision over objects: found ones, true or false, and misses."""
    found, misses = len(result.found_true), int((~result.truth_found).sum())

    def resampled(drawn: np.ndarray) -> float:
        kept = drawn[drawn < found]
        hits = result.found_true[kept]
        truths = np.repeat([True, False], [hits.sum(), len(drawn) - len(kept)])
        return average_precision(Matched(result.found_score[kept], hits, truths))

    return bootstrap(resampled, found + misses, seed=seed)


def average_precision(result: Matched) -> float:
    """Area under the precision-recall curve of objects, see `spinome.scores.detection.average_precision`."""
    return detection.average_precision(result.found_score, result.found_true, len(result.truth_found))


def published_counts(shared: pd.DataFrame, truths: int, founds: int, min_voxels: int = 10) -> tuple[int, int, int, int]:
    """Objects as VESICLE counts them (Roncal et al. 2015), for comparison alone: the count can be gamed.

    A true object is found if at least 10 of its voxels are, by any objects; a found one is true if at least 10 of its
    voxels are.

    Returns
    -------
    found objects that are true, found objects, true objects that are found, true objects
    """
    true = int((shared.groupby("found")["voxels"].sum() >= min_voxels).sum())
    hit = int((shared.groupby("truth")["voxels"].sum() >= min_voxels).sum())
    return true, founds, hit, truths
