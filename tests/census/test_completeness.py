"""How much is missing is counted over the whole run, and with what a step never saw."""

import pandas as pd
import pytest

from spinome.census.completeness import completeness, incomplete


def failures(**units):
    rows = [(step, unit, "ValueError: bad") for step, names in units.items() for unit in names]
    return pd.DataFrame(rows, columns=["step", "unit", "reason"])


def test_one_failed_unit_in_each_of_many_small_shards_is_all_of_them():
    table = completeness({"linking_candidates": 0}, failures(linking_candidates=["v/1", "v/2", "w/1"]))
    assert table.to_dict("records") == [{"step": "linking_candidates", "units": 3, "missing": 3, "fraction": 1.0}]
    assert incomplete(table, 0.9) == ["linking_candidates: 3 of 3 units are missing (100%)"]
    assert incomplete(table, 1.0) == []


def test_what_failed_before_is_missing_after():
    failed = failures(neurons_simplify=["a"], neurons_condense=["b"])
    table = completeness({"neurons_simplify": 9, "neurons_hks": 9, "neurons_condense": 8, "neurons_spines": 8}, failed)
    assert table.set_index("step")["missing"].to_dict() == {
        "neurons_simplify": 1, "neurons_hks": 1, "neurons_condense": 2, "neurons_spines": 2,
    }  # fmt: skip
    assert (table["units"] == 10).all()
    assert [line.partition(":")[0] for line in incomplete(table, 0.1)] == ["neurons_condense", "neurons_spines"]


def test_cuboids_that_a_network_that_learned_failed_on_lack_a_density():
    again = {"synapses_detect": 9, "review_detect_synapses": 8, "synapses_density": 8}
    table = completeness(again, failures(synapses_detect=["v/a"], review_detect_synapses=["v/b"]))
    assert table.set_index("step").loc["synapses_density", ["units", "missing"]].tolist() == [10, 2]
    # where no network learned, there is no such step
    table = completeness({"synapses_detect": 9, "synapses_density": 9}, failures(synapses_detect=["v/a"]))
    assert table.set_index("step")["missing"].to_dict() == {"synapses_detect": 1, "synapses_density": 1}


def test_synapses_are_missing_of_neurons_that_have_a_table():
    neurons = pd.DataFrame(
        {
            "with_synapses": [True, True, False],
            "synapses": pd.array([5, None, None], "Int64"),
            "known": [True, False, True],
        }
    )
    table = completeness({"neurons_synapses": 1}, failures(neurons_hks=["b"]), neurons).set_index("step")
    assert table.loc["neurons_synapses", ["units", "missing"]].tolist() == [2, 1]


@pytest.mark.parametrize("finished", [{}, {"linking_basins": 0}])
def test_a_run_without_units_is_complete(finished):
    table = completeness(finished, failures())
    assert table.empty and incomplete(table, 0) == []


def test_no_unit_may_fail_where_the_fraction_is_0():
    table = completeness({"synapses_detect": 999}, failures(synapses_detect=["v/0-0-0"]))
    assert incomplete(table, 0.0) and not incomplete(table, 0.001)
