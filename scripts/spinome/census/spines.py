"""One table of spines from the tables of the branches.

Each adapter takes the final tables of a branch as they are and returns rows of the joint table; what a branch does
not measure stays null. The table's columns, types and limits are in `workflow/schemas/spines.schema.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from pyarrow import parquet

from spinome.io.atomic import atomic

NM_PER_UM = 1000.0
DTYPES = {
    "string": pd.ArrowDtype(pa.string()),
    "integer": pd.ArrowDtype(pa.int64()),
    "number": pd.ArrowDtype(pa.float64()),
    "boolean": pd.ArrowDtype(pa.bool_()),
    "integers": pd.ArrowDtype(pa.list_(pa.int64())),
}
# how pandas reads these types back from a file
TOLD = dict(zip(DTYPES.values(), ("str", "Int64", "float64", "boolean", "object")))


def read_schema(path: str | Path) -> dict[str, dict[str, Any]]:
    """The columns of the joint table by name, in order."""
    return yaml.safe_load(Path(path).read_text())["columns"]


def from_twophoton(spines: pd.DataFrame) -> pd.DataFrame:
    """Rows of the spines of two-photon series: one row per spine and timepoint, `track` is the spine through time."""
    series = _text(spines, "specimen", "field")
    if "dendrite" in spines:
        # -1 stands for no dendrite
        spines = spines.assign(dendrite=spines["dendrite"].where(spines["dendrite"] != -1))
    return pd.DataFrame(
        {
            "spine": "twophoton/" + series + "/" + _text(spines, "timepoint", "spine"),
            "source": "twophoton",
            "sheet": "stacks",
            "specimen": _text(spines, "specimen"),
            "parent": _optional_text(spines, "dendrite"),
            "z_um": spines["z_um"],
            "y_um": spines["y_um"],
            "x_um": spines["x_um"],
            "volume_um3": _optional(spines, "head_volume_um3"),
            "head_diameter_um": _optional(spines, "head_diameter_um"),
            "neck_length_um": _optional(spines, "neck_length_um"),
            "probability": spines["score"],
            "track": "twophoton/" + series + "/" + _text(spines, "spine"),
            "timepoint": _text(spines, "timepoint"),
            "day": spines["day"],
        }
    )


def from_linking(spines: pd.DataFrame) -> pd.DataFrame:
    """Rows of the orphan spines that linking gave a parent."""
    return pd.DataFrame(
        {
            "spine": "linking/" + _text(spines, "volume", "spine"),
            "source": "linking",
            "sheet": "volumes",
            "specimen": _text(spines, "volume"),
            "parent": _optional_text(spines, "parent"),
            **_position_um(spines),
            "volume_um3": _optional(spines, "volume_um3"),
            "synapses": _optional(spines, "synapses"),
            "synapse_ids": _optional(spines, "synapse_ids"),
            "probability": _optional(spines, "probability"),
        }
    )


def from_neurons(spines: pd.DataFrame, synapses: pd.DataFrame) -> pd.DataFrame:
    """Rows of the spines of neuron meshes.

    Parameters
    ----------
    spines : `neurons/spines.parquet`; `source` is `sheet`, or the volume that the mesh was made from
    synapses : `neurons/synapses.parquet`, for the ids of the synapses on each spine
    """
    origin = _text(spines, "source")
    from_sheet = origin == "sheet"
    specimen = origin.where(~from_sheet, _text(spines, "neuron"))
    return pd.DataFrame(
        {
            "spine": "neurons/" + specimen + "/" + _text(spines, "neuron", "spine"),
            "source": "neurons",
            "sheet": np.where(from_sheet, "neurons", "volumes"),
            "specimen": specimen,
            "parent": _text(spines, "neuron"),
            **_position_um(spines),
            "volume_um3": _optional(spines, "volume_um3"),
            "head_diameter_um": _optional(spines, "head_diameter_nm") / NM_PER_UM,
            "neck_length_um": _optional(spines, "neck_length_nm") / NM_PER_UM,
            "synapses": _optional(spines, "synapses"),
            "synapse_ids": _ids_on(spines, synapses, _optional(spines, "synapses").notna()),
            "partners": _optional(spines, "partners"),
            "multi_input": _optional(spines, "multi_input"),
            "probability": _optional(spines, "probability"),
        }
    )


def _ids_on(spines: pd.DataFrame, synapses: pd.DataFrame, counted: pd.Series) -> pd.Series:
    """The ids of the synapses on each spine in order, null where they are not known."""
    keys = ["source", "neuron", "spine"]
    carried = synapses[synapses["spine"].notna()]
    every = pd.concat([spines[keys].astype({"spine": "int64"}), carried[keys].astype({"spine": "int64"})])
    group = every.groupby(keys, sort=False).ngroup().to_numpy()
    own, of = group[: len(spines)], group[len(spines) :]
    ids = carried["id"].to_numpy("int64")
    order = np.lexsort((ids, of))
    start, stop = (np.searchsorted(of[order], own, side) for side in ("left", "right"))
    count = np.where(counted, stop - start, 0)
    ends = np.cumsum(count)
    rows = np.arange(count.sum()) - np.repeat(ends - count, count) + np.repeat(start, count)
    offsets = pa.array(np.append(0, ends).astype(np.int32))
    lists = pa.ListArray.from_arrays(offsets, pa.array(ids[order][rows], pa.int64()), mask=pa.array(~counted))
    return pd.Series(pd.arrays.ArrowExtensionArray(lists), spines.index)


def join(parts: Iterable[pd.DataFrame], schema: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """All rows in the columns, the order and the types of the schema.

    Raises
    ------
    ValueError: one line per column that breaks the schema, with the number of rows and the first of them.
    """
    parts = [part for part in parts if len(part)]
    columns = {}
    for name, rule in schema.items():
        kind = DTYPES[rule["type"]].pyarrow_dtype
        try:
            values = pa.chunked_array([_as_kind(part.get(name), len(part), kind) for part in parts], kind)
            columns[name] = pd.array(values, DTYPES[rule["type"]])
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ValueError(f"spines: column {name} must be of type {rule['type']} ({error})") from error
    frame = pd.DataFrame(columns)
    problems = [text for name, rule in schema.items() for text in _problems(frame, name, rule)]
    if problems:
        raise ValueError("spines: " + "\nspines: ".join(problems))
    return frame


def write_spines(frame: pd.DataFrame, path: str | Path) -> None:
    """Write the joint table as Parquet with the types of the schema, for any reader.

    pandas reads counts back as `Int64` and truths as `boolean`, null where they are not known.
    """
    stored = pa.Table.from_pandas(frame, preserve_index=False).schema.remove_metadata()
    # pandas cannot read back its own name of a type of lists
    told = frame.astype({name: TOLD[dtype] for name, dtype in frame.dtypes.items()})
    table = pa.Table.from_pandas(told, schema=stored, preserve_index=False)
    with atomic(path) as part:
        parquet.write_table(table, part)


def _problems(frame: pd.DataFrame, name: str, rule: dict[str, Any]) -> list[str]:
    column = frame[name]
    broken = {}
    if rule.get("required"):
        broken["is null"] = column.isna()
    if rule.get("unique"):
        broken["is there more than once"] = column.duplicated()
    if "values" in rule:
        broken[f"is none of {', '.join(rule['values'])}"] = column.notna() & ~column.isin(rule["values"])
    if "minimum" in rule:
        broken[f"is below {rule['minimum']}"] = (column < rule["minimum"]).fillna(False)
    if "maximum" in rule:
        broken[f"is above {rule['maximum']}"] = (column > rule["maximum"]).fillna(False)
    return [
        f"column {name} {what} in {int(rows.sum())} rows, the first {frame['spine'][rows.astype(bool)].iloc[0]}"
        for what, rows in broken.items()
        if rows.any()
    ]


def _as_kind(column: pd.Series | None, rows: int, kind: pa.DataType) -> pa.Array:
    """A column as values of a type, null where there is none; text stays text."""
    if column is None:
        return pa.nulls(rows, kind)
    values = pa.array(column, from_pandas=True)
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if values.null_count == len(values):
        return pa.nulls(rows, kind)
    text = [pa.types.is_string(given) or pa.types.is_large_string(given) for given in (values.type, kind)]
    if text[0] != text[1]:
        raise pa.ArrowTypeError(f"it holds {values.type}")
    return values.cast(kind)


def _is_null(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _position_um(spines: pd.DataFrame) -> dict[str, pd.Series]:
    return {f"{axis}_um": spines[f"{axis}_nm"] / NM_PER_UM for axis in "zyx"}


def _optional(frame: pd.DataFrame, column: str) -> pd.Series:
    return frame[column] if column in frame else pd.Series(np.nan, frame.index)


def _text(frame: pd.DataFrame, *columns: str) -> pd.Series:
    """The columns as text, joined by slashes; whole numbers without a decimal point."""
    texts = [frame[column].map(_plain).astype(object) for column in columns]
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + "/" + text
    return joined


def _optional_text(frame: pd.DataFrame, column: str) -> pd.Series:
    return frame[column].map(_plain) if column in frame else pd.Series(None, frame.index, object)


def _plain(value: Any) -> str | None:
    if _is_null(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
