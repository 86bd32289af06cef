"""What the orphans of a volume are like, and whether the forest of links knows such orphans."""

import numpy as np
import pandas as pd
import pytest

from spinome.configuration.linking import Typing
from spinome.io.models import load_model
from spinome.limits import tell_unlike
from spinome.linking.candidates import COLUMNS, FEATURES
from spinome.linking.traits import AROUND, ENDS, LIMIT, NEAR, SIZE, TRAITS, describe_orphans, judge_limits, known_of
from spinome.shipped import shipped_file


@pytest.fixture
def candidates():
    """Candidates of 40 orphans, twelve shafts each and two ends."""
    rng = np.random.default_rng(0)
    orphan, shaft, end = (part.ravel() for part in np.meshgrid(range(1, 41), range(100, 112), range(2), indexing="ij"))
    table = pd.DataFrame({"orphan": orphan, "shaft": shaft, "end": end})
    for name, middle in {
        "orphan_um3": 0.1,
        "length_nm": 1000.0,
        "end_radius_nm": 50.0,
        "shaft_um3": 1.0,
        "distance_nm": 500.0,
        "forward_nm": 800.0,
        "path_cost_nm": 900.0,
        "stub_nm": 900.0,
    }.items():
        table[name] = middle * np.exp(rng.normal(0, 0.3, len(table)))
    return table.reindex(columns=COLUMNS)


def test_each_orphan_has_its_traits(candidates):
    described = describe_orphans(candidates)
    assert described.shape == (40, len(TRAITS)) and np.isfinite(described).all()
    # rows of the second end are no further shafts
    assert described[:, list(TRAITS).index("candidates")] == pytest.approx(np.log10(12))


def test_more_of_the_same_is_within_the_limits(candidates):
    card = {"training data": known_of([candidates[candidates["orphan"] <= 20]]).for_card()}
    judged = judge_limits(candidates[candidates["orphan"] > 20], card, 32.0)
    assert not judged["unlike"] and judged["unlikeness"] < LIMIT and not judged["remedy"]


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda t: t.assign(orphan_um3=t["orphan_um3"] / 1000), SIZE),
        (lambda t: t.assign(end_radius_nm=t["end_radius_nm"] * 20), ENDS),
        (lambda t: t[t["shaft"] == 100], AROUND),
        (lambda t: t.assign(distance_nm=t["distance_nm"] * 30), NEAR),
    ],
)
def test_other_orphans_are_beyond_the_limits_and_what_differs_is_named(candidates, change, differs):
    judged = judge_limits(change(candidates), {"training data": known_of([candidates]).for_card()}, 32.0)
    assert judged["unlike"] and judged["differs"] == differs and "linking.train" in judged["remedy"]


def test_of_no_orphan_and_by_a_model_without_a_word_nothing_is_said(candidates):
    card = {"training data": known_of([candidates]).for_card()}
    for table, said in ((candidates.iloc[:0], card), (candidates, {})):
        judged = judge_limits(table, said, 32.0)
        assert np.isnan(judged["unlikeness"]) and not judged["unlike"]


def test_the_shipped_forest_says_what_it_knows(candidates):
    card = load_model(shipped_file("links", ".skops"), FEATURES).card
    judged = judge_limits(candidates, card, Typing().working_nm)
    assert np.isfinite(judged["unlikeness"]) and not judged["lacking"]


def test_segments_thinned_to_another_size_than_was_learned_at_are_told(candidates):
    card = {"working_nm": 32}
    for known, working_nm in ((card, 32.0), (card, 30.0), ({}, 25.0)):
        assert not judge_limits(candidates, known, working_nm)["lacking"]
    volumes = pd.DataFrame([{"volume": "v"} | judge_limits(candidates, card, 25.0)])
    (told,) = tell_unlike(volumes, "model of links")
    assert "thinned to voxels of 32 nm" in told and "thinned to 25 nm" in told and "linking.typing.working_nm" in told
