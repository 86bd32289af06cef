import numpy as np
import pandas as pd
import pytest

from spinome.io.models import Model
from spinome.twophoton.depth import ESTIMATES, learn_depth
from spinome.twophoton.judge import (
    FEATURES,
    blocks,
    candidate_features,
    depth_examples,
    examples,
    expected_threshold,
    judge_stack,
    judged,
    label_candidates,
    place_examples,
    train_judge,
)
from spinome.twophoton.place import learn_place

VOXEL = (1.0, 0.12, 0.12)


def candidates(place, score=0.5):
    frame = pd.DataFrame(place, columns=["z_um", "y_um", "x_um"]).assign(z_slice=lambda own: own["z_um"])
    frame = frame.assign(first_slice=lambda own: own["z_um"], last_slice=lambda own: own["z_um"])
    return frame.assign(candidate=range(len(frame)), score=score, slices=3, side_um=1.2)


# weights that leave candidates at their depth
STILL = [0.0] * (len(ESTIMATES) + 1)


def mixture(phantom, seed):
    """Candidates on the heads and at places that are no heads, and the truth."""
    rng = np.random.default_rng(seed)
    elsewhere = rng.uniform([7, 1, 1], [9, 10.5, 23], (60, 3))
    away = np.linalg.norm((elsewhere[:, None] - phantom.heads[None])[..., 1:], axis=-1).min(axis=1) > 1.2
    heads = phantom.heads + rng.normal(0, 0.05, phantom.heads.shape)
    frame = candidates(np.concatenate([heads, elsewhere[away]]))
    return frame, np.arange(len(frame)) < len(heads)


def test_features_do_not_depend_on_gain_and_offset(phantom_stack):
    frame, _ = mixture(phantom_stack, 0)
    one = candidate_features(phantom_stack.stack, VOXEL, frame, STILL)[1]
    other = candidate_features(3 * phantom_stack.stack + 70, VOXEL, frame, STILL)[1]
    assert list(one.columns) == FEATURES
    steady = [name for name in FEATURES if name != "shaft_level"]
    np.testing.assert_allclose(one[steady], other[steady], rtol=2e-3, atol=2e-3)


def test_heads_are_told_from_what_only_lies_near(phantom_stack):
    tables, labels, groups = [], [], []
    for seed in range(3):
        frame, true = mixture(phantom_stack, seed)
        tables.append(candidate_features(phantom_stack.stack, VOXEL, frame, STILL)[1].to_numpy())
        labels.append(true)
        groups.append(blocks(frame, "s.f"))
    model, threshold, f1 = train_judge(np.concatenate(tables), np.concatenate(labels), np.concatenate(groups), 24)
    assert f1 > 0.9
    fresh = phantom_stack.render(phantom_stack.heads[::-1] * [1, 1, -1] + [0, 0, 24], phantom_stack.radii, noise=3.0)
    frame, true = mixture(phantom_stack, 7)
    frame["x_um"] = 24 - frame["x_um"]
    features = candidate_features(fresh, VOXEL, frame, STILL)[1]
    found = model.predict_proba(features.to_numpy())[:, 1] >= threshold
    assert (found == true).mean() > 0.9


def contradicting(seed):
    """Candidates of two sources, in which the first feature says the opposite and the second which source it is."""
    rng = np.random.default_rng(seed)
    simulated = np.arange(600) % 2 == 1
    features = np.column_stack([rng.random(600), rng.normal(0, 0.1, 600) + simulated, rng.random(600)])
    labels = (features[:, 0] > 0.5) != simulated
    return features, labels, np.array([f"s/{number % 20}" for number in range(600)], object), simulated


