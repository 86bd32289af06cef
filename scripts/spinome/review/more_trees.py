"""Forests that keep all of their trees and get more."""

from __future__ import annotations

import copy

from sklearn.ensemble import ExtraTreesClassifier


def with_trees_of(old: ExtraTreesClassifier, added: ExtraTreesClassifier) -> ExtraTreesClassifier:
    """A forest with the trees of two of the same classes; both stay as they are."""
    both = copy.copy(old)
    both.estimators_ = [*old.estimators_, *added.estimators_]
    both.n_estimators = len(both.estimators_)
    return both
