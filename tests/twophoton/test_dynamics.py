import pandas as pd
import pytest

from spinome.twophoton.dynamics import TURNOVER_COLUMNS, turnover

SESSIONS = pd.DataFrame(
    {"specimen": "s", "field": "f", "timepoint": ["a", "b"], "day": [0.0, 4.0]},
)


def spines(rows):
    return pd.DataFrame(rows, columns=["timepoint", "spine", "fate", "origin"]).assign(specimen="s", field="f")


def test_turnover_counts():
    table = spines(
        [("a", i, "stable", "first") for i in range(6)]
        + [("a", 6, "lost", "first"), ("a", 7, "out of field", "first"), ("a", 8, "hidden", "first")]
        + [("b", i, "last", "stable") for i in range(6)]
        + [("b", 9, "last", "gained"), ("b", 10, "last", "out of field")]
    )
    row = turnover(table, SESSIONS).iloc[0]
    assert (row["stable"], row["gained"], row["lost"], row["out_of_field"]) == (7, 1, 1, 1)
    assert row["turnover_ratio"] == pytest.approx(2 / (8 + 7))
    assert row["turnover_low"] < row["turnover_ratio"] < row["turnover_high"]
    assert row["days"] == 4


def test_sessions_without_a_spine_have_a_row():
    table = turnover(spines([]), SESSIONS)
    assert list(table.columns) == TURNOVER_COLUMNS
    assert len(table) == 1 and table["spines"].item() == 0
