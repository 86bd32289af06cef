"""The tables of the branch: every spine of every neuron that was labelled, and every synapse that was given."""

from dataclasses import replace

import pandas as pd

from spinome.gaps import gap_table
from spinome.io.tables import write_table
from spinome.neurons.tables import all_spines, all_synapses, neuron_table
from spinome.neurons.units import NeuronUnit

COLUMNS = ["id", "pre_pt_root_id", "ctr_pt_position_x", "ctr_pt_position_y", "ctr_pt_position_z"]


def test_a_neuron_that_failed_keeps_its_synapses_and_has_no_spines(tmp_path):
    (tmp_path / "good").mkdir()
    # the vertices are not there: the table of spines is read without them
    write_table(pd.DataFrame({"spine": [0, 1], "volume_um3": [0.1, 0.2]}), tmp_path / "good" / "spines.parquet")
    places = [[7, 1, 0.0, 0.0, 0.0], [8, 2, 0.0, 0.0, 900.0]]
    labelled = pd.DataFrame(places, columns=["id", "pre_pt_root_id", "z_nm", "y_nm", "x_nm"])
    write_table(labelled.assign(spine=1, source="sheet", neuron="good"), tmp_path / "labelled.parquet")
    pd.DataFrame([[9, 3, 1.0, 2.0, 3.0]], columns=COLUMNS).to_csv(tmp_path / "bad.csv", index=False)
    neurons = [
        NeuronUnit("good", "sheet", "good", "good.ply", "good.csv"),
        NeuronUnit("bad", "sheet", "bad", "bad.ply", str(tmp_path / "bad.csv")),
    ]
    synapses = all_synapses(neurons, {"good": str(tmp_path / "labelled.parquet")}, {"bad": "no mesh"})
    assert synapses["id"].tolist() == [7, 8, 9] and "no mesh" in synapses["reason"].iloc[2]
    spines = all_spines(neurons, {"good": str(tmp_path / "good")}, synapses, 1500.0)
    assert spines["neuron"].tolist() == ["good", "good"]
    assert spines["synapses"].tolist() == [0, 2] and spines["multi_input"].tolist() == [False, True]
    assert not all_spines(neurons, {"good": str(tmp_path / "good")}, synapses, 500.0)["multi_input"].any()


def test_spines_of_a_neuron_whose_synapses_are_not_known_have_no_counts_rather_than_0(tmp_path):
    write_table(
        pd.DataFrame({"spine": [0, 1], "z_nm": [100.0, 900], "y_nm": 50.0, "x_nm": 50.0}), tmp_path / "spines.parquet"
    )
    table = pd.DataFrame([[1, 5, 0, 0.0, 0.0, 0.0]], columns=["id", "pre_pt_root_id", "spine", "z_nm", "y_nm", "x_nm"])
    write_table(table.assign(source="sheet", neuron="a"), tmp_path / "a.parquet")
    neurons = [NeuronUnit(name, "sheet", name, "", "x.csv" if name != "bare" else None) for name in ("a", "b", "bare")]
    folders, files = dict.fromkeys(["a", "b", "bare"], str(tmp_path)), {"a": str(tmp_path / "a.parquet")}
    (tmp_path / "x.csv").write_text("id\n1\n")
    neurons = [replace(neuron, synapses=neuron.synapses and str(tmp_path / "x.csv")) for neuron in neurons]
    failed = {"b": "ValueError: x.csv: lacks a column"}
    synapses = all_synapses(neurons, files, failed)
    spines = all_spines(neurons, folders, synapses, 1500.0, {"b"})
    assert spines["synapses"].tolist() == [1, 0, *[pd.NA] * 4]
    assert (
        spines["partners"].isna().tolist()
        == spines["multi_input"].isna().tolist()
        == [False, False, True, True, True, True]
    )
    told = neuron_table(neurons, folders, files, failed, synapses, spines).set_index("neuron")
    assert told["known"].to_dict() == {"a": True, "b": False, "bare": True}
    assert told["spines"].tolist() == [2, 2, 2] and told["synapses"].tolist() == [1, pd.NA, pd.NA]
    assert told["reason"].tolist() == ["", failed["b"], ""] and told["with_synapses"].tolist() == [True, True, False]
    nothing = neuron_table(neurons, {}, {}, {}, synapses.iloc[:0], spines.iloc[:0])
    assert not nothing["known"].any() and nothing[["spines", "synapses"]].isna().all(axis=None)


def test_spines_where_synapses_could_not_be_looked_for_have_no_counts(tmp_path):
    write_table(
        pd.DataFrame({"spine": [0, 1], "z_nm": [100.0, 900], "y_nm": 50.0, "x_nm": 50.0}), tmp_path / "spines.parquet"
    )
    gaps = gap_table((100, 10, 10), (50, 10, 10), {"0-0-0"}, (10.0, 10.0, 10.0))
    neurons = [NeuronUnit(f"volume-{name}/7", name, "7", "", "7_synapses.parquet") for name in ("v", "w")]
    folders, none = {neuron.unit: str(tmp_path) for neuron in neurons}, all_synapses([], {}, {})
    spines = all_spines(neurons, folders, none, 1500.0, (), {"v": gaps})
    assert spines["synapses"].tolist() == [0, pd.NA, 0, 0]
    without = [replace(neuron, synapses=None) for neuron in neurons]
    assert all_spines(without, folders, none, 1500.0)["synapses"].isna().all()
