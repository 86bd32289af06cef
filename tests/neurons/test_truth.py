"""Which synapse a label is of: by exact ids, by rows, or by place."""

import pandas as pd
import pytest

from spinome.neurons.truth import has_places, read_synapse_truth, truth_of_synapses

# ids that are one and the same float of 64 bits
IDS = [648518346349539862, 648518346349539863, 648518346349539864]


@pytest.fixture
def synapses():
    return pd.DataFrame({"id": pd.array(IDS, "Int64"), "row": pd.array([0, 1, 2], "Int64")})


@pytest.mark.parametrize("kind", ["csv", "parquet", "text.parquet"])
def test_ids_are_exact_beside_an_empty_cell_and_as_text(tmp_path, synapses, kind):
    truth = pd.DataFrame({"id": pd.array([*IDS, None], "Int64"), "tag": ["spine", "shaft", "soma", "spine"]})
    if kind == "csv":
        truth.to_csv(tmp_path / "truth.csv", index=False)
    else:
        truth.astype({"id": "string"} if kind == "text.parquet" else {}).to_parquet(tmp_path / f"truth.{kind}")
    assert truth_of_synapses(read_synapse_truth(tmp_path / f"truth.{kind}"), synapses).tolist() == [1, 0, 2]


@pytest.mark.parametrize("column", ["id", "synapse_row"])
def test_labels_of_another_neuron_are_refused(tmp_path, synapses, column):
    pd.DataFrame({column: [7, 8], "tag": "spine"}).to_csv(tmp_path / "truth.csv", index=False)
    truth = read_synapse_truth(tmp_path / "truth.csv")
    with pytest.raises(ValueError, match=f"truth.csv: none of 2 labels is of a synapse .* by the column {column}; is"):
        truth_of_synapses(truth, synapses, tmp_path / "truth.csv")
    assert truth_of_synapses(truth[:0], synapses).tolist() == [-1, -1, -1]


def test_rows_may_have_empty_cells(tmp_path, synapses):
    pd.DataFrame({"synapse_row": [2, None, 0], "tag": ["soma", "spine", "shaft"]}).to_csv(tmp_path / "truth.csv")
    assert truth_of_synapses(read_synapse_truth(tmp_path / "truth.csv"), synapses).tolist() == [0, -1, 2]
    assert not has_places(tmp_path / "truth.csv")


def test_labels_without_a_place_are_left_out(tmp_path, synapses, capsys):
    truth = pd.DataFrame({"x_nm": [50.0, None], "y_nm": 0.0, "z_nm": 0.0, "tag": "spine"})
    truth.to_csv(tmp_path / "truth.csv", index=False)
    synapses = synapses.assign(x_nm=[0.0, 900, 1800], y_nm=0.0, z_nm=0.0)
    assert has_places(tmp_path / "truth.csv")
    found = truth_of_synapses(read_synapse_truth(tmp_path / "truth.csv"), synapses, "truth.csv")
    assert found.tolist() == [1, -1, -1]
    assert "truth.csv: 1 of 2 labels have no position" in capsys.readouterr().out


def test_ids_that_are_names_do_not_matter_where_there_are_positions(tmp_path):
    truth = pd.DataFrame({"id": ["a", "b"], "x_nm": [0.0, 900.0], "y_nm": 0.0, "z_nm": 0.0, "tag": ["spine", "shaft"]})
    truth.to_csv(tmp_path / "truth.csv", index=False)
    synapses = pd.DataFrame({"id": [1, 2], "x_nm": [900.0, 0.0], "y_nm": 0.0, "z_nm": 0.0})
    read = read_synapse_truth(tmp_path / "truth.csv")
    assert truth_of_synapses(read, synapses).tolist() == read["label"].tolist()[::-1]
    truth.drop(columns="x_nm").to_csv(tmp_path / "truth.csv", index=False)
    with pytest.raises(ValueError, match="column id must hold integers"):
        read_synapse_truth(tmp_path / "truth.csv")
