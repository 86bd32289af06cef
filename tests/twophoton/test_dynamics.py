import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.dynamics import SURVIVAL_COLUMNS, TURNOVER_COLUMNS, survival, turnover

SESSIONS = pd.DataFrame(
    {"specimen": "s", "field": "f", "timepoint": ["a", "b"], "day": [0.0, 4.0]},
)


def spines(rows):
    return pd.DataFrame(rows, columns=["timepoint", "spine", "fate", "origin"]).assign(
        specimen="s", field="f", dendrite=0
    )


def test_turnover_counts():
    table = spines(
        [("a", i, "stable", "first") for i in range(6)]
        + [("a", 6, "lost", "first"), ("a", 7, "out of field", "first"), ("a", 8, "hidden", "first")]
        + [("b", i, "last", "stable") for i in range(6)]
        + [("b", 9, "last", "gained"), ("b", 10, "last", "out of field")]
    )
    row = turnover(table, SESSIONS, 1).iloc[0]
    assert (row["stable"], row["gained"], row["lost"], row["out_of_field"]) == (7, 1, 1, 1)
    assert row["turnover_ratio"] == pytest.approx(2 / (8 + 7))
    assert row["turnover_low"] < row["turnover_ratio"] < row["turnover_high"]
    assert row["days"] == 4


def test_sessions_without_a_spine_have_a_row():
    table = turnover(spines([]), SESSIONS, 1)
    assert list(table.columns) == TURNOVER_COLUMNS
    assert len(table) == 1 and table["spines"].item() == 0


def test_what_lies_beside_no_dendrite_counts_nowhere():
    rows = [("a", i, "stable", "first") for i in range(4)] + [("b", i, "last", "stable") for i in range(4)]
    table = spines([*rows, ("a", 9, "lost", "first"), ("b", 10, "last", "gained")])
    table.loc[table["spine"] >= 9, "dendrite"] = -1
    row = turnover(table, SESSIONS, 1).iloc[0]
    assert (row["gained"], row["lost"], row["off_dendrite"]) == (0, 0, 2)
    assert row["turnover_ratio"] == 0


def test_the_corrected_turnover_of_a_still_population_is_near_nothing_whatever_the_recall():
    rng = np.random.default_rng(0)
    seen = rng.random((400, 5)) < 0.8
    names, rows = list("abcde"), []
    for spine, own in enumerate(seen):
        when = np.flatnonzero(own)
        for session in when:
            fate = "last" if session == 4 else "stable" if own[session + 1] else "hidden"
            fate = "lost" if fate == "hidden" and session == when[-1] else fate
            origin = "first" if session == 0 else "stable" if own[session - 1] else "hidden"
            origin = "gained" if origin == "hidden" and session == when[0] else origin
            rows.append((names[session], spine, fate, origin))
    sessions = pd.DataFrame({"specimen": "s", "field": "f", "timepoint": names, "day": np.arange(5.0)})
    table = turnover(spines(rows), sessions, 1)
    assert table["recall"].iloc[0] == pytest.approx(0.8, abs=0.05)
    assert (table["turnover_ratio"].iloc[[0, 3]] > 0.08).all()
    assert (table["corrected_ratio"] < 0.05).all()
    assert (table["corrected_low"] == 0).all() and (table["corrected_high"] > table["corrected_ratio"]).all()
    # nearly all that were lost and gained were missed
    assert (table["lost_missed"] >= 0.5 * table["lost"]).all() and (table["gained_missed"] <= table["gained"]).all()


def test_two_sessions_cannot_tell_their_recall():
    row = turnover(spines([("a", 1, "stable", "first"), ("b", 1, "last", "stable")]), SESSIONS, 1).iloc[0]
    assert np.isnan(row["recall"]) and np.isnan(row["corrected_ratio"])


def test_a_spine_that_is_back_is_recurrent_and_not_gained():
    rows = [("a", 0, "hidden", "first"), ("a", 1, "stable", "first"), ("b", 1, "stable", "stable")]
    rows += [("c", 0, "last", "hidden"), ("c", 1, "last", "stable")]
    sessions = pd.DataFrame({"specimen": "s", "field": "f", "timepoint": list("abc"), "day": [0.0, 2.0, 4.0]})
    table = turnover(spines(rows), sessions, 1)
    assert table["recurrent"].tolist() == [0, 1]
    assert table["gained"].tolist() == [0, 0] and table["lost"].tolist() == [0, 0]


def test_intervals_are_over_dendrites_where_there_are_several():
    # whole dendrites gain or keep: spines of one are far from independent
    rows = [("a", i, "stable", "first") for i in range(40)] + [("b", i, "last", "stable") for i in range(40)]
    rows += [("b", i, "last", "gained") for i in range(40, 60)]
    table = spines(rows)
    row = turnover(table, SESSIONS, 1).iloc[0]
    assert (row["dendrites"], row["interval_over"]) == (1, "spines")
    table["dendrite"] = np.where(table["spine"] < 40, table["spine"] % 4, 4)
    parted = turnover(table, SESSIONS, 1).iloc[0]
    assert (parted["dendrites"], parted["interval_over"]) == (5, "dendrites")
    assert parted["turnover_ratio"] == row["turnover_ratio"]
    assert parted["turnover_high"] - parted["turnover_low"] > 1.5 * (row["turnover_high"] - row["turnover_low"])


THREE = pd.DataFrame({"specimen": "s", "field": "f", "timepoint": list("abc"), "day": [0.0, 2.0, 5.0]})


def test_survival_and_formation_by_hand():
    # of ten spines two are lost by b; of the eight left one leaves the field by c and one of the other seven is lost
    fate = ["lost", "lost", *["stable"] * 8]
    rows = [("a", i, fate[i], "first") for i in range(10)]
    fate = {2: "out of field", 3: "lost"}
    rows += [("b", i, fate.get(i, "stable"), "stable") for i in range(2, 10)]
    rows += [("b", 20, "stable", "gained"), ("c", 20, "last", "stable"), ("c", 21, "last", "gained")]
    rows += [("c", i, "last", "stable") for i in range(4, 10)]
    table = survival(spines(rows), THREE)
    assert list(table.columns) == SURVIVAL_COLUMNS
    assert table["survival"].tolist() == pytest.approx([1, 0.8, 0.8 * (1 - 1 / 7)])
    assert table["at_risk"].tolist() == [10, 10, 7]
    assert table["formed"].tolist() == [0, 1, 2] and table["formation"].tolist() == pytest.approx([0, 0.1, 0.2])
    assert table["days"].tolist() == [0, 2, 5]
    later = table.iloc[1:]
    assert (later["survival_low"] < later["survival"]).all() and (later["survival"] < later["survival_high"]).all()


def test_a_hidden_spine_survives():
    rows = [("a", 0, "hidden", "first"), ("a", 1, "stable", "first"), ("b", 1, "stable", "stable")]
    rows += [("c", 0, "last", "hidden"), ("c", 1, "last", "stable")]
    table = survival(spines(rows), THREE)
    assert table["survival"].tolist() == [1, 1, 1] and table["formed"].sum() == 0


def test_a_series_without_a_spine_has_no_survival():
    table = survival(spines([]), THREE)
    assert len(table) == 3 and table["survival"].isna().all() and (table["spines"] == 0).all()
