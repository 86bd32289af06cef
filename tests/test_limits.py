"""An input is held against what a model was trained on, and what differs is named."""

import json

import numpy as np
import pandas as pd
import pytest

from spinome.limits import FLOOR, LIMIT_COLUMNS, MOST_TOLD, Known, judge, learn, left_out, tell_unlike, unlikeness

TRAITS = ("width", "grey", "depth")


@pytest.fixture
def seen():
    return np.random.default_rng(0).normal([0, 10, -5], [1, 2, 0.001], (200, 3))


def test_more_of_the_same_is_about_one_and_another_thing_is_as_far_as_it_lies(seen):
    known = learn(seen, TRAITS)
    np.testing.assert_allclose(known.spread, [1, 2, FLOOR], rtol=0.1)
    each = [unlikeness(known, row[None])[0] for row in seen]
    # two of the three traits vary, each by its spread; the third by less than is known
    assert np.sqrt(np.mean(np.square(each))) == pytest.approx(np.sqrt(2 / 3), rel=0.05)
    far, trait = unlikeness(known, np.array([[0.0, 10 + 6 * known.spread[1], -5.0]]))
    assert far == pytest.approx(6 / np.sqrt(3), rel=0.1) and trait == "grey"


def test_pieces_are_averaged_and_what_they_lack_is_passed_over(seen):
    known = learn(np.vstack([seen, [np.nan, np.nan, -5]]), TRAITS)
    pieces = np.array([[3.0, np.nan, -5], [5.0, np.nan, -5]])
    far, trait = unlikeness(known, pieces)
    assert trait == "width" and far == pytest.approx(4 / np.sqrt(2), rel=0.15)


def test_a_source_that_is_unlike_the_others_stands_out(seen):
    sources = {"a": seen[:60], "b": seen[60:120], "c": seen[120:] + np.array([0, 30, 0])}
    apart = left_out(sources, TRAITS)
    assert apart["c"] > 5 > max(apart["a"], apart["b"])


def test_it_comes_back_from_the_card(seen):
    known = learn(seen, TRAITS)
    card = json.loads(json.dumps({"training data": known.for_card()}))
    again = Known.of_card(card)
    assert again.traits == TRAITS
    np.testing.assert_allclose(again.centre, known.centre, atol=1e-4)
    assert Known.of_card({}) is None


def test_a_warning_names_the_input_what_differs_and_the_remedy(seen):
    known, words = learn(seen, TRAITS), {"grey": "how grey it is"}
    rows = [
        {"volume": "same", **judge(known, seen, 2.0, words, "label it")},
        {"volume": "other", **judge(known, seen + np.array([0, 50, 0]), 2.0, words, "label it")},
        {"volume": "unsaid", **judge(None, seen, 2.0, words, "label it")},
    ]
    table = pd.DataFrame(rows)
    assert list(table.columns[1:]) == LIMIT_COLUMNS
    assert table["unlike"].tolist() == [False, True, False] and np.isnan(table["unlikeness"][2])
    (line,) = tell_unlike(table)
    assert line.startswith("volume other is unlike the data") and "most in how grey it is." in line
    assert line.endswith("label it")
    # what the training data lacked is told once, however many inputs there are
    told = tell_unlike(table.assign(lacking="one label: label more"))
    assert told == ["the model was trained on one label: label more", line]
    assert tell_unlike(table.assign(lacking=np.nan)) == [line]


def test_an_input_with_nothing_to_judge_is_told(seen):
    row = judge(learn(seen, TRAITS), seen[:0], 2.0, {}, "label it")
    table = pd.DataFrame([{"volume": f"v{number}", **row, "without": "has nothing"} for number in range(MOST_TOLD + 2)])
    told = tell_unlike(table)
    assert told[0] == "volume v0 has nothing" and len(told) == MOST_TOLD + 1 and told[-1].startswith("2 more")
    # as it comes back from a text file, and of inputs of which nothing is to be said
    assert tell_unlike(table.assign(without=np.nan)) == tell_unlike(table.assign(without="")) == []


def test_of_many_inputs_the_most_unlike_are_told_and_the_others_counted(seen):
    known = learn(seen, TRAITS)
    rows = [
        {"neuron": f"n{number}", **judge(known, seen + 50.0 + number, 2.0, {}, "label it")}
        for number in range(MOST_TOLD + 2)
    ]
    told = tell_unlike(pd.DataFrame(rows))
    assert len(told) == MOST_TOLD + 1
    assert told[0].startswith(f"neuron n{MOST_TOLD + 1} is unlike")
    assert told[-1] == "2 more are unlike it, too; the table limits.parquet names them"
