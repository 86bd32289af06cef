"""A random forest of two classes as flat arrays, so that compiled code can walk it.

`FlatForest` has trees of any depth and answers for one row at a time, from within a compiled loop. `CompleteForest` has
shallow trees and answers for many rows: a tree of limited depth fits into a complete binary tree, so that a step down
is one comparison and no branch, and a block of rows goes down together. Both read the same nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from sklearn.ensemble import RandomForestClassifier

# rows that go down a complete tree together
BLOCK = 256
# a complete tree doubles with every level
MAX_DEPTH = 12


class FlatForest(NamedTuple):
    """All nodes of all trees in a row; `roots` (T,) starts each tree, `feature` is -1 in a leaf."""

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    probability: np.ndarray


def flatten_forest(forest: RandomForestClassifier) -> FlatForest:
    """Flatten a fitted two-class forest; `probability` is that of its second class."""
    if len(forest.classes_) != 2:
        raise ValueError(f"the forest must have two classes, it has {len(forest.classes_)}; train on both kinds")
    parts, roots, offset = [], [], 0
    for estimator in forest.estimators_:
        tree = estimator.tree_
        value = tree.value[:, 0, :]
        inner = tree.children_left >= 0
        parts.append(
            (
                np.where(inner, tree.feature, -1),
                tree.threshold,
                np.where(inner, tree.children_left + offset, -1),
                np.where(inner, tree.children_right + offset, -1),
                value[:, 1] / value.sum(axis=1),
            )
        )
        roots.append(offset)
        offset += tree.node_count
    feature, threshold, left, right, probability = (np.concatenate(column) for column in zip(*parts))
    return FlatForest(
        np.array(roots, dtype=np.int64),
        feature.astype(np.int32),
        threshold.astype(np.float64),
        left.astype(np.int32),
        right.astype(np.int32),
        probability.astype(np.float64),
    )


def no_forest() -> FlatForest:
    """A forest without trees, for loops that are not to ask it."""
    empty = np.zeros(0, dtype=np.int32)
    return FlatForest(np.zeros(0, dtype=np.int64), empty, np.zeros(0), empty, empty, np.zeros(0))


@njit(cache=True)
def forest_probability(forest, features):
    """Probability of the second class for one row of float32 features, as scikit-learn computes it."""
    total = 0.0
    for root in forest.roots:
        node = root
        while forest.feature[node] >= 0:
            if features[forest.feature[node]] <= forest.threshold[node]:
                node = forest.left[node]
            else:
                node = forest.right[node]
        total += forest.probability[node]
    return total / len(forest.roots)


@dataclass(frozen=True)
class CompleteForest:
    """Trees of one depth D: `feature`, `threshold` (T, 2^D - 1) of the splits, `probability` (T, 2^D) of the leaves.

    A row goes right where its feature is above the threshold; `probability` is that of the second class.
    """

    feature: np.ndarray
    threshold: np.ndarray
    probability: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probability (N,) float64 for features (N, F) float32, as scikit-learn computes it.

        Raises
        ------
        ValueError: if a feature is not finite.
        """
        if not np.isfinite(features).all():
            raise ValueError(f"{(~np.isfinite(features)).any(axis=1).sum()} rows have features that are not finite")
        return _walk(np.ascontiguousarray(features, np.float32), self.feature, self.threshold, self.probability)


def complete_forest(forest: RandomForestClassifier) -> CompleteForest:
    """Lay out a fitted two-class forest of shallow trees for many rows at a time.

    Raises
    ------
    ValueError: if the forest has not two classes, or a tree is deeper than 12.
    """
    flat = flatten_forest(forest)
    depth = max(tree.get_depth() for tree in forest.estimators_)
    if depth > MAX_DEPTH:
        raise ValueError(f"the forest has trees of depth {depth}; train it with a depth of at most {MAX_DEPTH}")
    # features are float32: the next smaller float32 splits them just as the float64 threshold does
    rounded = flat.threshold.astype(np.float32)
    rounded = np.where(rounded > flat.threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    count = len(flat.roots)
    feature = np.zeros((count, 2**depth - 1), np.int32)
    threshold = np.full((count, 2**depth - 1), np.inf, np.float32)
    probability = np.zeros((count, 2**depth), np.float64)
    for tree, root in enumerate(flat.roots):
        _place(flat, root, rounded, feature[tree], threshold[tree], probability[tree])
    return CompleteForest(feature, threshold, probability)


def _place(flat, root, rounded, feature, threshold, probability) -> None:
    """Lay the nodes below a root into the slots of one complete tree."""
    waiting = [(root, 0)]
    while waiting:
        node, slot = waiting.pop()
        if slot >= len(feature):
            probability[slot - len(feature)] = flat.probability[node]
        elif flat.feature[node] < 0:
            # a leaf above the bottom: both ways lead to the same value
            waiting += [(node, 2 * slot + 1), (node, 2 * slot + 2)]
        else:
            feature[slot], threshold[slot] = flat.feature[node], rounded[node]
            waiting += [(flat.left[node], 2 * slot + 1), (flat.right[node], 2 * slot + 2)]


@njit(cache=True)
def _walk(features, feature, threshold, probability):
    trees, splits = feature.shape
    total = np.zeros(len(features), np.float64)
    slots = np.empty(BLOCK, np.int32)
    for start in range(0, len(features), BLOCK):
        length = min(BLOCK, len(features) - start)
        rows = features[start : start + length]
        for tree in range(trees):
            of, at, leaf = feature[tree], threshold[tree], probability[tree]
            slots[:] = 0
            level = 1
            while level <= splits:
                for row in range(length):
                    slot = slots[row]
                    slots[row] = 2 * slot + 1 + (rows[row, of[slot]] > at[slot])
                level = 2 * level + 1
            for row in range(length):
                total[start + row] += leaf[slots[row] - splits]
    return total / trees
