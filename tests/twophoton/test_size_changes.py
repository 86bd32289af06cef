import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.size_changes import SIZE_COLUMNS, size_changes

SESSIONS = pd.DataFrame({"specimen": "s", "field": "f", "timepoint": ["a", "b"], "day": [0.0, 3.0]})


def spines(first, second, dendrites=1):
    count = len(first)
    table = pd.DataFrame(
        {"timepoint": ["a"] * count + ["b"] * count, "spine": [*range(count)] * 2, "head_volume_um3": [*first, *second]}
    )
    table = table.assign(specimen="s", field="f", saturated=False, shaft_saturated=False, low_signal=False)
    return table.assign(dendrite=table["spine"] % dendrites)


def test_changes_of_known_spread():
    rng = np.random.default_rng(0)
    first = 2 ** rng.normal(-3, 1, 400)
    row = size_changes(spines(first, first * 2 ** rng.normal(0.5, 0.3, 400), dendrites=8), SESSIONS).iloc[0]
    assert (row["spines"], row["days"], row["interval_over"]) == (400, 3, "dendrites")
    assert row["median_log2"] == pytest.approx(0.5, abs=0.06) and row["spread_log2"] == pytest.approx(0.3, abs=0.05)
    assert row["median_low"] < 0.5 < row["median_high"] and row["spread_low"] < 0.3 < row["spread_high"]


def test_error_of_measuring_alone_has_no_slope():
    rng = np.random.default_rng(1)
    true = rng.normal(-3, 0.5, 500)
    row = size_changes(spines(2 ** (true + rng.normal(0, 0.5, 500)), 2 ** (true + rng.normal(0, 0.5, 500))), SESSIONS)
    assert row["slope_low"].item() < 0 < row["slope_high"].item()
    grown = size_changes(spines(2**true, 2 ** (1.4 * true)), SESSIONS)
    assert grown["slope"].item() == pytest.approx(0.4 / 1.2)


def test_saturated_and_dim_heads_and_what_lies_beside_no_dendrite_are_left_out():
    table = spines([0.1] * 6, [0.2] * 6)
    table.loc[0, "saturated"] = True
    table.loc[5, "low_signal"] = True
    table.loc[7, "head_volume_um3"] = np.nan
    table.loc[table["spine"] == 2, "dendrite"] = -1
    table.loc[3, "shaft_saturated"] = True
    row = size_changes(table, SESSIONS).iloc[0]
    assert (row["spines"], row["shaft_saturated"], row["median_log2"]) == (2, 1, 1)


def test_no_spines_are_no_error():
    table = size_changes(spines([], []), SESSIONS)
    assert list(table.columns) == SIZE_COLUMNS and table["spines"].item() == 0 and table["median_log2"].isna().all()
