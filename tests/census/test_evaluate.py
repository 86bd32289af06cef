"""Scores against a specimen whose spines are known."""

import numpy as np
import pandas as pd
import pytest

from spinome.census.evaluate import evaluate, seen


@pytest.fixture
def truth():
    x = np.arange(6) * 2.0
    frame = pd.DataFrame({"spine": range(6), "specimen": "p", "dendrite": [0, 0, 0, 1, 1, 1], "volume_um3": x + 1})
    for end, y in (("base", 0.0), ("head", 1.0)):
        frame = frame.assign(**{f"{end}_z_um": 0.0, f"{end}_y_um": y, f"{end}_x_um": x})
    return frame


def spines(x, y=0.5):
    x = np.asarray(x, float)
    return pd.DataFrame(
        {"spine": [f"s{i}" for i in range(len(x))], "z_um": 0.0, "y_um": y, "x_um": x, "volume_um3": 2 * (x + 1)}
    ).convert_dtypes()


def test_spines_are_found_along_their_whole_length(truth):
    for y in (0.0, 0.5, 1.0):
        assert seen(spines([0.1, 4.1], y), truth, 0.3)["found"].notna().tolist() == [
            True,
            False,
            True,
            False,
            False,
            False,
        ]
    assert seen(spines([0.1], 1.5), truth, 0.3)["found"].isna().all()


def test_one_report_finds_one_spine(truth):
    result = seen(spines([0.0, 0.05, 0.1]), truth, 0.3)
    assert result["found"].notna().sum() == 1
    assert result.loc[0, "found"] == "s0"
    assert result.loc[0, "found_volume_um3"] == 2.0


def test_scores_are_those_counted_by_hand(truth):
    reported = spines([0, 2, 4, 6, 7.0])
    table = evaluate({"neurons": seen(reported, truth, 0.3)}, {"neurons": len(reported)}).set_index("metric")
    assert table.loc["neurons_found", "value"] == pytest.approx(4 / 6)
    assert table.loc["neurons_right", "value"] == pytest.approx(4 / 5)
    assert table.loc["neurons_volume_spearman", "value"] == pytest.approx(1)
    assert table.loc["neurons_volume_ratio", "value"] == pytest.approx(2)
    low, high = table.loc["neurons_found", ["ci_low", "ci_high"]]
    assert low == pytest.approx(1 / 3) and high == 1


def test_nothing_found(truth):
    table = evaluate({"chain": seen(spines([]), truth, 0.3)}, {"chain": 0}).set_index("metric")
    assert table.index.tolist() == ["chain_found"]
    assert table.loc["chain_found", "value"] == 0


def test_no_view_gives_an_empty_table():
    assert list(evaluate({}, {}).columns) == ["metric", "value", "ci_low", "ci_high", "n", "unit"]
