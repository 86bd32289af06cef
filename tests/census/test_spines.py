"""The joint table: every branch in one schema, nothing invented, nothing broken written."""

import pandas as pd
import pyarrow.parquet
import pytest

from spinome.census.spines import from_linking, from_neurons, from_twophoton, join, write_spines
from spinome.io.tables import read_table


@pytest.fixture
def table(schema, twophoton, linking, neuron_spines, neuron_synapses):
    parts = [from_twophoton(twophoton), from_linking(linking), from_neurons(neuron_spines, neuron_synapses)]
    return join(parts, schema).set_index("spine", drop=False)


def test_every_row_of_every_branch_is_there_once(table, schema):
    assert list(table.columns) == list(schema)
    assert table["source"].value_counts().to_dict() == {"twophoton": 3, "linking": 2, "neurons": 3}
    assert table["spine"].is_unique


def test_columns_are_filled_by_the_branches_that_the_schema_names(table, schema):
    for column, rule in schema.items():
        for source, rows in table.groupby("source"):
            if rows[column].notna().any():
                assert source in rule["filled_by"], (source, column)


def test_two_photon_rows_keep_their_track_and_time(table):
    row = table.loc["twophoton/mouse/f1/1/7"]
    assert (row["track"], row["timepoint"], row["day"], row["parent"]) == ("twophoton/mouse/f1/7", "1", 2.0, "1")
    assert row["probability"] == 0.8
    assert pd.isna(row["volume_um3"]) and pd.isna(row["head_diameter_um"]) and pd.isna(row["synapses"])
    assert pd.isna(table.loc["twophoton/mouse/f1/0/8", "parent"])


def test_nanometres_become_micrometres(table):
    row = table.loc["neurons/p/p/1"]
    assert (row["z_um"], row["head_diameter_um"], row["neck_length_um"]) == (5.0, 0.8, 0.9)
    assert table.loc["linking/p/12", "z_um"] == 2.0


def test_synapses_are_carried_by_id(table):
    assert list(table.loc["neurons/p/p/0", "synapse_ids"]) == [101, 102]
    assert list(table.loc["neurons/p/p-1/0", "synapse_ids"]) == [9]
    assert table.loc["linking/p/11", "synapse_ids"] is pd.NA


def test_spines_of_which_synapses_are_not_known_have_no_ids_rather_than_an_empty_list(
    schema, neuron_spines, neuron_synapses
):
    unknown = neuron_spines.assign(synapses=pd.array([2, pd.NA, 0], "Int64"))
    joined = join([from_neurons(unknown, neuron_synapses[neuron_synapses["neuron"] == "p"])], schema)
    assert joined["synapse_ids"].isna().tolist() == [False, True, False]
    assert joined["synapse_ids"].iloc[2] == []


def test_meshes_made_from_a_volume_belong_to_it(table):
    assert table.loc["neurons/p/p-1/0", ["specimen", "sheet"]].tolist() == ["p", "volumes"]
    assert table.loc["neurons/p/p/0", ["specimen", "sheet"]].tolist() == ["p", "neurons"]


def test_the_file_has_the_same_types_whatever_branches_there_are(table, schema, linking, tmp_path):
    kinds = set()
    for name, frame in {"all": table, "one": join([from_linking(linking)], schema), "none": join([], schema)}.items():
        write_spines(frame, tmp_path / f"{name}.parquet")
        assert read_table(tmp_path / f"{name}.parquet")["spine"].tolist() == frame["spine"].tolist()
        read = pyarrow.parquet.read_schema(tmp_path / f"{name}.parquet")
        kinds.add(tuple((field.name, str(field.type)) for field in read))
    assert len(kinds) == 1


def test_pandas_reads_counts_as_integers_and_truths_as_booleans(table, schema, tmp_path):
    dtypes = {}
    for name, frame in {"all": table, "none": join([], schema)}.items():
        write_spines(frame, tmp_path / f"{name}.parquet")
        read = pd.read_parquet(tmp_path / f"{name}.parquet")
        dtypes[name] = read.dtypes.astype(str).to_dict()
    assert dtypes["all"] == dtypes["none"]
    assert {dtypes["all"][column] for column in ("synapses", "partners")} == {"Int64"}
    assert dtypes["all"]["multi_input"] == "boolean" and dtypes["all"]["day"] == "float64"
    read = pd.read_parquet(tmp_path / "all.parquet").set_index("spine")
    assert read.loc["neurons/p/p/0", "multi_input"] and pd.isna(read.loc["linking/p/11", "multi_input"])
    assert read.loc["neurons/p/p/0", "synapse_ids"].tolist() == [101, 102]


def test_empty_branches_add_nothing(schema, twophoton, linking, neuron_spines, neuron_synapses):
    empty = [
        from_twophoton(twophoton.iloc[:0]),
        from_linking(linking.iloc[:0]),
        from_neurons(neuron_spines.iloc[:0], neuron_synapses.iloc[:0]),
    ]
    assert join(empty, schema).empty


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("probability", [0.5, 1.5], "column probability is above 1 in 1 rows, the first linking/p/12"),
        ("volume_um3", [-1.0, 1.0], "column volume_um3 is below 0 in 1 rows, the first linking/p/11"),
        ("z_nm", [None, 1.0], "column z_um is null in 1 rows"),
        ("spine", [1, 1], "column spine is there more than once"),
        ("synapses", ["many", "few"], "column synapses must be of type integer"),
    ],
)
def test_what_breaks_the_schema_is_not_written(schema, linking, column, value, problem):
    linking[column] = value
    with pytest.raises(ValueError, match=problem):
        join([from_linking(linking)], schema)
