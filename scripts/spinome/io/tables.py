"""Tables in and out: Parquet inside; CSV, TSV and Feather are read, CSV and TSV written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from spinome.io.atomic import atomic

READERS = {
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
    ".csv": pd.read_csv,
    ".tsv": lambda path: pd.read_csv(path, sep="\t"),
}
WRITERS = {
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".tsv": lambda frame, path: frame.to_csv(path, sep="\t", index=False),
}


def read_table(path: str | Path, required: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table by its suffix and check that it has the required columns.

    Raises
    ------
    ValueError: if the format is unknown, the file cannot be read or a column is missing; the message names
        the file, the column and the columns that are there.
    """
    path = Path(path)
    suffixes = [suffix for suffix in path.suffixes if suffix in READERS]
    if not suffixes:
        raise ValueError(f"{path}: unknown kind of table; use one of {', '.join(READERS)}")
    try:
        frame = READERS[suffixes[-1]](path)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path}: cannot be read as a {suffixes[-1]} table ({error})") from error
    missing = [column for column in required if column not in frame.columns]
    if missing:
        raise ValueError(f"{path}: lacks the column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    return frame


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
