"""A random forest of shallow trees, walked many voxels at a time.

Inference is what detection costs. A tree of limited depth fits into a complete binary tree, so that a step down is
one comparison and no branch, and a block of voxels goes down together. Probabilities equal those of scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from sklearn.ensemble import RandomForestClassifier

BLOCK = 256
MAX_DEPTH = 12


@dataclass(frozen=True)
class FlatForest:
    """Trees of one depth D: `feature`, `threshold` (trees, 2^D - 1) of the splits, `value` (trees, 2^D) of the leaves.

    A voxel goes right where its feature is above the threshold; `value` is the probability of a synapse.
    """

    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probability (N,) float64 for features (N, F) float32."""
        if not np.isfinite(features).all():
            raise ValueError(f"{(~np.isfinite(features)).any(axis=1).sum()} voxels have features that are not finite")
        return _walk(np.ascontiguousarray(features, np.float32), self.feature, self.threshold, self.value)


def flatten(forest: RandomForestClassifier) -> FlatForest:
    """Lay out a trained forest of two classes for fast walking.

    Raises
    ------
    ValueError: if a tree is deeper than 12, since a complete tree doubles with every level.
    """
    depth = max(tree.get_depth() for tree in forest.estimators_)
    if depth > MAX_DEPTH:
        raise ValueError(f"the forest has trees of depth {depth}; train it with a depth of at most {MAX_DEPTH}")
    count = len(forest.estimators_)
    feature = np.zeros((count, 2**depth - 1), np.int32)
    threshold = np.full((count, 2**depth - 1), np.inf, np.float32)
    value = np.zeros((count, 2**depth), np.float64)
    positive = int(np.flatnonzero(forest.classes_ == 1)[0])
    for index, estimator in enumerate(forest.estimators_):
        tree = estimator.tree_
        share = tree.value[:, 0, positive] / tree.value[:, 0].sum(axis=1)
        rounded = tree.threshold.astype(np.float32)
        # features are float32: the next smaller float32 splits them just as the float64 threshold does
        rounded = np.where(rounded > tree.threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
        _place(tree.children_left, tree.children_right, tree.feature, rounded, share, feature, threshold, value, index)
    return FlatForest(feature, threshold, value)


def _place(left, right, split, cut, share, feature, threshold, value, index) -> None:
    size = feature.shape[1]
    waiting = [(0, 0)]
    while waiting:
        node, slot = waiting.pop()
        if slot >= size:
            value[index, slot - size] = share[node]
        elif left[node] < 0:
            # a leaf above the bottom: both ways lead to the same value
            waiting += [(node, 2 * slot + 1), (node, 2 * slot + 2)]
        else:
            feature[index, slot], threshold[index, slot] = split[node], cut[node]
            waiting += [(left[node], 2 * slot + 1), (right[node], 2 * slot + 2)]


@numba.njit(cache=True)
def _walk(features, feature, threshold, value):
    trees, splits = feature.shape
    total = np.zeros(len(features), np.float64)
    slots = np.empty(BLOCK, np.int32)
    for start in range(0, len(features), BLOCK):
        length = min(BLOCK, len(features) - start)
        rows = features[start : start + length]
        for tree in range(trees):
            of, at, leaf = feature[tree], threshold[tree], value[tree]
            slots[:] = 0
            level = 1
            while level <= splits:
                for voxel in range(length):
                    slot = slots[voxel]
                    slots[voxel] = 2 * slot + 1 + (rows[voxel, of[slot]] > at[slot])
                level = 2 * level + 1
            for voxel in range(length):
                total[start + voxel] += leaf[slots[voxel] - splits]
    return total / trees
