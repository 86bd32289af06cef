"""Forests that keep all of their trees and get more, and what these learn beside the answers."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier


def remembered(believed: np.ndarray, rare: int, most: int, total: float) -> tuple[np.ndarray, np.ndarray]:
    """What a forest knows of a class that hardly any answer names, for trees that learn from answers.

    Parameters
    ----------
    believed : (N, C) probabilities by that forest
    rare : the class
    most : how many rows at most: those that the forest calls so most surely
    total : weight of all of them together

    Returns
    -------
    the rows (R,), and the weight of each class in them (R, C), as the forest says it, doubts and all; a class without
    weight would be none of the trees'
    """
    chosen = np.argsort(-believed[:, rare], kind="stable")[:most]
    return chosen, np.maximum(believed[chosen], 1e-9) * total / len(chosen)


def with_trees_of(old: ExtraTreesClassifier, added: ExtraTreesClassifier) -> ExtraTreesClassifier:
    """A forest with the trees of two of the same classes; both stay as they are."""
    both = copy.copy(old)
    both.estimators_ = [*old.estimators_, *added.estimators_]
    both.n_estimators = len(both.estimators_)
    return both