def test_what_simulated_candidates_teach_does_not_undo_what_real_ones_do():
    features, labels, groups, simulated = contradicting(2)
    model, *_ = train_judge(features, labels, groups, 150, simulated=simulated)
    fresh, true, _, made = contradicting(3)
    found = model.predict_proba(fresh)[:, 1]
    assert len(model.calibrated_classifiers_) == 2
    assert ((found > 0.5) == true)[~made].mean() > 0.95
    # of simulated ones the forest of real ones alone is sure of the wrong
    alone, *_ = train_judge(features[~simulated], labels[~simulated], groups[~simulated], 150)
    wrong = np.abs(alone.predict_proba(fresh)[:, 1] - true)[made]
    assert np.abs(found - true)[made].mean() < 0.7 * wrong.mean()


def test_simulated_candidates_alone_are_as_good_as_real_ones():
    features, labels, groups, _ = contradicting(4)
    one, *scores = train_judge(features, labels, groups, 300)
    other, *same = train_judge(features, labels, groups, 300, simulated=np.ones(600, bool))
    assert scores == same
    np.testing.assert_array_equal(one.predict_proba(features), other.predict_proba(features))


def test_the_best_candidate_near_a_head_is_the_spine():
    frame = candidates([(5, 2, 2.0), (5, 2, 2.4), (5, 2, 9.0), (9, 2, 2.0)]).assign(score=[0.4, 0.8, 0.9, 0.9])
    truth = pd.DataFrame({"z_um": [5.0], "y_um": [2.0], "x_um": [2.1]})
    assert label_candidates(frame, truth, 1.0).tolist() == [False, True, False, False]


def test_doubles_go(phantom_stack):
    frame = candidates([*phantom_stack.heads[:2], phantom_stack.heads[0] + [0, 0.3, 0.3]])
    out = judged(frame, np.array([0.6, 0.2, 0.5]), VOXEL[0])
    assert out["candidate"].tolist() == [0, 1] and out["score"].tolist() == [0.6, 0.2]


def test_depth_is_learned_from_one_stack_and_found_in_another(phantom_stack):
    rng = np.random.default_rng(3)
    heads, places = phantom_stack.heads, []
    for seed in (1, 2):
        depths = 8 + rng.uniform(-1.5, 1.5, len(heads))
        moved = np.column_stack([depths, heads[:, 1:]])
        stack = phantom_stack.render(moved, phantom_stack.radii, noise=1.0, seed=seed)
        wrong = candidates(moved + np.column_stack([rng.normal(0, 1.2, len(heads)), np.zeros((len(heads), 2))]))
        places.append((stack, wrong, pd.DataFrame(moved, columns=["z_um", "y_um", "x_um"])))
    weights = learn_depth(*depth_examples(places[0][0], VOXEL, *places[0][1:]))
    stack, wrong, truth = places[1]
    found, _ = candidate_features(stack, VOXEL, wrong, weights)
    error = (found["z_um"] - truth["z_um"]).std()
    assert error < 0.6 * (wrong["z_um"] - truth["z_um"]).std()
    np.testing.assert_allclose(found["z_slice"] * VOXEL[0], found["z_um"])


def test_places_are_learned_from_one_stack_and_found_in_another(phantom_stack):
    rng = np.random.default_rng(4)
    weights, stacks = None, []
    for seed in (1, 2):
        heads = phantom_stack.heads + np.column_stack([rng.uniform(-1, 1, 8), np.zeros((8, 2))])
        stack = phantom_stack.render(heads, phantom_stack.radii, noise=1.0, seed=seed)
        # the detector draws heads toward the shaft
        offsets = rng.normal(0, 0.1, (24, 3)) * [8, 1, 1]
        offsets[:, 1] += np.tile(0.4 * np.sign(5.8 - heads[:, 1]), 3)
        wrong = candidates(np.tile(heads, (3, 1)) + offsets)
        truth = pd.DataFrame(np.tile(heads, (3, 1)), columns=["z_um", "y_um", "x_um"])
        stacks.append((stack, wrong, truth))
    *around, offsets = place_examples(stacks[0][0], VOXEL, *stacks[0][1:], STILL)
    weights = learn_place(around, offsets)
    stack, wrong, truth = stacks[1]
    found, features = candidate_features(stack, VOXEL, wrong, STILL, weights)
    before, after = (own[["z_um", "y_um", "x_um"]].to_numpy() - truth.to_numpy() for own in (wrong, found))
    assert (np.sqrt((after**2).mean(axis=0)) < [0.7, 0.25, 0.15]).all()
    assert (np.sqrt((after**2).mean(axis=0)) < 0.8 * np.sqrt((before**2).mean(axis=0)))[:2].all()
    np.testing.assert_allclose(found["z_slice"] * VOXEL[0], found["z_um"])
    # described where they were moved to
    there = candidate_features(stack, VOXEL, found, STILL)[1]
    np.testing.assert_allclose(features, there, rtol=1e-4, atol=1e-4)


