"""The tables of the branch: every spine of every neuron that was labelled, and every synapse that was given."""

import pandas as pd
from spinome.neurons.units import NeuronUnit

from spinome.io.tables import write_table
from spinome.neurons.tables import all_spines, all_synapses

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
