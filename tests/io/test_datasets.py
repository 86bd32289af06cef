"""Data sets are read by others as one table, and by the workflow part by part, with the same rows."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from spinome.io.damage import DamagedError
from spinome.io.datasets import count_rows, dataset, parts_of, read_rows, sample_rows, write_dataset
from spinome.io.tables import read_table, table_columns, write_table

FRAME = pd.DataFrame(
    {
        "neuron": pd.array([f"n{number // 10}" for number in range(97)], "string"),
        "id": pd.array([*range(2**60, 2**60 + 96), None], "Int64"),
        "value": np.linspace(0, 1, 97),
    }
)
CUTS = [0, 0, 40, 41, 97]


@pytest.fixture
def path(tmp_path):
    parts = ((f"{number:02d}", FRAME[start:stop]) for number, (start, stop) in enumerate(pairwise(CUTS)))
    write_dataset(parts, tmp_path / "all.parquet")
    return tmp_path / "all.parquet"


def test_it_is_one_table_for_all_readers(path):
    # Snakemake leaves a hidden file in every folder that a rule makes
    (path / ".snakemake_timestamp").touch()
    assert list(parts_of(path)) == ["00", "01", "02", "03"] and count_rows(path) == 97
    assert table_columns(path) == list(FRAME)
    for read in (pd.read_parquet, read_table, lambda path: read_table(path, integers=["id"])):
        pd.testing.assert_frame_equal(read(path), FRAME)


@pytest.mark.parametrize(
    ("reader", "read"),
    [
        # not by way of pandas, where integers beside an empty cell would become floats
        ("polars", lambda polars, path: polars.read_parquet(path)["id"].to_list()),
        ("duckdb", lambda duckdb, path: [row[0] for row in duckdb.sql(f"SELECT id FROM '{path}'").fetchall()]),
    ],
)
def test_other_programs_read_it_as_one_table(path, reader, read):
    assert read(pytest.importorskip(reader), path) == [*FRAME["id"].tolist()[:-1], None]


def test_rows_of_single_neurons(path):
    pd.testing.assert_frame_equal(
        read_rows(path, "neuron", ["n4", "n9"]), FRAME[FRAME["neuron"].isin(["n4", "n9"])].reset_index(drop=True)
    )
    for none in ([], ["absent"]):
        assert read_rows(path, "neuron", none, ["id"]).dtypes.to_dict() == {"id": FRAME["id"].dtype}
        assert read_rows(path, "neuron", none, ["id"]).empty


@pytest.mark.parametrize(("most", "step"), [(97, 1), (1000, 1), (96, 2), (10, 10), (1, 97)])
def test_a_sample_does_not_depend_on_the_parts(path, most, step):
    expected = FRAME[["value"]].iloc[::step].reset_index(drop=True)
    pd.testing.assert_frame_equal(sample_rows(path, ["value"], most), expected)


def test_a_plain_file_is_a_data_set_of_one_part(tmp_path):
    write_table(FRAME, tmp_path / "one.parquet")
    assert count_rows(tmp_path / "one.parquet") == 97
    assert len(read_rows(tmp_path / "one.parquet", "neuron", ["n0"])) == 10


def test_it_takes_the_place_of_a_file_and_of_an_earlier_one(tmp_path):
    path = tmp_path / "all.parquet"
    write_table(FRAME, path)
    write_dataset([("a", FRAME), ("b", FRAME)], path)
    write_dataset([("b", FRAME)], path)
    assert list(parts_of(path)) == ["b"] and [file.name for file in tmp_path.iterdir()] == ["all.parquet"]


def test_a_column_has_one_type_in_all_parts(tmp_path):
    size = [pd.array([1, None], "Int64"), np.array([0.5, np.nan]), pd.array([], "Int64")]
    write_dataset(((str(n), pd.DataFrame({"size": values})) for n, values in enumerate(size)), tmp_path / "s.parquet")
    assert read_table(tmp_path / "s.parquet")["size"].tolist()[::2] == [1.0, 0.5]
    assert {read_table(file)["size"].dtype for file in parts_of(tmp_path / "s.parquet").values()} == {np.dtype(float)}


def test_what_is_wrong_is_told_and_nothing_is_left(tmp_path, path):
    with pytest.raises(ValueError, match="needs a part"):
        write_dataset([], tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="the columns of b are"):
        write_dataset([("a", FRAME), ("b", FRAME[["id"]])], tmp_path / "none.parquet")
    assert not (tmp_path / "none.parquet").exists()
    (path / "02.parquet").write_bytes(b"cut")
    with pytest.raises(DamagedError, match=r"02\.parquet"):
        read_rows(path, "neuron", ["n0"])


def test_parts_that_do_not_know_the_type_of_a_column_get_it_from_those_that_do(tmp_path):
    path = tmp_path / "all.parquet"
    filled = pd.DataFrame({"volume": ["b"], "orphan": np.array([2**60], np.uint64), "reason": ["cut"]})
    nothing = pd.DataFrame({"volume": [], "orphan": [], "reason": []}, dtype=object)
    without = filled.assign(volume="c", reason=None)
    with dataset(path) as add:
        for name, frame in {"a": nothing, "b": filled, "c": without}.items():
            add(name, frame)
    frame = pd.read_parquet(path)
    assert frame["orphan"].tolist() == [2**60] * 2 and frame["reason"].fillna("").tolist() == ["cut", ""]
    assert len({str(pyarrow.parquet.read_schema(file).field("reason").type) for file in parts_of(path).values()}) == 1
    assert read_rows(path, "volume", ["b"])["orphan"].tolist() == [2**60]
    assert read_rows(path, "volume", ["a"]).empty


def test_a_data_set_that_is_not_finished_is_not_there(tmp_path):
    with pytest.raises(RuntimeError, match="stopped"), dataset(tmp_path / "all.parquet") as add:
        add("a", FRAME)
        raise RuntimeError("stopped")
    assert not list(tmp_path.iterdir())


def test_a_part_without_rows_makes_no_floats_of_long_ids(tmp_path):
    ids = pd.DataFrame({"id": np.array([2**53 + 1], np.int64)})
    parts = [("full", ids), ("none", pd.DataFrame({"id": np.zeros(0)}))]
    write_dataset(parts, tmp_path / "ids.parquet")
    assert read_table(tmp_path / "ids.parquet")["id"].tolist() == [2**53 + 1]