def test_the_threshold_is_that_of_the_greatest_expected_f1():
    rng = np.random.default_rng(0)
    scores = rng.beta(0.5, 0.8, 4000)
    true = rng.random(4000) < scores
    f1 = [2 * true[scores >= at].sum() / ((scores >= at).sum() + true.sum()) for at in np.linspace(0.1, 0.9, 81)]
    chosen = scores >= expected_threshold(scores)
    assert 2 * true[chosen].sum() / (chosen.sum() + true.sum()) > max(f1) - 0.01
    # sure scores leave nothing doubtful out
    assert expected_threshold(np.array([0.9, 0.9, 0.01])) == 0.9
    assert expected_threshold(np.zeros(0)) == 0.5


def test_candidates_far_from_what_was_traced_and_dim_ones_teach_nothing(phantom_stack):
    heads = phantom_stack.heads[:3]
    frame = candidates(heads, score=[0.5, 0.2, 0.5])
    truth = pd.DataFrame(heads[:1], columns=["z_um", "y_um", "x_um"])
    features, labels, groups = examples(phantom_stack.stack, VOXEL, frame, truth, None, "s.f", STILL)
    assert (len(features), labels.tolist(), len(groups)) == (2, [True, False], 2)
    node = heads[2] + [0, 2, 0]
    traced = pd.DataFrame([node], columns=["z_um", "y_um", "x_um"])
    features, labels, _ = examples(phantom_stack.stack, VOXEL, frame, truth, traced, "s.f", STILL)
    assert (np.linalg.norm(heads[[0, 2]] - node, axis=1) <= 3).tolist() == [False, True]
    assert len(features) == 1 and labels.tolist() == [False]


class Halves:
    """Calls every candidate a spine with the probability one half."""

    def predict_proba(self, features):
        return np.full((len(features), 2), 0.5)


def test_a_stack_is_judged_whether_or_not_it_has_candidates(phantom_stack):
    model = Model(Halves(), FEATURES, {"depth": STILL})
    frame = candidates(phantom_stack.heads[:3], score=[0.9, 0.9, 0.1])
    out = judge_stack(phantom_stack.stack, VOXEL, frame, model)
    assert out["candidate"].tolist() == [0, 1] and out["score"].tolist() == [0.5, 0.5]
    none = judge_stack(phantom_stack.stack, VOXEL, frame.assign(score=0.1), model)
    assert none.empty and "score" in none


def test_no_candidates_and_no_shaft():
    dark = np.random.default_rng(0).normal(5, 1, (6, 40, 50))
    assert candidate_features(dark, VOXEL, candidates(np.zeros((0, 3))), STILL)[1].empty
    assert np.isfinite(candidate_features(dark, VOXEL, candidates([(2, 2, 3.0)]), STILL)[1].to_numpy()).all()


def test_spines_in_one_place_are_too_few():
    with pytest.raises(ValueError, match="train_judge"):
        train_judge(np.zeros((4, 2)), np.array([True, False, False, False]), np.array(list("aabb")), 1)
