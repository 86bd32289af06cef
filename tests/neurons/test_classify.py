import numpy as np
import pytest

from spinome.io.models import Model, load_model, save_model
from spinome.neurons.classify import (
    FEATURES,
    Examples,
    class_probabilities,
    domain_features,
    folds,
    join_examples,
    load_forest,
    train_forest,
    vertex_examples,
)
from spinome.neurons.condense import Domains


def domains(log_hks, around):
    count = len(log_hks)
    return Domains(np.arange(count), log_hks, around, np.zeros((count, 3)), np.ones(count))


def separable(rng, count=300, groups=6):
    """Examples whose first feature tells the class."""
    label = rng.integers(0, 3, count)
    features = rng.normal(0, 1, (count, len(FEATURES)))
    features[:, 0] = label * 4 + rng.normal(0, 0.3, count)
    group = np.array([f"n:{number}" for number in rng.integers(0, groups, count)], object)
    return Examples(features, label, np.full(count, 1 / count), group)


def test_features_are_the_signature_its_slope_and_the_contrast_to_the_surroundings():
    rng = np.random.default_rng(0)
    log_hks, around = rng.normal(-20, 1, (2, 5, 32))
    features = domain_features(domains(log_hks, around))
    assert features.shape == (5, len(FEATURES)) == (5, 95)
    assert np.allclose(features[:, 31] + np.zeros(5), log_hks[:, 31])
    assert np.allclose(features[:, 32], log_hks[:, 1] - log_hks[:, 0])
    assert np.allclose(features[:, 63:], log_hks - around)


def test_a_domain_is_an_example_of_each_class_it_has_by_its_share():
    features = np.arange(6.0).reshape(3, 2)
    found = vertex_examples(
        features, np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 2, 9]), np.array([7, 7, 7, 8, 8]), "n", weight=2.0
    )
    assert found.label.tolist() == [0, 1, 2]
    assert found.weight == pytest.approx([0.5, 1.0, 0.5])
    assert found.group.tolist() == ["n:7", "n:7", "n:8"]
    assert (found.features == features[[0, 0, 1]]).all()


def test_a_forest_learns_and_says_nothing_of_classes_it_never_saw(tmp_path):
    examples = separable(np.random.default_rng(1))
    two = examples[examples.label != 2]
    save_model(tmp_path / "m.skops", train_forest(two, seed=0, trees=10))
    probability = class_probabilities(load_model(tmp_path / "m.skops", FEATURES), two.features)
    assert (probability.argmax(axis=1) == two.label).mean() > 0.95
    assert (probability[:, 2] == 0).all()


def test_a_model_of_other_features_is_one_message(tmp_path):
    examples = separable(np.random.default_rng(2))
    save_model(tmp_path / "m.skops", train_forest(examples, seed=0, trees=2))
    with pytest.raises(ValueError, match=r"m\.skops: was trained on other features; train it again"):
        load_model(tmp_path / "m.skops", FEATURES[:33])


def test_a_model_of_another_spectrum_is_one_message(tmp_path):
    forest = train_forest(separable(np.random.default_rng(2)), seed=0, trees=2)
    for cutoff, name in ((None, "full"), (1e-5, "cut")):
        card = {"options": {"hks": {"solver": "selected_inversion", "cutoff": cutoff}}}
        save_model(tmp_path / f"{name}.skops", Model(forest.estimator, FEATURES, card))
    assert load_forest(tmp_path / "full.skops", {"solver": "selected_inversion", "poles": 16})
    assert load_forest(tmp_path / "cut.skops", {"solver": "bands", "cutoff": 1e-5})
    with pytest.raises(
        ValueError, match=r"full\.skops: was trained on .* full spectrum, here they are cut off at 1e-05"
    ):
        load_forest(tmp_path / "full.skops", {"solver": "bands", "cutoff": 1e-5})
    with pytest.raises(ValueError, match=r"cut\.skops: was trained on .* cut off at 1e-05 nm\^-2, here .* full"):
        load_forest(tmp_path / "cut.skops", {"solver": "selected_inversion", "cutoff": None})


def test_weight_decides_where_labels_disagree():
    features = np.zeros((20, len(FEATURES)))
    sources = [
        Examples(features, np.full(20, code), np.full(20, weight / 20), np.full(20, "n", object))
        for code, weight in ((0, 1.0), (1, 3.0))
    ]
    probability = class_probabilities(train_forest(join_examples(sources), seed=0, trees=5), features[:1])
    assert probability[0] == pytest.approx([0.25, 0.75, 0])


def test_a_group_is_in_one_fold_alone():
    examples = separable(np.random.default_rng(3))
    splits = folds(examples)
    assert len(splits) == 5
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(300))
    for train, test in splits:
        assert not set(examples.group[train]) & set(examples.group[test])
    assert folds(separable(np.random.default_rng(3), groups=1)) == []
