"""A random forest as flat arrays, so that compiled loops can ask it for one probability at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from sklearn.ensemble import RandomForestClassifier


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
