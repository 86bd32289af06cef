"""Tables of synapses in the columns of CAVE: `id`, `ctr_pt_position`, and where known `size` and the two neurons."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spinome.io.tables import numbers, read_table, require_columns, table_columns

POINT = "ctr_pt_position"
POSITION = [f"{POINT}_{axis}" for axis in "xyz"]
PARTNERS = ["pre_pt_root_id", "post_pt_root_id"]
# the neuron that a synapse is an input of
OWNER = PARTNERS[1]
# the two ends of a synapse, where a table has their positions
END_POINTS = ["pre_pt_position", "post_pt_position"]
ENDS = [f"{point}_{axis}" for point in END_POINTS for axis in "xyz"]


def read_synapses(
    path: str | Path, voxel_nm: tuple[float, float, float] | None = None, root_id: int | None = None
) -> pd.DataFrame:
    """Read the input synapses of one neuron; `size`, the partners and the positions of both ends may be absent.

    A partner of 0 or less is none: CAVE writes 0 where a synapse lies on what was not segmented. Of rows with the same
    id and place, which queries that overlap leave, the first counts.

    Parameters
    ----------
    voxel_nm : size x y z of the voxels that positions count, such as (4, 4, 40), in which CAVE gives them unless it is
        asked for `desired_resolution=[1, 1, 1]`; None: they are in nm, and in three columns (`split_positions=True`)
    root_id : of the neuron in `post_pt_root_id`: of a table of several neurons its own rows are taken. None where it is
        not known: then the table must be of one neuron

    Returns
    -------
    the neuron's rows, the index counting those of the table, with positions in nm in the columns `POSITION`, NaN where
    there is none

    Raises
    ------
    ValueError: if a column is missing, ids are not integers or absent, positions are no numbers, are in one column and
        nothing says their unit, or no synapse has one, or the table is not that of the neuron (`require_own`); the
        message names the file and the column.
    """
    frame = read_table(path, integers=["id", *PARTNERS])
    require_synapses(path, frame.columns, voxel_nm)
    untold = pd.array([pd.NA] * len(frame), "Int64")
    frame = frame.assign(**{column: frame.get(column, untold) for column in PARTNERS})
    frame[PARTNERS] = frame[PARTNERS].where(frame[PARTNERS] > 0)
    owners = frame[OWNER].dropna().unique()
    require_own(path, owners, root_id)
    if root_id is not None and len(owners):
        frame = frame[(frame[OWNER] == root_id).fillna(False).to_numpy(bool)].copy()
    if frame["id"].isna().any():
        raise ValueError(f"{path}: {frame['id'].isna().sum()} of {len(frame)} synapses have no id; number them")
    for point in (POINT, *END_POINTS):
        columns = [f"{point}_{axis}" for axis in "xyz"]
        if point in frame and not set(columns) <= set(frame):
            frame[columns] = _points(path, point, frame.pop(point))
        for column in frame.columns.intersection(columns):
            frame[column] = _floats(path, frame[column])
        if voxel_nm is not None and set(columns) <= set(frame):
            frame[columns] *= voxel_nm
    if len(frame) and not np.isfinite(frame[POSITION].to_numpy(float)).all(axis=1).any():
        raise ValueError(
            f"{path}: none of {len(frame)} synapses has a position; fill the columns {', '.join(POSITION)}"
        )
    again = frame.duplicated(["id", *POSITION])
    if again.any():
        print(f"{path}: {again.sum()} of {len(frame)} synapses have id and place of another, and are left out")
        frame = frame[~again].copy()
    if "size" in frame:
        frame["size"] = numbers(frame["size"])
    return frame


def read_owners(path: str | Path) -> list[int]:
    """The neurons that a table has input synapses of (`post_pt_root_id`), without its other columns; none if untold."""
    if OWNER not in table_columns(path):
        return []
    owners = read_table(path, integers=[OWNER], columns=[OWNER])[OWNER].dropna().unique()
    return owners[owners > 0].tolist()


def require_own(path: str | Path, owners: Collection[int], root_id: int | None) -> None:
    """Raise a ValueError, naming the file and the remedy, where a table has not, or does not tell, a neuron's synapses.

    Parameters
    ----------
    owners : the neurons that the table has synapses of; none where it does not say
    root_id : of the neuron, None where it is not known
    """
    told = ", ".join(map(str, sorted(owners)[:3])) + (", ..." if len(owners) > 3 else "")
    if root_id is None and len(owners) > 1:
        raise ValueError(
            f"{path}: has synapses of {len(owners)} neurons ({OWNER} {told}), and nothing says which this one is; fill "
            "the column root_id of the sample sheet, or name the neuron by its root id"
        )
    if root_id is not None and len(owners) and root_id not in owners:
        raise ValueError(
            f"{path}: has no synapse of this neuron, whose root id is {root_id}, but of {len(owners)} other(s) "
            f"({OWNER} {told}); is it another neuron's table? Else correct the column root_id of the sample sheet, "
            "which is the neuron's name where it is empty and the name is a number"
        )


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


def _floats(path: str | Path, column: pd.Series) -> pd.Series:
    """A column of positions, NaN where a cell is empty."""
    values = pd.to_numeric(column, errors="coerce").astype("float64")
    told = column[values.isna() & column.notna()].astype(str).str.strip()
    if len(wrong := told[~told.str.lower().isin(["", "nan", "na", "none", "null", "<na>"])]):
        raise ValueError(
            f"{path}: column {column.name} must hold numbers, {len(wrong)} of {len(column)} are none, the first "
            f"{wrong.iloc[0]!r}; write them with a decimal point, and leave cells empty where there is none"
        )
    return values


def _points(path: str | Path, point: str, column: pd.Series) -> np.ndarray:
    """Positions (N, 3) from a column of lists, or of their text."""
    rows = [_numbers(value) for value in column]
    try:
        return np.array(rows, float).reshape(len(rows), 3)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: column {point} must hold three numbers per row ({error})") from None


def _numbers(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip("[]() ").replace(",", " ").split() or [np.nan] * 3
    return [np.nan] * 3 if np.ndim(value) == 0 else value
