"""Whose synapses they are: each neuron gets its own of a table, or one message that names the table."""

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest

from spinome.io.cave import POSITION, read_owners, read_synapses
from spinome.neurons.units import NeuronUnit
from spinome.workflow.preflight import check_inputs
from spinome.workflow.samples import NeuronRow, read_sheet

# three root ids that are one and the same float of 64 bits
ROOTS = [864691135361314112, 864691135361314113, 864691135361314114]


def shared_table(path, roots=ROOTS, each=4):
    """A table with synapses of several neurons, as Arrow, CSV or TSV have it: no pandas, ids beside empty cells."""
    count = each * len(roots)
    columns = {
        "id": pyarrow.array(range(count), pyarrow.int64()),
        "post_pt_root_id": pyarrow.array([roots[number % len(roots)] for number in range(count)], pyarrow.int64()),
        "pre_pt_root_id": pyarrow.array([None, *range(1, count)], pyarrow.int64()),
        **{column: pyarrow.array(np.arange(count, dtype=float)) for column in POSITION},
    }
    table = pyarrow.table(columns)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, path)
    else:
        columns = {name: column.to_pylist() for name, column in columns.items()}
        pd.DataFrame(columns, dtype=object).to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv", "tsv"])
def test_one_table_in_three_rows_gives_each_neuron_its_own_synapses(tmp_path, suffix):
    path = shared_table(tmp_path / f"all.{suffix}")
    rows = [
        NeuronRow(neuron=str(ROOTS[0]), mesh="", synapses=str(path)),
        NeuronRow(neuron="b", mesh="", synapses=str(path), root_id=ROOTS[1]),
        NeuronRow(neuron="7", mesh="", synapses=str(path), root_id=ROOTS[2]),
    ]
    assert check_inputs([], [], rows, []) == []
    found = [read_synapses(path, None, row.root_id) for row in rows]
    for number, (table, root) in enumerate(zip(found, ROOTS)):
        assert table["post_pt_root_id"].tolist() == [root] * 4
        # the index says where they are in the table
        assert table["id"].tolist() == table.index.tolist() == list(range(number, 12, 3))
    assert found[0]["pre_pt_root_id"].tolist() == [pd.NA, 3, 6, 9]


def test_mixed_root_ids_are_refused_where_the_neuron_has_none(tmp_path):
    path = shared_table(tmp_path / "all.csv")
    message = rf"all\.csv: has synapses of 3 neurons \(post_pt_root_id {ROOTS[0]}, .*fill the column root_id"
    with pytest.raises(ValueError, match=rf"^neuron n: .*{message}"):
        NeuronUnit("n", "sheet", "n", "", str(path)).read_synapses()
    (problem,) = check_inputs([], [], [NeuronRow(neuron="n", mesh="", synapses=str(path))], [])
    assert problem.startswith("neuron n: ") and "root_id" in problem


@pytest.mark.parametrize("name", [str(ROOTS[0] + 9), "n"])
def test_a_table_without_a_row_of_the_neuron_is_refused(tmp_path, name):
    path = shared_table(tmp_path / "other.parquet", ROOTS[:1])
    row = NeuronRow(neuron=name, mesh="", synapses=str(path), root_id=ROOTS[0] + 9)
    with pytest.raises(ValueError, match=rf"^neuron {name}: .*other\.parquet: has no synapse of this neuron"):
        NeuronUnit(name, "sheet", name, "", str(path), None, row.root_id).read_synapses()
    (problem,) = check_inputs([], [], [row], [])
    assert f"neuron {name}: " in problem and str(ROOTS[0] + 9) in problem and str(ROOTS[0]) in problem


def test_a_table_of_one_neuron_needs_no_root_id(tmp_path):
    path = shared_table(tmp_path / "one.csv", ROOTS[:1])
    assert check_inputs([], [], [NeuronRow(neuron="n", mesh="", synapses=str(path))], []) == []
    assert len(read_synapses(path)) == 4
    table = pd.read_csv(path)
    for untold in (table.drop(columns="post_pt_root_id"), table.assign(post_pt_root_id=None)):
        untold.to_csv(path, index=False)
        assert read_owners(path) == []
        assert len(read_synapses(path)) == len(read_synapses(path, None, 5)) == 4


