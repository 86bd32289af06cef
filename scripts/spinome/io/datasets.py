"""Large tables as Parquet data sets: a folder with a file for each part, which pandas, polars and DuckDB read as one.

A part is what one job can hold, such as the rows of a shard. The workflow goes through a data set part by part, or
reads the rows and columns that it needs; no process holds all rows. A plain file counts as a data set of one part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

from spinome.io.atomic import atomic
from spinome.io.damage import DamagedError
from spinome.io.tables import NULLABLE, read_table

SUFFIX = ".parquet"
# how a part is written to a path
Write = Callable[[pd.DataFrame, Path], None]


def write_dataset(
    tables: Iterable[tuple[str, pd.DataFrame]],
    path: str | Path,
    write: Write | None = None,
) -> None:
    """Write a data set, whole or not at all, of tables that come one after another.

    Parameters
    ----------
    tables : name and rows of each part; an empty part keeps the columns. Of a column of whole numbers in some parts and
        of others in the rest, all are written as floats, since one column has one type
    path : of the folder
    write : how a part is written to a path; None: as it is

    Raises
    ------
    ValueError: if there is no part, or the parts' columns differ
    """
    with dataset(path, write) as add:
        for name, frame in tables:
            add(name, frame)


@contextmanager
def dataset(path: str | Path, write: Write | None = None) -> Iterator[Callable[[str, pd.DataFrame], None]]:
    """A function that adds a part to a data set, by name and rows, as `write_dataset` does: for several at a time.

    The data set is there when the context ends, whole or not at all; parameters and errors are those of
    `write_dataset`.
    """
    write = write or (lambda frame, part: frame.to_parquet(part, index=False))
    with atomic(path) as folder:
        folder.mkdir()
        schemas: dict[Path, pyarrow.Schema] = {}

        def add(name: str, frame: pd.DataFrame) -> None:
            part = folder / f"{name}{SUFFIX}"
            write(frame, part)
            schemas[part] = pyarrow.parquet.read_schema(part)

        yield add
        if not schemas:
            raise ValueError(f"{path}: a data set needs a part, if an empty one, for its columns")
        first = next(iter(schemas.values()))
        for part, schema in schemas.items():
            if schema.names != first.names:
                raise ValueError(f"{path}: the columns of {part.stem} are {schema.names}, those before {first.names}")
        # what a part without rows takes a column for says nothing
        filled = [schema for part, schema in schemas.items() if pyarrow.parquet.read_metadata(part).num_rows]
        mixed = [
            name for name in first.names if {_kind(schema.field(name).type) for schema in filled} == {"whole", "float"}
        ]
        for part, schema in schemas.items():
            if whole := [name for name in mixed if _kind(schema.field(name).type) == "whole"]:
                write(read_table(part).astype(dict.fromkeys(whole, "float64")), part)
        _give_types(list(schemas))


def _give_types(parts: Sequence[Path]) -> None:
    """Give columns of no value, of which a part does not know the type, the type that they have in other parts."""
    tables = {part: pyarrow.parquet.ParquetFile(part) for part in parts}
    filled = [part for part, file in tables.items() if file.metadata.num_rows] or list(parts)
    types: dict[str, pyarrow.DataType] = {}
    for part in [*filled, *parts]:
        for column in tables[part].schema_arrow:
            if not pyarrow.types.is_null(column.type):
                types.setdefault(column.name, column.type)
    for part, file in tables.items():
        schema, empty = file.schema_arrow, not file.metadata.num_rows
        unlike = [
            column
            for column in schema
            if types.get(column.name, column.type) != column.type and (empty or pyarrow.types.is_null(column.type))
        ]
        if unlike:
            table = pyarrow.parquet.read_table(part)
            for column in unlike:
                place, kind = schema.get_field_index(column.name), types[column.name]
                values = pyarrow.nulls(len(table), kind)
                table = table.set_column(place, pyarrow.field(column.name, kind), values)
            pyarrow.parquet.write_table(table, part)


def parts_of(path: str | Path) -> dict[str, Path]:
    """The files of a data set by the names of its parts, in order."""
    path = Path(path)
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    return {file.stem: file for file in files}


def read_rows(
    path: str | Path, column: str, values: Collection, columns: Collection[str] | None = None
) -> pd.DataFrame:
    """The rows of a data set that have one of these values in a column; the others are passed over, part by part.

    Parameters
    ----------
    columns : the only columns to read; None reads all

    Raises
    ------
    DamagedError: if a part cannot be read; the message names it
    """
    columns, found = None if columns is None else list(columns), []
    for file in parts_of(path).values():
        try:
            kind = pyarrow.parquet.read_schema(file).field(column).type
            if pyarrow.types.is_null(kind):
                # a table without a value does not know of which type they would be
                found.append(pd.read_parquet(file, columns=columns)[:0])
                continue
            wanted = pyarrow.dataset.field(column).isin(pyarrow.array(list(values), kind))
            found.append(pd.read_parquet(file, columns=columns, filters=wanted))
        except Exception as error:
            raise DamagedError(file, f"cannot be read as a Parquet table ({error}); write it again") from error
    filled = [frame for frame in found if len(frame)] or found[:1]
    return pd.concat(filled, ignore_index=True)


def read_part(file: str | Path, columns: Collection[str], words: Collection[str]) -> pd.DataFrame:
    """Columns of one part, those of `words` as categories: a name is one object then, however many rows have it.

    Raises
    ------
    DamagedError: if it cannot be read
    """
    try:
        table = pyarrow.parquet.read_table(file, columns=list(columns), read_dictionary=list(words))
    except Exception as error:
        raise DamagedError(file, f"cannot be read as a Parquet table ({error}); write it again") from error
    return table.to_pandas(types_mapper=NULLABLE.get, ignore_metadata=True)


def count_rows(path: str | Path) -> int:
    """How many rows a data set has, from the ends of its files alone."""
    return sum(pyarrow.parquet.read_metadata(file).num_rows for file in parts_of(path).values())


def sample_rows(path: str | Path, columns: Collection[str] | None, most: int) -> pd.DataFrame:
    """Rows of a data set at even distances, all of them where there are not more than `most`.

    Parameters
    ----------
    columns : the only columns to read; None reads all
    """
    step, before, found = max(1, -(-count_rows(path) // most)), 0, []
    for file in parts_of(path).values():
        frame = read_table(file, columns=columns)
        found.append(frame.iloc[np.arange(-before % step, len(frame), step)])
        before += len(frame)
    filled = [frame for frame in found if len(frame)] or found[:1]
    return pd.concat(filled, ignore_index=True)


def _kind(kind: pyarrow.DataType) -> str:
    if pyarrow.types.is_integer(kind):
        return "whole"
    return "float" if pyarrow.types.is_floating(kind) else str(kind)
