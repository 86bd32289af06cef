"""SynapFlow's CSV files, in and out (Osuna-Vargas et al. 2025).

One file name per slice, `<stack>_layerNN`; boxes in pixels, corners inclusive of the first and exclusive of the last.
SynapFlow writes a file of detections for each slice and one of tracked boxes; its sizes and distances are columns more.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.io.units import VoxelSize

DETECTIONS = ["filename", "width", "height", "class", "score", "xmin", "ymin", "xmax", "ymax"]
TRACKS = ["id", "filename", "width", "height", "xmin", "ymin", "xmax", "ymax", "class", "score"]
MEASURES = ["size", "spine_to_dendrite_distance"]
BOXES = ["slice", "score", "y_um", "x_um", "side_um"]


def stack_boxes(boxes: pd.DataFrame, stack: str, shape: tuple[int, int, int], voxel_um: VoxelSize) -> pd.DataFrame:
    """The boxes of a stack in the columns `DETECTIONS`, cut at the edges of the image.

    Parameters
    ----------
    boxes : frame with `BOXES`
    stack : name for the column `filename`
    shape, voxel_um : voxels of the stack and size of a voxel (z, y, x)
    """
    out = pd.DataFrame({"filename": [f"{stack}_layer{layer:02d}" for layer in boxes["slice"]]}, index=boxes.index)
    out["width"], out["height"] = shape[2], shape[1]
    out["class"], out["score"] = "spine", boxes["score"].round(4)
    for axis, size, length in (("x", voxel_um[2], shape[2]), ("y", voxel_um[1], shape[1])):
        centre, half = boxes[f"{axis}_um"] / size + 0.5, boxes["side_um"] / size / 2
        out[f"{axis}min"] = (centre - half).clip(0, length).round(2)
        out[f"{axis}max"] = (centre + half).clip(0, length).round(2)
    return out[DETECTIONS]


def tracked_boxes(
    boxes: pd.DataFrame, spines: pd.DataFrame, stack: str, shape: tuple[int, int, int], voxel_um: VoxelSize
) -> pd.DataFrame:
    """The boxes of the tracked spines of a stack in the columns `TRACKS` and `MEASURES`.

    Parameters
    ----------
    boxes : frame with `BOXES` and `candidate`
    spines : those of the stack, with `candidate`, `spine` (the id through time), `z_slice`, `BOXES` without `slice`,
        `intensity_ratio_um2` and `dendrite_distance_um`; one without a box of the detector's has one in its own slice
    stack, shape, voxel_um : see `stack_boxes`

    Returns
    -------
    frame; `size` in pixels of an area (brightness of the head over that of the shaft), the distance in pixels
    """
    alone = spines[~spines["candidate"].isin(boxes["candidate"])]
    alone = alone.assign(slice=alone["z_slice"].round().astype(int))
    given = [table[[*BOXES, "candidate"]] for table in (boxes, alone) if len(table)] or [boxes[[*BOXES, "candidate"]]]
    every = pd.concat(given, ignore_index=True)
    every = every.merge(spines[["candidate", "spine", "intensity_ratio_um2", "dendrite_distance_um"]], on="candidate")
    out = stack_boxes(every, stack, shape, voxel_um).assign(id=every["spine"])
    area = voxel_um[1] * voxel_um[2]
    out["size"] = (every["intensity_ratio_um2"].astype(float) / area).round(2)
    out["spine_to_dendrite_distance"] = (every["dendrite_distance_um"].astype(float) / np.sqrt(area)).round(2)
    return out[[*TRACKS, *MEASURES]]


def write_boxes(path: str | Path, tables: list[pd.DataFrame]) -> None:
    """Write boxes of several stacks as one CSV."""
    with atomic(path) as part:
        pd.concat(tables, ignore_index=True).to_csv(part, index=False)


def read_boxes(path: str | Path, stack: str, voxel_um: VoxelSize) -> pd.DataFrame:
    """Read the boxes that SynapFlow (or this module) wrote for one stack.

    Parameters
    ----------
    path : a CSV, or a folder with one file per slice as SynapFlow's detector writes them
    stack : all before `_layerNN` in the column `filename`
    voxel_um : voxel size (z, y, x)

    Returns
    -------
    frame with `BOXES`, as `spinome.twophoton.detect` makes it, and where the file has them `id` (of tracked boxes),
    `size` and `spine_to_dendrite_distance` as written

    Raises
    ------
    ValueError: if a column is missing, a box has no extent or none is of that stack; the message names the file.
    """
    files = sorted(Path(path).glob("*.csv")) if Path(path).is_dir() else [Path(path)]
    if not files:
        raise ValueError(f"{path}: is a folder without a CSV; name the folder that SynapFlow's detector wrote into")
    frames = [read_table(file, ["filename", "score", "xmin", "ymin", "xmax", "ymax"]) for file in files]
    frame = pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)
    parts = frame["filename"].astype(str).str.extract(r"^(?P<stack>.*)_layer(?P<layer>\d+)")
    own = frame[parts["stack"] == stack]
    if own.empty:
        names = ", ".join(sorted(parts["stack"].dropna().unique())[:5])
        raise ValueError(f"{path}: has no box of {stack}_layerNN; it has {names or 'none of that form'}")
    width, height = own["xmax"] - own["xmin"], own["ymax"] - own["ymin"]
    if not ((width > 0) & (height > 0)).all():
        first = own.index[~((width > 0) & (height > 0))][0]
        raise ValueError(f"{path}: a box of {own['filename'][first]} has no extent; xmin < xmax and ymin < ymax")
    out = pd.DataFrame(
        {
            "slice": parts.loc[own.index, "layer"].astype(int),
            "score": own["score"],
            "y_um": ((own["ymin"] + own["ymax"]) / 2 - 0.5) * voxel_um[1],
            "x_um": ((own["xmin"] + own["xmax"]) / 2 - 0.5) * voxel_um[2],
            "side_um": np.sqrt(width * voxel_um[2] * height * voxel_um[1]),
        }
    )
    more = [name for name in ("id", *MEASURES) if name in own]
    return pd.concat([out, own[more]], axis=1).reset_index(drop=True)
