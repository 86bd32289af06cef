"""Tables in and out: Parquet inside, CSV, TSV, Feather and JSON read."""

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
    """Write a table as Parquet or as tab-separated text, by its suffix, whole or not at all."""
    with atomic(path) as part:
        if Path(path).suffix == ".tsv":
            frame.to_csv(part, sep="\t", index=False)
        else:
            frame.to_parquet(part, index=False)


def concatenate(paths: Iterable[str | Path], columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read tables and stack them, the empty ones included for their columns."""
    frames = [read_table(path) for path in paths]
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))
