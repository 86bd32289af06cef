"""Shapes of segments in numbers, and types learned from them."""

import numpy as np
import pandas as pd
import pytest

from spinome.io.models import Model
from spinome.linking.shape import FEATURES, HKS_FEATURES, shape_features
from spinome.linking.typing import (
    kinds_of_types,
    measure_segments,
    train_types,
    type_probabilities,
    unseen_probabilities,
    with_unseen,
    without_axons,
)

VOXEL = (40.0, 20.0, 20.0)
BALL, TUBE, SHEET, SPECK = 3, 1 << 40, 17, 5


@pytest.fixture(scope="module")
def shapes():
    labels = np.zeros((40, 80, 160), np.uint64)
    places = (np.stack(np.meshgrid(*[np.arange(n) for n in labels.shape], indexing="ij"), -1) + 0.5) * VOXEL
    labels[((places - [800.0, 400.0, 500.0]) ** 2).sum(-1) < 300**2] = BALL
    labels[(places[..., 0] - 800) ** 2 + (places[..., 1] - 1200) ** 2 < 150**2] = TUBE
    labels[30:32, 10:60, 90:150] = SHEET
    labels[2, 2, 2] = SPECK
    segments = measure_segments(labels, VOXEL, (1, 1, 1))
    return shape_features(labels, segments, VOXEL).set_index("segment")


def test_a_ball_a_tube_and_a_sheet(shapes):
    assert list(shapes.columns) == FEATURES and list(shapes.index) == [BALL, SPECK, SHEET, TUBE]
    ball, tube, sheet = (shapes.loc[label] for label in (BALL, TUBE, SHEET))
    assert ball["length_to_width"] == pytest.approx(1, abs=0.05) and ball["width_to_height"] == pytest.approx(
        1, abs=0.05
    )
    assert tube["length_to_width"] > 10 > tube["width_to_height"] * 5
    assert sheet["width_to_height"] > 5 and sheet["compactness"] > 1.5 * ball["compactness"]
    assert np.exp(ball["log_volume"]) == pytest.approx(4 / 3 * np.pi * 300**3, rel=0.03)
    assert ball["box_fill"] == pytest.approx(np.pi / 6, rel=0.1)
    assert ball["deeper_200"] == pytest.approx((1 / 3) ** 3, abs=0.03)
    assert tube["on_edge"] == 1 and ball["on_edge"] == 0


def test_heat_stays_where_it_cannot_spread(shapes):
    # on a ball heat goes round and stays, on a tube it runs away, on a sheet it is as on a plane
    late = "hks_4_mean"
    assert shapes.loc[BALL, late] > shapes.loc[TUBE, late] > shapes.loc[SHEET, late]
    # spread evenly over the ball: 1 / area
    assert shapes.loc[BALL, "hks_5_mean"] == pytest.approx(np.log(4 * np.pi * 4e6 / (4 * np.pi * 300**2)), abs=0.15)
    assert shapes.loc[SPECK, HKS_FEATURES].isna().all()


def test_types_are_learned_and_specimens_kept_apart():
    rng = np.random.default_rng(0)
    types = np.repeat(["spine", "shaft"], 40)
    shapes = pd.DataFrame(rng.normal(size=(80, len(FEATURES))), columns=FEATURES)
    shapes["log_volume"] += np.where(types == "spine", 0, 6)
    forest, found = train_types(shapes, types, np.arange(80) // 4, 0)
    assert (forest.classes_[found.argmax(axis=1)] == types).mean() > 0.9
    assert np.allclose(found.sum(axis=1), 1)
    assert forest.predict_proba(shapes[FEATURES].to_numpy(np.float32)).sum(axis=1) == pytest.approx(np.ones(80))
    segments = type_probabilities(Model(forest, FEATURES), shapes.assign(segment=np.arange(80)))
    assert (segments["type"] == types).all() and list(segments.columns) == ["segment", "type", "p_shaft", "p_spine"]
    kind = kinds_of_types(segments.assign(on_edge=np.arange(80) < 10))
    assert kind.value_counts().to_dict() == {"shaft": 40, "orphan": 30, "other": 10}


def test_what_was_learned_is_typed_by_a_forest_that_did_not_see_it():
    rng = np.random.default_rng(1)
    lesson = pd.DataFrame(rng.normal(size=(12, len(FEATURES))), columns=FEATURES)
    lesson = lesson.assign(volume=["a", "b"] * 6, segment=np.arange(12))
    # nothing to be learned: it knows its own segments by heart, and an unknowing forest says so
    types = np.array(["axon", "axon", "shaft", "shaft"] * 3)
    forest, unseen = train_types(lesson, types, np.arange(12), 0)
    table = unseen_probabilities(forest, lesson, unseen)
    assert table.columns.tolist() == ["volume", "segment", "type", "p_axon", "p_shaft"]
    shapes = pd.concat([lesson[lesson["volume"] == "a"], lesson.iloc[:1].assign(segment=99)], ignore_index=True)
    typed = type_probabilities(Model(forest, FEATURES), shapes)
    told = with_unseen(typed, table[table["volume"] == "a"]).set_index("segment")
    assert told.index.tolist() == [0, 2, 4, 6, 8, 10, 99]
    assert told["p_axon"].iloc[:-1].tolist() == pytest.approx(unseen[::2, 0])
    # one that it has not learned stays as it types it
    assert told.loc[99, "p_axon"] == typed.set_index("segment").loc[99, "p_axon"] != told.loc[0, "p_axon"]


def test_axons_by_their_shape_are_no_shafts():
    kinds = ["shaft", "shaft", "shaft", "orphan"]
    segments = pd.DataFrame({"kind": kinds, "p_shaft": [0.9, 0.1, np.nan, 0.0]})
    # of the third the surface could not be made
    assert without_axons(segments, 0.25).tolist() == ["shaft", "other", "shaft", "orphan"]


def test_what_cannot_be_learned_is_told():
    shapes = pd.DataFrame(np.zeros((2, len(FEATURES))), columns=FEATURES)
    with pytest.raises(ValueError, match="bouton"):
        train_types(shapes, np.array(["bouton", "axon"]), np.arange(2), 0)
    with pytest.raises(ValueError, match="one specimen"):
        train_types(shapes, np.array(["axon", "axon"]), np.zeros(2), 0)
