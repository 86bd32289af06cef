"""Tables with the design: each row says what its own sample is, and nothing that is not known."""

import pandas as pd
import pytest

from spinome.design import (
    cell_samples,
    neuron_samples,
    stack_samples,
    volume_samples,
    with_design,
    with_design_of_pairs,
)
from spinome.io.tables import read_table, write_table

COLUMNS = {"animal": "string", "condition": "string", "age_days": "number"}
NONE = {"columns": {}, "samples": {}}


def design(**samples):
    return {"columns": COLUMNS, "samples": {name.replace("_", "/", 1): values for name, values in samples.items()}}


def sessions(*timepoints):
    return pd.DataFrame({"specimen": "m", "field": "f", "timepoint": list(timepoints)})


def test_each_row_has_what_its_sample_has():
    table = pd.DataFrame({"volume": ["b", "a", "b", "c"]}, index=[7, 3, 3, 0])
    given = design(
        volumes_a={"animal": "1", "condition": "control", "age_days": 40.0},
        volumes_b={"animal": "2", "age_days": 41.5},
        neurons_c={"animal": "3", "condition": "enriched"},
    )
    result = with_design(table, volume_samples(table), given)
    assert list(result.columns) == ["volume", *COLUMNS]
    assert result["animal"].tolist() == ["2", "1", "2", pd.NA]
    assert result["condition"].tolist() == [pd.NA, "control", pd.NA, pd.NA]
    assert result["age_days"].tolist()[:3] == [41.5, 40.0, 41.5] and pd.isna(result["age_days"].iloc[3])
    pd.testing.assert_frame_equal(result[["volume"]], table)


def test_a_study_without_a_design_keeps_its_tables():
    table = pd.DataFrame({"volume": ["a"], "n": pd.array([None], "Int64")})
    pd.testing.assert_frame_equal(with_design(table, volume_samples(table), NONE), table)
    pairs = sessions("0").assign(next_timepoint="1")
    pd.testing.assert_frame_equal(with_design_of_pairs(pairs, stack_samples(pairs), stack_samples(pairs), NONE), pairs)


@pytest.mark.parametrize("rows", [0, 2])
def test_types_do_not_depend_on_what_is_given(tmp_path, rows):
    table = pd.DataFrame({"volume": pd.Series(["x", "y"][:rows], dtype=object)})
    write_table(with_design(table, volume_samples(table), design()), tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    assert [str(read[name].dtype) for name in COLUMNS] == ["string", "string", "float64"]
    assert read[list(COLUMNS)].isna().all(axis=None)


def test_between_two_sessions_there_is_the_level_of_both_or_none():
    table = sessions("0", "1", "2").assign(next_timepoint=["1", "2", "3"])
    before, after = ({"animal": "1", "condition": level} for level in ("before", "after"))
    given = {
        "columns": COLUMNS,
        "samples": {
            "stacks/m.f.0": before | {"age_days": 30.0},
            "stacks/m.f.1": before | {"age_days": 33.0},
            "stacks/m.f.2": after | {"age_days": 37.0},
            "stacks/m.f.3": {"animal": "1"},
        },
    }
    result = with_design_of_pairs(table, stack_samples(table), stack_samples(table, "next_timepoint"), given)
    assert result["condition"].tolist() == ["before", pd.NA, pd.NA]
    assert result["animal"].tolist() == ["1", "1", "1"]
    assert result["age_days"].tolist() == [30.0, 33.0, 37.0]


def test_a_neuron_made_from_a_volume_has_the_volumes_design():
    table = pd.DataFrame({"source": ["sheet", "v", "sheet"], "neuron": ["v", "12", "12"]})
    assert neuron_samples(table).tolist() == ["neurons/v", "volumes/v", "neurons/12"]


def test_a_cell_is_a_neuron_where_it_receives_and_a_root_id_where_it_gives():
    table = pd.DataFrame({"side": ["input", "input", "output"], "cell": ["n", "v/12", "648518346349539862"]})
    assert cell_samples(table).tolist() == ["neurons/n", "volumes/v", "cells/648518346349539862"]
    assert cell_samples(table.iloc[:0]).tolist() == []


def test_a_column_is_never_written_over():
    table = pd.DataFrame({"volume": ["a"], "condition": [1]})
    with pytest.raises(ValueError, match="design: condition is a column of the tables of results"):
        with_design(table, volume_samples(table), design())
