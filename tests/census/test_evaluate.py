"""Scores against a specimen whose spines are known."""

import numpy as np
import pandas as pd
import pytest

from spinome.census.evaluate import (
    evaluate,
    in_session,
    in_volume,
    known,
    on_mesh,
    reported_by,
    seen,
    went_through,
)
from spinome.gaps import gap_table

NEAR = (0.3, 0.3, 0.3)


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
        assert seen(spines([0.1, 4.1], y), truth, NEAR)["found"].notna().tolist() == [
            True,
            False,
            True,
            False,
            False,
            False,
        ]
    assert seen(spines([0.1], 1.5), truth, NEAR)["found"].isna().all()


def test_the_tolerance_may_be_larger_along_z(truth):
    above = spines([0.1]).assign(z_um=1.5)
    assert seen(above, truth, NEAR)["found"].isna().all()
    assert seen(above, truth, (2.0, 0.3, 0.3))["found"].notna().sum() == 1


def test_one_report_finds_one_spine(truth):
    result = seen(spines([0.0, 0.05, 0.1]), truth, NEAR)
    assert result["found"].notna().sum() == 1
    assert result.loc[0, "found"] == "s0"
    assert result.loc[0, "found_volume_um3"] == 2.0


def test_scores_are_those_counted_by_hand(truth):
    reported = spines([0, 2, 4, 6, 7.0])
    table = evaluate(seen(reported, truth, NEAR).assign(view="neurons"), {"neurons": len(reported)}).set_index("metric")
    assert table.loc["neurons_found", "value"] == pytest.approx(4 / 6)
    assert table.loc["neurons_right", "value"] == pytest.approx(4 / 5)
    assert table.loc["neurons_volume_spearman", "value"] == pytest.approx(1)
    assert table.loc["neurons_volume_ratio", "value"] == pytest.approx(2)
    low, high = table.loc["neurons_found", ["ci_low", "ci_high"]]
    assert low == pytest.approx(1 / 3) and high == 1


def test_nothing_found(truth):
    table = evaluate(seen(spines([]), truth, NEAR).assign(view="chain"), {"chain": 0}).set_index("metric")
    assert table.index.tolist() == ["chain_found"]
    assert table.loc["chain_found", "value"] == 0


def test_no_view_gives_an_empty_table():
    nothing = pd.DataFrame({"view": []})
    assert list(evaluate(nothing, {}).columns) == ["metric", "value", "ci_low", "ci_high", "n", "unit"]


@pytest.fixture
def truth_nm():
    frame = pd.DataFrame({"spine": [0, 1, 2], "dendrite": 0, "volume_um3": 0.1, "last_timepoint": [4, 4, 2]})
    for axis in "zyx":
        frame[f"base_{axis}_nm"] = 100.0
        frame[f"head_{axis}_nm"] = [500.0, 1500.0, 500.0]
    return frame


def test_a_volume_shows_whole_spines_that_are_there_at_the_last_session(truth_nm):
    visible = in_volume(truth_nm, (20, 100, 100), (40.0, 10.0, 10.0))
    assert visible["spine"].tolist() == [0]
    assert visible["head_z_um"].tolist() == [0.5]
    assert in_volume(truth_nm, (40, 200, 200), (40.0, 10.0, 10.0))["spine"].tolist() == [0, 1]


def test_a_mesh_shows_the_spines_of_its_vertices(truth_nm):
    assert on_mesh(truth_nm, np.array([-1, -1, 2, 1, 1]))["spine"].tolist() == [1, 2]


def test_a_session_shows_its_own_spines_in_the_frame_of_its_stack():
    frame = pd.DataFrame({"timepoint": [0, 1], "track_id": [5, 5], "dendrite_id": 1, "head_volume_um3": 0.1})
    for axis in "zyx":
        frame[f"tip_{axis}_px"], frame[f"base_{axis}_px"] = [10.0, 20.0], 0.0
    visible = in_session(frame, "1", (1.0, 0.12, 0.12))
    assert visible["spine"].tolist() == [5]
    assert visible[["head_z_um", "head_y_um", "base_x_um"]].iloc[0].tolist() == pytest.approx([20, 2.4, 0])


def test_true_spines_in_a_gap_are_left_out_and_counted(truth):
    gaps = gap_table((1, 4, 12), (1, 4, 3), {"0-0-3", "0-0-6", "0-0-9"}, (1000.0, 1000.0, 1000.0))
    clear = known(truth, gaps)
    assert clear.tolist() == [False, False, True, True, True, True]
    table = seen(spines([4, 6, 8, 10]), truth[clear].reset_index(drop=True), NEAR).assign(view="linking")
    rows = evaluate(table, {"linking": 4}, {"linking": 2}).set_index("metric")
    assert rows.loc["linking_found", "value"] == 1
    assert rows.loc["linking_not_known", ["value", "n"]].tolist() == [2, 6]


def test_a_view_reports_its_own_rows_and_of_a_series_one_session():
    rows = [("twophoton", "p", "0"), ("twophoton", "p", "1"), ("neurons", "p", None), ("neurons", "q", None)]
    spines = pd.DataFrame(rows, columns=["view", "specimen", "timepoint"])
    session = {"view": "twophoton", "sample": "p", "timepoint": "1"}
    assert reported_by(session, spines).index.tolist() == [1]
    assert reported_by({"view": "neurons", "sample": "p", "timepoint": None}, spines).index.tolist() == [2]


def test_true_spines_of_what_failed_are_not_asked_for(truth):
    sessions = pd.DataFrame({"specimen": "p", "timepoint": ["0", "1"], "usable": [True, False]})
    neurons = pd.DataFrame({"source": ["sheet", "v"], "neuron": "p", "spines": pd.array([3, None], "Int64")})
    gaps = {"v": gap_table((10, 10, 10), (10, 10, 5), {"0-0-0"}, (1000.0, 1000.0, 1000.0))}

    def through(view, sample, timepoint=None, neurons=neurons):
        said = {"view": view, "sample": sample, "timepoint": timepoint}
        return went_through(said, truth, sessions, neurons, gaps).tolist()

    assert through("twophoton", "p", "0") == [True] * 6 and through("twophoton", "p", "1") == [False] * 6
    assert through("neurons", "p") == [True] * 6
    assert through("neurons", "p", neurons=neurons.assign(spines=pd.NA)) == [False] * 6
    # heads and bases lie at x = 0, 2, 4, ... um, and the gap begins at 5
    assert through("chain", "v") == through("linking", "v") == [True, True, True, False, False, False]
    assert through("linking", "without gaps") == [True] * 6
