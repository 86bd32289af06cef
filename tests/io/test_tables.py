"""Tables go round every format, and errors name the file."""

import pandas as pd
import pytest

from spinome.io.tables import concatenate, read_table, table_columns, write_table

FRAME = pd.DataFrame({"id": [1, 2], "x_nm": [0.5, 1.5], "tag": ["spine", "shaft"]})


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
def test_round_trip(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write_table(FRAME, path)
    pd.testing.assert_frame_equal(read_table(path), FRAME)


def test_feather_and_compressed_csv_are_read(tmp_path):
    FRAME.to_feather(tmp_path / "t.feather")
    FRAME.to_csv(tmp_path / "t.csv.gz", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.feather"), FRAME)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv.gz"), FRAME)


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".csv", ".tsv", ".csv.gz", ".tsv.gz"])
def test_the_header_has_the_columns_of_the_table(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    if suffix in (".parquet", ".feather"):
        getattr(FRAME, f"to_{suffix[1:]}")(path)
    else:
        FRAME.to_csv(path, index=False, sep="\t" if ".tsv" in suffix else ",")
    assert table_columns(path) == list(read_table(path).columns) == list(FRAME.columns)


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    path = tmp_path / "synapses.csv"
    FRAME.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"synapses\.csv: lacks the column size; it has id, x_nm, tag"):
        read_table(path, required=["id", "size"])


def test_unknown_formats_and_broken_files_are_named(tmp_path):
    (tmp_path / "table.xlsx").touch()
    (tmp_path / "table.parquet").write_text("no parquet")
    with pytest.raises(ValueError, match=r"table\.xlsx: unknown kind"):
        read_table(tmp_path / "table.xlsx")
    with pytest.raises(ValueError, match=r"table\.parquet: cannot be read"):
        read_table(tmp_path / "table.parquet")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match=r"out\.xlsx: tables are written as"):
        write_table(FRAME, tmp_path / "out.xlsx")


def test_concatenate_keeps_the_types_where_some_tables_are_empty(tmp_path):
    write_table(FRAME, tmp_path / "a.parquet")
    write_table(FRAME.iloc[:0].astype(object), tmp_path / "b.parquet")
    joined = concatenate([tmp_path / "b.parquet", tmp_path / "a.parquet", tmp_path / "a.parquet"])
    assert len(joined) == 4
    assert joined["id"].dtype == FRAME["id"].dtype


def test_concatenate_of_nothing_has_the_columns(tmp_path):
    write_table(FRAME.iloc[:0], tmp_path / "b.parquet")
    assert list(concatenate([tmp_path / "b.parquet"]).columns) == list(FRAME.columns)
    assert list(concatenate([], columns=["a", "b"]).columns) == ["a", "b"]
