"""Hand-made or simulated truth of a series of stacks: spines with their heads, and traced dendrites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from spinome.io.tables import read_table

SPINE_COLUMNS = [
    "timepoint",
    "track_id",
    "dendrite_id",
    *(f"{end}_{axis}_px" for end in ("tip", "base") for axis in "zyx"),
]
DENDRITE_COLUMNS = ["timepoint", "dendrite_id", "node", "z_px", "y_px", "x_px"]
# from the outer tip that annotators click to the centre of the head, toward the base
TIP_TO_HEAD_UM = 0.6


def read_truth_spines(path: str | Path, timepoint: str, voxel_um: tuple[float, float, float]) -> pd.DataFrame:
    """Read the spines of one timepoint.

    Parameters
    ----------
    path : table with `timepoint track_id dendrite_id`, `tip_{z,y,x}_px`, `base_{z,y,x}_px`, optional `head_volume_um3`
    timepoint : name of the session in the sample sheet
    voxel_um : voxel (z, y, x) that the pixels are counted in

    Returns
    -------
    frame `track dendrite z_um y_um x_um base_{z,y,x}_um diameter_um head_volume_um3`; the position is the centre of the
    head: half a head's diameter from the tip toward the base where the volume is known, else 0.6 um, and never
    beyond the middle
    """
    frame = read_table(path, SPINE_COLUMNS)
    frame = frame[frame["timepoint"].astype(str) == timepoint].reset_index(drop=True)
    tip, base = (frame[[f"{end}_{axis}_px" for axis in "zyx"]].to_numpy(float) * voxel_um for end in ("tip", "base"))
    volume = frame["head_volume_um3"] if "head_volume_um3" in frame else pd.Series(np.nan, frame.index)
    diameter = np.cbrt(6 * volume.to_numpy(float) / np.pi)
    length = np.linalg.norm(base - tip, axis=1)
    inward = np.minimum(np.where(np.isfinite(diameter), diameter / 2, TIP_TO_HEAD_UM), length / 2)
    head = tip + (base - tip) * (inward / np.maximum(length, 1e-9))[:, None]
    out = pd.DataFrame({"track": frame["track_id"], "dendrite": frame["dendrite_id"]})
    out[["z_um", "y_um", "x_um"]] = head
    out[["base_z_um", "base_y_um", "base_x_um"]] = base
    out["diameter_um"] = diameter
    out["head_volume_um3"] = volume.to_numpy(float)
    return out


def read_truth_dendrites(path: str | Path, timepoint: str, voxel_um: tuple[float, float, float]) -> pd.DataFrame:
    """Read the traced backbones of one timepoint: `dendrite z_um y_um x_um`, nodes in order."""
    frame = read_table(path, DENDRITE_COLUMNS)
    frame = frame[frame["timepoint"].astype(str) == timepoint].sort_values(["dendrite_id", "node"])
    out = pd.DataFrame({"dendrite": frame["dendrite_id"].to_numpy()})
    out[["z_um", "y_um", "x_um"]] = frame[["z_px", "y_px", "x_px"]].to_numpy(float) * voxel_um
    return out


def read_truth(
    spines: str | Path, dendrites: str | Path | None, timepoint: str, voxel_um: tuple[float, float, float]
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Read the spines of one timepoint (`read_truth_spines`) and its backbones (`read_truth_dendrites`), if given."""
    traced = read_truth_dendrites(dendrites, timepoint, voxel_um) if dendrites else None
    return read_truth_spines(spines, timepoint, voxel_um), traced


def distance_to_dendrites(points_um: np.ndarray, dendrites: pd.DataFrame) -> np.ndarray:
    """Distance in um from points (N, 3) to the nearest node of the backbones; infinite where there is none."""
    if dendrites.empty or not len(points_um):
        return np.full(len(points_um), np.inf)
    return cKDTree(dendrites[["z_um", "y_um", "x_um"]].to_numpy()).query(points_um)[0]
