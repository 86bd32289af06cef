"""Tables in and out: Parquet inside; CSV, TSV and Feather are read, CSV and TSV written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.parquet

from spinome.io.atomic import atomic

READERS = {
    ".parquet": lambda path, integers: pd.read_parquet(path),
    ".feather": lambda path, integers: pd.read_feather(path),
    ".csv": lambda path, integers: pd.read_csv(path, dtype=dict.fromkeys(integers, "Int64")),
    ".tsv": lambda path, integers: pd.read_csv(path, sep="\t", dtype=dict.fromkeys(integers, "Int64")),
}
HEADERS = {
    ".parquet": lambda path: pyarrow.parquet.read_schema(path).names,
    ".feather": lambda path: pyarrow.ipc.open_file(path).schema.names,
    ".csv": lambda path: list(pd.read_csv(path, nrows=0).columns),
    ".tsv": lambda path: list(pd.read_csv(path, sep="\t", nrows=0).columns),
}
WRITERS = {
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".tsv": lambda frame, path: frame.to_csv(path, sep="\t", index=False),
}


def read_table(path: str | Path, required: Iterable[str] = (), integers: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table by its suffix and check that it has the required columns.

    Parameters
    ----------
    required : columns that it must have
    integers : columns that are integers in a table of text even where some are empty; without being told,
        such a column is read as floats, and ids of 64 bits lose their last digits

    Raises
    ------
    ValueError: if the format is unknown, the file cannot be read or a column is missing; the message names
        the file, the column and the columns that are there.
    """
    frame = _by_kind(READERS, path, tuple(integers))
    require_columns(path, frame.columns, required)
    return frame


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
        raise ValueError(f"{path}: cannot be read as a {kind} table ({error}); write it again") from error


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
