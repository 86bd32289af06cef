"""SynapFlow's CSV files: tracked boxes out, detections in (Osuna-Vargas et al. 2025).

One file name a slice, `<stack>_layerNN`; boxes in pixels, corners inclusive of the first and exclusive of the last.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.tables import read_table

DETECTIONS = ["filename", "width", "height", "class", "score", "xmin", "ymin", "xmax", "ymax"]
TRACKS = ["id", "filename", "width", "height", "xmin", "ymin", "xmax", "ymax", "class", "score"]


def tracked_boxes(
    boxes: pd.DataFrame,
    spines: pd.Series,
    stack: str,
    shape: tuple[int, int, int],
    voxel_um: tuple[float, float, float],
) -> pd.DataFrame:
    """The boxes of a stack that belong to a tracked spine, in the columns of SynapFlow.

    Parameters
    ----------
    boxes : frame with `slice score y_um x_um side_um candidate`
    spines : id through time by `candidate`
    stack : name for the column `filename`
    shape, voxel_um : of the stack (z, y, x)
    """
    own = boxes[boxes["candidate"].isin(spines.index)]
    out = pd.DataFrame({"id": own["candidate"].map(spines).astype(int)})
    out["filename"] = [f"{stack}_layer{layer:02d}" for layer in own["slice"]]
    out["width"], out["height"] = shape[2], shape[1]
    for axis, size, length in (("x", voxel_um[2], shape[2]), ("y", voxel_um[1], shape[1])):
        centre, half = own[f"{axis}_um"] / size + 0.5, own["side_um"] / size / 2
        out[f"{axis}min"] = (centre - half).clip(0, length).round(2)
        out[f"{axis}max"] = (centre + half).clip(0, length).round(2)
    out["class"], out["score"] = "spine", own["score"].round(4)
    return out[TRACKS]


def write_tracks(path: str | Path, tables: list[pd.DataFrame]) -> None:
    """Write tracked boxes of several stacks as one CSV."""
    with atomic(path) as part:
        pd.concat(tables, ignore_index=True).to_csv(part, index=False)


def read_detections(path: str | Path, stack: str, voxel_um: tuple[float, float, float]) -> pd.DataFrame:
    """Read the boxes that SynapFlow (or this module) wrote for one stack.

    Returns
    -------
    frame `slice score y_um x_um side_um`, as `spinome.twophoton.detect` makes it

    Raises
    ------
    ValueError: if a column is missing or no box is of that stack; the message names the file.
    """
    frame = read_table(path, ["filename", "score", "xmin", "ymin", "xmax", "ymax"])
    parts = frame["filename"].str.extract(r"^(?P<stack>.*)_layer(?P<layer>\d+)")
    own = frame[parts["stack"] == stack]
    if own.empty:
        names = ", ".join(sorted(parts["stack"].dropna().unique())[:5])
        raise ValueError(f"{path}: has no box of {stack}_layerNN; it has {names or 'none of that form'}")
    side = np.sqrt((own["xmax"] - own["xmin"]) * voxel_um[2] * (own["ymax"] - own["ymin"]) * voxel_um[1])
    return pd.DataFrame(
        {
            "slice": parts.loc[own.index, "layer"].astype(int),
            "score": own["score"],
            "y_um": ((own["ymin"] + own["ymax"]) / 2 - 0.5) * voxel_um[1],
            "x_um": ((own["xmin"] + own["xmax"]) / 2 - 0.5) * voxel_um[2],
            "side_um": side,
        }
    ).reset_index(drop=True)
