"""Tables of synapses in the columns of CAVE: `id`, `ctr_pt_position`, and where known `size` and the two neurons."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spinome.io.tables import read_table, require_columns

POINT = "ctr_pt_position"
POSITION = [f"{POINT}_{axis}" for axis in "xyz"]
PARTNERS = ["pre_pt_root_id", "post_pt_root_id"]


def read_synapses(path: str | Path, voxel_nm: tuple[float, float, float] | None = None) -> pd.DataFrame:
    """Read a table of input synapses; `size` and the partners may be absent.

    Parameters
    ----------
    voxel_nm : size x y z of the voxels that positions count, such as (4, 4, 40), in which CAVE gives them unless it is
        asked for `desired_resolution=[1, 1, 1]`; None: they are in nm, and in three columns (`split_positions=True`)

    Returns
    -------
    the table with positions in nm in the columns `POSITION`, NaN where there is none

    Raises
    ------
    ValueError: if a column is missing, ids are not integers or absent, or positions are in one column and nothing
        says their unit; the message names the file and the column.
    """
    frame = read_table(path, integers=["id", *PARTNERS])
    require_synapses(path, frame.columns, voxel_nm)
    frame = frame.assign(**{column: pd.NA for column in PARTNERS if column not in frame})
    for column in ("id", *PARTNERS):
        try:
            frame[column] = frame[column].astype("Int64")
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{path}: column {column} must hold integers below 2**63 ({error})") from None
    if frame["id"].isna().any():
        raise ValueError(f"{path}: {frame['id'].isna().sum()} of {len(frame)} synapses have no id; number them")
    if not set(POSITION) <= set(frame):
        frame[POSITION] = _points(path, frame.pop(POINT))
    for column in [*POSITION, *{"size"} & set(frame)]:
        frame[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    if voxel_nm is not None:
        frame[POSITION] *= voxel_nm
    return frame


def require_synapses(
    path: str | Path, columns: Collection[str], voxel_nm: tuple[float, float, float] | None = None
) -> None:
    """Raise a ValueError, naming the file and the remedy, where a table of these columns is none of synapses."""
    if POINT not in columns or set(POSITION) & set(columns):
        require_columns(path, columns, ["id", *POSITION])
    elif voxel_nm is None:
        raise ValueError(
            f"{path}: positions in one column {POINT} do not say their unit; fill synapse_voxel_x_nm, "
            "synapse_voxel_y_nm and synapse_voxel_z_nm in the sample sheet (1 each where they are in nm; CAVE gives "
            "voxels, such as 4, 4 and 40, unless it is asked for desired_resolution=[1, 1, 1])"
        )
    else:
        require_columns(path, columns, ["id"])


def _points(path: str | Path, column: pd.Series) -> np.ndarray:
    """Positions (N, 3) from a column of lists, or of their text."""
    rows = [_numbers(value) for value in column]
    try:
        return np.array(rows, float).reshape(len(rows), 3)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: column {POINT} must hold three numbers per row ({error})") from None


def _numbers(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip("[]() ").replace(",", " ").split() or [np.nan] * 3
    return [np.nan] * 3 if np.ndim(value) == 0 else value
