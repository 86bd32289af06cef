"""Both layouts of a forest give the probabilities of scikit-learn, to the last bit where they sum in its order."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from spinome.flat_forest import complete_forest, flatten_forest, forest_probability

FEATURES = 7


@pytest.fixture(scope="module")
def forest():
    rng = np.random.default_rng(0)
    described = rng.normal(100, 60, (800, FEATURES)).astype(np.float32)
    return RandomForestClassifier(8, max_depth=6, random_state=0).fit(described, described[:, 1] > 90 + rng.random(800))


@pytest.fixture(scope="module")
def rows(forest):
    found = np.random.default_rng(1).normal(100, 60, (5000, FEATURES)).astype(np.float32)
    # values on a threshold go left, as in scikit-learn
    tree = forest.estimators_[0].tree_
    found[:20, tree.feature[0]] = np.float32(tree.threshold[0])
    return found


def test_complete_trees_equal_scikit_learn(forest, rows):
    np.testing.assert_array_equal(complete_forest(forest).probabilities(rows), forest.predict_proba(rows)[:, 1])


def test_single_rows_equal_scikit_learn(forest, rows):
    flat = flatten_forest(forest)
    found = [forest_probability(flat, row) for row in rows[:500]]
    np.testing.assert_array_equal(found, forest.predict_proba(rows[:500])[:, 1])


def test_a_forest_of_leaves_alone(rows):
    forest = RandomForestClassifier(3, max_depth=1, min_samples_split=100, random_state=0)
    forest.fit(rows[:9], np.arange(9) % 2)
    np.testing.assert_array_equal(complete_forest(forest).probabilities(rows), forest.predict_proba(rows)[:, 1])


def test_deep_trees_are_for_single_rows():
    rng = np.random.default_rng(0)
    described = rng.random((20000, 3)).astype(np.float32)
    deep = RandomForestClassifier(2, random_state=0).fit(described, rng.integers(0, 2, 20000))
    with pytest.raises(ValueError, match="depth"):
        complete_forest(deep)
    flat = flatten_forest(deep)
    found = [forest_probability(flat, row) for row in described[:200]]
    np.testing.assert_array_equal(found, deep.predict_proba(described[:200])[:, 1])


@pytest.mark.parametrize("layout", [flatten_forest, complete_forest])
def test_a_forest_of_three_classes_is_refused(layout, rows):
    forest = RandomForestClassifier(2, max_depth=3, random_state=0).fit(rows[:90], np.arange(90) % 3)
    with pytest.raises(ValueError, match="two classes, it has 3"):
        layout(forest)


def test_features_that_are_not_finite_are_refused(forest):
    with pytest.raises(ValueError, match="1 rows have features that are not finite"):
        complete_forest(forest).probabilities(np.full((1, FEATURES), np.nan, np.float32))
