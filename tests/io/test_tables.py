"""Tables go round every format, and errors name the file."""

import pandas as pd
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest

from spinome.io.tables import concatenate, exact_integers, numbers, read_table, table_columns, write_table

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


ROOT = 864691135361314119


@pytest.mark.parametrize(
    "values",
    [
        pd.array([ROOT, None], "Int64"),
        pd.Series([ROOT, None], dtype=object),
        pd.Series([ROOT, ROOT], dtype="uint64"),
        pd.Series([f" {ROOT}", f"{ROOT}.0"]),
        pd.Series([f"{ROOT}", ""]),
    ],
    ids=["nullable", "object", "unsigned", "text", "empty text"],
)
def test_integers_stay_exact(values):
    found = exact_integers(pd.Series(values))
    assert found.dtype == "Int64" and set(found.dropna()) == {ROOT}


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv", "tsv.gz"])
def test_integers_beside_empty_cells_stay_exact_in_every_format(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    if suffix in ("parquet", "feather"):
        table = pyarrow.table({"id": pyarrow.array([ROOT, None], pyarrow.uint64()), "x": [1.0, 2.0]})
        pyarrow.parquet.write_table(table, path) if suffix == "parquet" else pyarrow.feather.write_feather(table, path)
    else:
        pd.DataFrame({"id": [str(ROOT), ""], "x": [1, 2]}).to_csv(path, index=False, sep="\t" if "t" in suffix else ",")
    assert read_table(path, integers=["id", "absent"])["id"].tolist() == [ROOT, pd.NA]
    assert list(read_table(path, integers=["id"], columns=["id"]).columns) == ["id"]


@pytest.mark.parametrize("values", [[float(ROOT), None], ["8.64691135361314E+17"], [1.5], ["a"], [2**63]])
def test_what_has_lost_its_digits_or_is_no_integer_is_refused(tmp_path, values):
    pd.DataFrame({"id": values}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"t\.parquet: column id must hold integers"):
        read_table(tmp_path / "t.parquet", integers=["id"])


def test_numbers_are_whole_where_all_are():
    assert numbers(pd.Series([1.0, None])).tolist() == [1, pd.NA]
    assert numbers(pd.Series([1.5, None])).dtype == numbers(pd.Series([None, None])).dtype == "float64"
    assert numbers(pd.Series(["x", "2"])).tolist() == [pd.NA, 2]


def test_an_index_that_pandas_stored_is_a_column_where_it_has_a_name(tmp_path):
    rows = FRAME.iloc[[1, 0]]
    rows.to_parquet(tmp_path / "filtered.parquet")
    rows.set_index("id").to_parquet(tmp_path / "named.parquet")
    plain = rows.reset_index(drop=True)
    pd.testing.assert_frame_equal(read_table(tmp_path / "filtered.parquet"), plain)
    pd.testing.assert_frame_equal(read_table(tmp_path / "named.parquet"), plain)
    only = read_table(tmp_path / "named.parquet", required=["id"], integers=["id"], columns=["id"])
    assert only["id"].tolist() == [2, 1] and list(only) == ["id"]
    # of numbers that are no range the index is stored; of a range its name is
    for rows in (FRAME.assign(id=[7, 3]), FRAME):
        rows.set_index("id").to_parquet(tmp_path / "index.parquet")
        assert sorted(table_columns(tmp_path / "index.parquet")) == sorted(FRAME.columns)
        assert read_table(tmp_path / "index.parquet", columns=["tag", "id"])["id"].tolist() == rows["id"].tolist()
    assert table_columns(tmp_path / "filtered.parquet") == list(FRAME.columns)


def test_ids_beyond_what_their_type_holds_are_refused():
    with pytest.raises(ValueError, match="2\\*\\*63"):
        exact_integers(pd.Series([2**63 + 5, 1], dtype="UInt64"))
    with pytest.raises(ValueError, match="7 digits"):
        exact_integers(pd.Series([16777220.0, 1], dtype="float32"))
    assert exact_integers(pd.Series([2**63 - 1, None], dtype="UInt64"))[0] == 2**63 - 1
    assert exact_integers(pd.Series([16777216.0, None], dtype="float32"))[0] == 16777216


def test_folders_of_parquet_files_may_stand_for_columns(tmp_path):
    FRAME.to_parquet(tmp_path / "parts.parquet", partition_cols=["tag"])
    read = read_table(tmp_path / "parts.parquet", columns=["id", "tag"]).sort_values("id")
    assert read["id"].tolist() == [1, 2] and read["tag"].tolist() == ["spine", "shaft"]
    assert set(table_columns(tmp_path / "parts.parquet")) == set(FRAME.columns)