def test_rows_of_no_neuron_belong_to_none(tmp_path):
    path = shared_table(tmp_path / "all.csv", ROOTS[:2])
    table = pd.read_csv(path, dtype="string")
    table.loc[:2, "post_pt_root_id"] = [pd.NA, "0", "0"]
    table.to_csv(path, index=False)
    assert read_synapses(path, None, ROOTS[0])["id"].tolist() == [4, 6]


def test_roots_of_a_sheet_are_exact_and_a_name_that_is_a_number_is_one(tmp_path):
    (tmp_path / "m.npz").touch()
    rows = [("a", ROOTS[1]), (str(ROOTS[2]), ""), ("n1", ""), ("0", ""), ("9" * 30, "")]
    lines = [f"{name}\tm.npz\t{root}" for name, root in rows]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh\troot_id", *lines]) + "\n")
    found = read_sheet(tmp_path / "neurons.tsv", NeuronRow)
    assert [row.root_id for row in found] == [ROOTS[1], ROOTS[2], None, None, None]
    (tmp_path / "neurons.tsv").write_text("neuron\tmesh\troot_id\na\tm.npz\t8.64691E+17\n")
    with pytest.raises(ValueError, match="row 2, column root_id"):
        read_sheet(tmp_path / "neurons.tsv", NeuronRow)


def test_a_partner_of_0_is_none(tmp_path):
    frame = pd.DataFrame({"id": [1, 2, 3], "pre_pt_root_id": [0, -1, 5], "post_pt_root_id": [7, 7, 0]})
    frame.assign(**dict.fromkeys(POSITION, 1.0)).to_csv(tmp_path / "all.csv", index=False)
    table = read_synapses(tmp_path / "all.csv")
    assert table["pre_pt_root_id"].tolist() == [pd.NA, pd.NA, 5]
    assert table["post_pt_root_id"].tolist() == [7, 7, pd.NA]
    assert read_owners(tmp_path / "all.csv") == [7]
    assert read_synapses(tmp_path / "all.csv", root_id=7)["id"].tolist() == [1, 2]


def test_positions_that_are_no_numbers_are_refused_and_empty_ones_are_not(tmp_path):
    path = tmp_path / "all.tsv"
    frame = pd.DataFrame({"id": [1, 2], **{column: ["0.5", None] for column in POSITION}})
    frame.to_csv(path, sep="\t", index=False)
    assert read_synapses(path)[POSITION[0]].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    frame.replace("0.5", "0,5").to_csv(path, sep="\t", index=False)
    with pytest.raises(ValueError, match=r"all\.tsv: column ctr_pt_position_x must hold numbers, .* '0,5'; write"):
        read_synapses(path)


def test_a_table_in_which_no_synapse_has_a_position_is_refused(tmp_path):
    frame = pd.DataFrame({"id": [1, 2], **{column: [1.0, None] for column in POSITION}})
    frame.assign(**{POSITION[0]: None}).to_csv(tmp_path / "all.csv", index=False)
    with pytest.raises(ValueError, match=r"all\.csv: none of 2 synapses has a position; fill the columns"):
        read_synapses(tmp_path / "all.csv")
    frame[:0].to_csv(tmp_path / "all.csv", index=False)
    assert read_synapses(tmp_path / "all.csv").empty


def test_a_synapse_that_is_there_twice_counts_once(tmp_path, capsys):
    frame = pd.DataFrame({"id": [1, 2, 1, 2], **{column: [5.0, 6, 5, 7] for column in POSITION}})
    frame.to_csv(tmp_path / "all.csv", index=False)
    # the index still counts the rows of the table; another place is another synapse
    assert read_synapses(tmp_path / "all.csv").index.tolist() == [0, 1, 3]
    assert "all.csv: 1 of 4 synapses have id and place of another" in capsys.readouterr().out
