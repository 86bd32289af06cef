"""What the sessions of a series are like, and whether the judge knows such sessions."""

import numpy as np
import pandas as pd
import pytest

from spinome.io.models import load_model
from spinome.shipped import shipped_file
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.judge import FEATURES, candidate_features
from spinome.twophoton.traits import LIMIT, TRAITS, VOXEL, describe_session, judge_limits, known_of

TRAINED = (1.0, 0.12, 0.12)


@pytest.fixture(scope="module")
def features():
    """Made features of 60 candidates of each of five sessions."""
    rng = np.random.default_rng(0)
    return [pd.DataFrame(rng.uniform(0.2, 0.6, (60, len(FEATURES))), columns=FEATURES) for _ in range(5)]


@pytest.fixture(scope="module")
def card(features):
    return {"training data": known_of([describe_session(own, TRAINED) for own in features[:4]]).for_card()}


def test_a_session_has_its_traits_whatever_its_gain_and_offset(phantom_stack):
    boxes = pd.DataFrame(phantom_stack.heads[:, 1:], columns=["y_um", "x_um"]).assign(slice=8, score=0.9, side_um=1.1)
    rows = []
    for stack in (phantom_stack.stack, 7 * phantom_stack.stack + 100):
        candidates, _ = find_spines(boxes, stack, phantom_stack.voxel_um)
        _, features = candidate_features(stack, phantom_stack.voxel_um, candidates, [0.0] * (len(ESTIMATES) + 1))
        rows.append(describe_session(features, phantom_stack.voxel_um))
    assert rows[0].shape == (len(TRAITS),) and np.isfinite(rows).all()
    np.testing.assert_allclose(rows[1], rows[0], rtol=0.02, atol=0.01)


def test_more_of_the_same_is_within_the_limits(features, card):
    judged = judge_limits([describe_session(features[4], TRAINED)], card)
    assert not judged["unlike"] and judged["unlikeness"] < LIMIT and not judged["remedy"]


@pytest.mark.parametrize(
    ("change", "voxel", "differs"),
    [
        ({}, (5.0, 0.12, 0.12), VOXEL),
        ({"below_-2.0": 3.0, "below_2.0": 3.0}, TRAINED, TRAITS["below"]),
        ({"brightness_0.12": 0.001}, TRAINED, TRAITS["noise"]),
    ],
)
def test_another_series_is_beyond_the_limits_and_what_differs_is_named(features, card, change, voxel, differs):
    judged = judge_limits([describe_session(own.assign(**change), voxel) for own in features], card)
    assert judged["unlike"] and judged["differs"] == differs and "train_judge" in judged["remedy"]


def test_of_given_boxes_and_by_a_judge_without_a_word_nothing_is_said(features, card):
    for sessions, said in (([], card), ([describe_session(features[0], TRAINED)], {})):
        judged = judge_limits(sessions, said)
        assert np.isnan(judged["unlikeness"]) and not judged["unlike"]


def test_a_session_without_a_candidate_says_its_voxel_alone(features, card):
    judged = judge_limits([describe_session(features[0].head(0), TRAINED)], card)
    assert judged["unlikeness"] < 0.1


def test_the_shipped_judge_says_what_it_knows(features):
    known = load_model(shipped_file("judge", ".skops"), FEATURES).card
    assert np.isfinite(judge_limits([describe_session(features[0], TRAINED)], known)["unlikeness"])
