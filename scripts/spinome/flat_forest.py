"""A forest of two classes as flat arrays, so that compiled code can walk it.

`FlatForest` has trees of any depth and answers for one row at a time, from within a compiled loop. `CompleteForest` has
shallow trees and answers for many rows: a tree of limited depth fits into a complete binary tree, so that a step down
is one comparison and no branch, and a block of rows goes down together. Both read the same nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numba import njit
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

TreeForest: TypeAlias = RandomForestClassifier | ExtraTreesClassifier

# trees that one row goes down together
TOGETHER = 16
# rows that go down a complete tree together
BLOCK = 256
# a complete tree doubles with every level
MAX_DEPTH = 12


# One node fills an eighth of a cache line, so that the nodes of a large forest stay in the second cache: a row whose
# feature is up to the threshold goes to the node that follows, any other one to the node in the upper bits of `high`;
# the lower ones hold the feature.
NODE = np.dtype([("threshold", np.float32), ("high", np.uint32)])
FEATURE_BITS = 8


class FlatForest(NamedTuple):
    """All nodes (N,) of all trees in a row; `roots` (T,) starts each tree.

    A leaf leads to itself; its `probability` (N,) is that of the second class.
    """

    roots: np.ndarray
    nodes: np.ndarray
    probability: np.ndarray


def flatten_forest(forest: TreeForest) -> FlatForest:
    """Flatten a fitted two-class forest; `probability` is that of its second class.

    Raises
    ------
    ValueError: if the forest has not two classes, is too large, or was not grown depth first (`max_leaf_nodes`).
    """
    if len(forest.classes_) != 2:
        raise ValueError(f"the forest must have two classes, it has {len(forest.classes_)}; train on both kinds")
    parts, probabilities, roots, offset = [], [], [], 0
    for estimator in forest.estimators_:
        tree = estimator.tree_
        inner, own = tree.children_left >= 0, np.arange(tree.node_count)
        if (tree.children_left[inner] != own[inner] + 1).any():
            raise ValueError("the trees of the forest were not grown depth first; train it without `max_leaf_nodes`")
        nodes = np.zeros(tree.node_count, NODE)
        # nothing is up to the threshold of a leaf
        nodes["threshold"] = np.where(inner, _rounded(tree.threshold), -np.inf)
        high = np.where(inner, tree.children_right, own) + offset
        nodes["high"] = high << FEATURE_BITS | np.where(inner, tree.feature, 0)
        value = tree.value[:, 0, :]
        parts.append(nodes)
        probabilities.append(value[:, 1] / value.sum(axis=1))
        roots.append(offset)
        offset += tree.node_count
    if forest.n_features_in_ > 1 << FEATURE_BITS or offset > 1 << 32 - FEATURE_BITS:
        raise ValueError(
            f"the forest has {forest.n_features_in_} features and {offset} nodes; at most {1 << FEATURE_BITS} and "
            f"{1 << 32 - FEATURE_BITS} can be walked: train fewer or shallower trees"
        )
    return FlatForest(np.array(roots, np.uint64), np.concatenate(parts), np.concatenate(probabilities))


def no_forest() -> FlatForest:
    """A forest without trees, for loops that are not to ask it."""
    return FlatForest(np.zeros(0, np.uint64), np.zeros(0, NODE), np.zeros(0))


@njit(cache=True)
def forest_probability(forest, features):
    """Probability of the second class for one row of float32 features, as scikit-learn computes it."""
    trees = len(forest.roots)
    # without a sign, since compiled code would look for places that count from the end
    at = np.empty(TOGETHER, np.uint64)
    total = 0.0
    for start in range(0, trees, TOGETHER):
        # a row waits for memory at every step down a tree, so it goes down several at once
        count = min(TOGETHER, trees - start)
        for lane in range(count):
            at[lane] = forest.roots[start + lane]
        moved = True
        while moved:
            moved = False
            for lane in range(count):
                here = at[lane]
                node = forest.nodes[here]
                feature = np.uint64(node.high & np.uint32((1 << FEATURE_BITS) - 1))
                high = np.uint64(node.high >> np.uint32(FEATURE_BITS))
                below = here + np.uint64(1) if features[feature] <= node.threshold else high
                moved |= below != here
                at[lane] = below
        for lane in range(count):
            total += forest.probability[at[lane]]
    return total / trees


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


def complete_forest(forest: TreeForest) -> CompleteForest:
    """Lay out a fitted two-class forest of shallow trees for many rows at a time.

    Raises
    ------
    ValueError: if the forest has not two classes, or a tree is deeper than 12.
    """
    flat = flatten_forest(forest)
    depth = max(tree.get_depth() for tree in forest.estimators_)
    if depth > MAX_DEPTH:
        raise ValueError(f"the forest has trees of depth {depth}; train it with a depth of at most {MAX_DEPTH}")
    count = len(flat.roots)
    feature = np.zeros((count, 2**depth - 1), np.int32)
    threshold = np.full((count, 2**depth - 1), np.inf, np.float32)
    probability = np.zeros((count, 2**depth), np.float64)
    for tree, root in enumerate(flat.roots):
        _place(flat, root, feature[tree], threshold[tree], probability[tree])
    return CompleteForest(feature, threshold, probability)


def _rounded(threshold: np.ndarray) -> np.ndarray:
    """Thresholds as float32; since features are float32, the next smaller one splits them just as the float64 does."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _place(flat, root, feature, threshold, probability) -> None:
    """Lay the nodes below a root into the slots of one complete tree."""
    nodes, waiting = flat.nodes, [(int(root), 0)]
    while waiting:
        node, slot = waiting.pop()
        high, of = divmod(int(nodes["high"][node]), 1 << FEATURE_BITS)
        if slot >= len(feature):
            probability[slot - len(feature)] = flat.probability[node]
        elif high == node:
            # a leaf above the bottom: both ways lead to the same value
            waiting += [(node, 2 * slot + 1), (node, 2 * slot + 2)]
        else:
            feature[slot], threshold[slot] = of, nodes["threshold"][node]
            waiting += [(node + 1, 2 * slot + 1), (high, 2 * slot + 2)]


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
