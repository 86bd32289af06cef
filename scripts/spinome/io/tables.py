"""Tables in and out: Parquet inside; CSV, TSV and Feather are read, CSV and TSV written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet

from spinome.io.atomic import atomic
from spinome.io.damage import DamagedError


def _read_parquet(path: Path, columns: list[str] | None, as_text: Iterable[str]) -> pd.DataFrame:
    """As the file has it: an index that pandas stored is a column where it has a name, and rows count from 0."""
    stored = None
    if columns is not None:
        stored = [name for name in columns if name in _parquet_schema(path).names]
    frame = pd.read_parquet(path, columns=stored)
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    frame = frame.reset_index(level=named).reset_index(drop=True)
    return frame if columns is None else frame[[name for name in columns if name in frame.columns]]


def _parquet_schema(path: Path) -> pyarrow.Schema:
    """Of a file, or of a folder of files, whose subfolders may stand for columns."""
    return pyarrow.dataset.dataset(path, format="parquet", partitioning="hive").schema


def _parquet_names(path: Path) -> list[str]:
    """The columns as `_read_parquet` gives them; of an index that is a range pandas stores its name alone."""
    schema = _parquet_schema(path)
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    # pandas does not give that of several files
    ranges = [one["name"] for one in index if isinstance(one, dict) and one["name"] is not None and path.is_file()]
    unnamed = [one for one in index if isinstance(one, str) and re.fullmatch(r"__index_level_\d+__", one)]
    return ranges + [name for name in schema.names if name not in unnamed]


# integers of text, and names, are read as text, since a column with empty cells would be read as floats
READERS = {
    ".parquet": _read_parquet,
    ".feather": lambda path, columns, as_text: pd.read_feather(path, columns=columns),
    ".csv": lambda path, columns, as_text: pd.read_csv(path, usecols=columns, dtype=dict.fromkeys(as_text, "string")),
    ".tsv": lambda path, columns, as_text: pd.read_csv(
        path, sep="\t", usecols=columns, dtype=dict.fromkeys(as_text, "string")
    ),
}
# the columns of tables of Arrow as they are stored; pandas makes floats of integers where some are empty
ARROW = {".parquet": pyarrow.parquet.read_table, ".feather": pyarrow.feather.read_table}
NULLABLE = {
    getattr(pyarrow, name.lower())(): getattr(pd, f"{name}Dtype")()
    for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
}
# floats of 64 bits hold every whole number up to here
EXACT_FLOAT = 2**53
LARGEST = np.iinfo(np.int64).max
HEADERS = {
    ".parquet": _parquet_names,
    ".feather": lambda path: pyarrow.ipc.open_file(path).schema.names,
    ".csv": lambda path: list(pd.read_csv(path, nrows=0).columns),
    ".tsv": lambda path: list(pd.read_csv(path, sep="\t", nrows=0).columns),
}
WRITERS = {
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".tsv": lambda frame, path: frame.to_csv(path, sep="\t", index=False),
}


def read_table(
    path: str | Path,
    required: Iterable[str] = (),
    integers: Iterable[str] = (),
    columns: Iterable[str] | None = None,
    text: Iterable[str] = (),
) -> pd.DataFrame:
    """Read a table by its suffix and check that it has the required columns.

    Parameters
    ----------
    required : columns that it must have
    integers : columns of whole numbers, which are read exactly (`Int64`) even where some are empty; without being
        told, such a column is read as floats, and ids of 64 bits lose their last digits
    columns : the only columns to read; None reads all
    text : columns of names, which are read as they are written, even where all of them are numbers

    Raises
    ------
    ValueError: if the format is unknown, the file cannot be read, a column is missing or one of `integers` does not
        hold whole numbers; the message names the file, the column and the columns that are there.
    """
    columns, integers, text = None if columns is None else list(columns), list(integers), list(text)
    frame = _by_kind(READERS, path, columns, [*integers, *text])
    require_columns(path, frame.columns, [*required, *(columns or ())])
    for name in text:
        # an empty cell is no name
        frame[name] = frame[name].astype("string")
    for column in integers:
        if column not in frame:
            continue
        if (read := ARROW.get(table_kind(path) or "")) and frame[column].dtype.kind == "f":
            frame[column] = read(path, columns=[column]).to_pandas(types_mapper=NULLABLE.get, ignore_metadata=True)
        try:
            frame[column] = exact_integers(frame[column])
        except ValueError as error:
            raise ValueError(f"{path}: column {column} must hold integers ({error})") from None
    return frame


def exact_integers(column: pd.Series) -> pd.Series:
    """A column as `Int64`, digit by digit: text and floats are taken where they say one whole number alone.

    Raises
    ------
    ValueError: if a value is no whole number of 64 bits with a sign, or a float too large to be one exactly.
    """
    if column.dtype.kind == "f":
        values = column.dropna().to_numpy(float)
        kept = np.finfo(getattr(column.dtype, "numpy_dtype", column.dtype)).nmant + 1
        if (np.abs(values) > 2**kept).any():
            raise ValueError(
                f"floating point of this kind holds {int(kept * np.log10(2))} digits exactly, some of these are longer "
                "and have lost their last ones; write whole numbers"
            )
        if (values != np.floor(values)).any():
            raise ValueError(f"{values[values != np.floor(values)][0]:g} is not whole")
    elif column.dtype.kind == "u":
        # nullable ones would wrap to negative numbers
        if (column.dropna() > LARGEST).any():
            raise ValueError(f"{column.max()} is 2**63 or more; renumber")
    elif column.dtype.kind != "i":
        column = column.astype("string").str.strip().str.replace(r"\.0*$", "", regex=True).replace("", pd.NA)
    try:
        return column.astype("Int64")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(str(error)) from None


def numbers(column: pd.Series) -> pd.Series:
    """A column of numbers as `Int64` where all of them are whole, else as float64; what is no number is empty."""
    values = pd.to_numeric(column, errors="coerce")
    floats = values.to_numpy(float, na_value=np.nan)
    known = floats[~np.isnan(floats)]
    if len(known) and (np.abs(known) <= EXACT_FLOAT).all() and (known == np.floor(known)).all():
        return values.astype("Int64")
    return pd.Series(floats, column.index, name=column.name)


def table_columns(path: str | Path) -> list[str]:
    """The columns of a table, from its header alone; raises as `read_table`."""
    return _by_kind(HEADERS, path)


def table_kind(path: str | Path) -> str | None:
    """The suffix by which a table is read, `.csv` of `x.csv` and of `x.csv.gz`; None where the file is no table."""
    return next((suffix for suffix in reversed(Path(path).suffixes) if suffix in READERS), None)


def _by_kind(readers: Mapping[str, Callable], path: str | Path, *more: object) -> Any:
    kind = table_kind(path)
    if kind is None:
        raise ValueError(f"{path}: unknown kind of table; use one of {', '.join(READERS)}")
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such table")
    try:
        return readers[kind](path, *more)
    except Exception as error:
        raise DamagedError(path, f"cannot be read as a {kind} table ({error}); write it again") from error


def require_columns(path: str | Path, columns: Collection[str], required: Iterable[str]) -> None:
    """Raise a ValueError, naming the file and the remedy, where a table lacks a column."""
    missing = [column for column in required if column not in columns]
    if not missing:
        return
    there = ", ".join(map(str, columns))
    raise ValueError(f"{path}: lacks the column {', '.join(missing)}; it has {there}. Rename or add the column")


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table as Parquet, CSV or TSV, by its suffix, whole or not at all.

    Raises
    ------
    ValueError: if the suffix is none of these.
    """
    suffix = Path(path).suffix
    if suffix not in WRITERS:
        raise ValueError(f"{path}: tables are written as {', '.join(WRITERS)}")
    with atomic(path) as part:
        WRITERS[suffix](frame, part)


def concatenate(paths: Iterable[str | Path], columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read tables and stack them, the empty ones included for their columns."""
    frames = [read_table(path) for path in paths]
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))
