"""Where a classifier is to operate: the rules that make the best objects of its probabilities.

An object is what is connected above a threshold, of at least some volume, and somewhere of at least some probability: a
low threshold gives objects their extent, a high peak says that they are there. A few dozen objects say little about a
single point of the grid, so a point is judged with its neighbours. Points often score alike, and a least volume that
costs nothing on one tissue costs all synapses of a section on another: the one is taken that keeps the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import cc3d
import numpy as np
from scipy.ndimage import uniform_filter

from spinome.io.units import VoxelSize
from spinome.scores.objects import Matched, match_one_to_one, outcome, partners, pool
from spinome.scores.overlap import object_overlaps

# threshold, least volume in um3, least highest probability
Point = tuple[float, float, float]

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
MIN_VOLUMES_UM3 = (0.0, 0.0002, 0.0004, 0.0008, 0.0016)
MIN_PEAKS = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
# times that the volumes are drawn anew for the standard error of a difference
RESAMPLED = 500


@dataclass(frozen=True)
class Tried:
    """Objects at one operating point.

    What became of them, their middle along x in voxels, the sections that true ones span, and for each found one the
    true one it is matched with, counted from 0, or -1.
    """

    result: Matched
    found_x: np.ndarray
    truth_x: np.ndarray
    truth_sections: np.ndarray
    partner: np.ndarray


def try_points(probability: np.ndarray, truth: np.ndarray, voxel_nm: VoxelSize) -> dict[Point, Tried]:
    """Match objects one to one at every point of the grid; 18 neighbours make an object.

    The score of a found object is its expected volume in um3, the sum of its probabilities: unlike their mean, it
    means the same above any threshold.

    Parameters
    ----------
    probability : (Z, Y, X) float32
    truth : (Z, Y, X), 0 background
    """
    true = cc3d.connected_components(truth, connectivity=18)
    statistics = cc3d.statistics(true)
    truth_x = statistics["centroids"][1:, 2]
    sections = np.array([box[0].stop - box[0].start for box in statistics["bounding_boxes"][1:]], np.int64)
    truths, tried = np.arange(1, len(sections) + 1), {}
    for threshold in THRESHOLDS:
        found = cc3d.connected_components(probability >= threshold, connectivity=18)
        inside = found > 0
        ids = found[inside]
        count = np.bincount(ids)[1:]
        values = probability[inside]
        score, peak = np.bincount(ids, values)[1:] * (np.prod(voxel_nm) / 1e9), np.zeros(len(count))
        np.maximum.at(peak, ids - 1, values)
        found_x = np.bincount(ids, np.nonzero(inside)[2])[1:] / count
        volume = count * (np.prod(voxel_nm) / 1e9)
        shared = object_overlaps(true, found)
        for min_volume, min_peak in product(MIN_VOLUMES_UM3, MIN_PEAKS):
            kept = np.flatnonzero((volume >= min_volume) & (peak >= min_peak))
            matched = match_one_to_one(shared[shared["found"].isin(kept + 1)])
            result = outcome(matched, truths, kept + 1, score[kept])
            partner = partners(matched, truths, kept + 1)
            tried[threshold, min_volume, min_peak] = Tried(result, found_x[kept], truth_x, sections, partner)
    return tried


def best_point(results: Mapping[Point, Sequence[Matched]], score: Callable[[Matched], float]) -> Point:
    """The point that keeps the smallest and the least sure objects, of those that are as good as the best.

    The best point has the greatest mean score of itself and its neighbours on the grid, objects of all volumes pooled.
    Another is as good where it is behind by no more than the standard error of the difference, by bootstrap over the
    volumes; with a single volume there is none, and the best point is taken. Of the ones that are as good those with
    the least volume are left, of these the ones that ask for the least probability, and the best of them is taken.

    Parameters
    ----------
    results : for each point of the grid, the outcome in each volume
    score : function of the pooled outcome; not a number counts as 0
    """
    points = list(product(THRESHOLDS, MIN_VOLUMES_UM3, MIN_PEAKS))
    outcomes = [results[point] for point in points]
    mean = _with_neighbours([score(pool(one)) for one in outcomes])
    best, volumes = int(np.argmax(mean)), len(outcomes[0])
    if volumes == 1:
        return points[best]
    rng, behind = np.random.default_rng(0), []
    for _ in range(RESAMPLED):
        drawn = rng.integers(volumes, size=volumes)
        again = _with_neighbours([score(pool([one[volume] for volume in drawn])) for one in outcomes])
        behind.append(again[best] - again)
    alike = np.flatnonzero(mean[best] - mean <= np.std(behind, axis=0))
    # an object that reaches the threshold has that for a peak
    return points[min(alike, key=lambda at: (points[at][1], max(points[at][0], points[at][2]), -mean[at]))]


def _with_neighbours(scores: Sequence[float]) -> np.ndarray:
    """Means of the scores of all points of the grid, in their order, with those of their neighbours."""
    grid = np.nan_to_num(scores).reshape(len(THRESHOLDS), len(MIN_VOLUMES_UM3), len(MIN_PEAKS))
    weight = uniform_filter(np.ones(grid.shape), 3, mode="constant")
    return (uniform_filter(grid, 3, mode="constant") / weight).ravel()
