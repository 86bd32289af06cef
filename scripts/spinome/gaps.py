"""Gaps: the boxes of a volume that could not be computed, since their cuboid failed.

Nothing is known in a gap. What lies there is neither background nor without synapses, and what reaches into it is cut,
as by the edge of the volume.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from spinome.cuboids import Box, Shape, cuboids
from spinome.io.units import VoxelSize

SIDES = [f"{axis}{end}" for axis in "zyx" for end in (0, 1)]
GAP_COLUMNS = [*SIDES, *[f"{side}_nm" for side in SIDES]]


def gap_table(shape: Shape, cuboid: Shape, finished: Collection[str], voxel_nm: VoxelSize) -> pd.DataFrame:
    """The cuboids of a volume that are not finished.

    Parameters
    ----------
    shape, cuboid : of the volume and of a cuboid, voxels (z, y, x)
    finished : names of cuboids

    Returns
    -------
    Table of `GAP_COLUMNS`, one row per cuboid: its first voxel and the one after its last along each axis, and the same
    in nm
    """
    missing = [block.core for block in cuboids(shape, cuboid) if block.name not in finished]
    sides = np.array([[(side.start, side.stop) for side in core] for core in missing], np.int64).reshape(-1, 3, 2)
    nm = sides * np.asarray(voxel_nm, float)[:, None]
    table = pd.DataFrame(sides.reshape(-1, 6), columns=SIDES)
    return table.assign(**dict(zip(GAP_COLUMNS[len(SIDES) :], nm.reshape(-1, 6).T)))


def gap_boxes(gaps: pd.DataFrame, stride: Shape = (1, 1, 1), border: int = 0) -> list[Box]:
    """The gaps as slices of an array of the volume, thinned by `stride` and with a border of so many of its voxels."""
    sides = gaps[SIDES].to_numpy(np.int64).reshape(-1, 3, 2)
    low, high = sides[..., 0] // stride - border, -(-sides[..., 1] // stride) + border
    return [tuple(map(slice, np.maximum(first, 0), last)) for first, last in zip(low, high)]


def gaps_within(gaps: pd.DataFrame, box: Box) -> pd.DataFrame:
    """The gaps that reach into a box, counted in voxels from its first one, as far as they lie in it."""
    sides = gaps[SIDES].to_numpy(np.int64).reshape(-1, 3, 2)
    sides = (sides - np.array([[side.start] for side in box])).clip(0, np.array([[s.stop - s.start] for s in box]))
    inside = (sides[..., 0] < sides[..., 1]).all(axis=1)
    return pd.DataFrame(sides[inside].reshape(-1, 6), columns=SIDES)


def without_gaps(labels: np.ndarray, gaps: pd.DataFrame) -> np.ndarray:
    """Labels (Z, Y, X), themselves set to 0 in the gaps: true labels, so that what is not known is not scored."""
    for box in gap_boxes(gaps):
        labels[box] = 0
    return labels


def labels_at_gaps(labels: np.ndarray, gaps: pd.DataFrame, stride: Shape = (1, 1, 1)) -> np.ndarray:
    """The labels, 0 left out, that touch a gap or lie in one; `labels` (Z, Y, X) are thinned by `stride`."""
    found = [np.unique(labels[box]) for box in gap_boxes(gaps, stride, border=1)]
    found = np.unique(np.concatenate(found)) if found else np.zeros(0, labels.dtype)
    return found[found != 0]


def boxes_at_gaps(low: np.ndarray, high: np.ndarray, gaps: pd.DataFrame) -> np.ndarray:
    """Which boxes (N,), by their first and last voxels (N, 3), touch a gap or reach into one."""
    touched = np.zeros(len(low), bool)
    for first, last in zip(*(gaps[[f"{axis}{end}" for axis in "zyx"]].to_numpy(np.int64) for end in (0, 1))):
        touched |= ((low <= last) & (high >= first - 1)).all(axis=1)
    return touched


def in_gap(points_nm: np.ndarray, gaps: pd.DataFrame, reach_nm: np.ndarray | float = 0.0) -> np.ndarray:
    """Which points (N, 3) z y x in nm lie within `reach_nm` of a gap, (N,) bool."""
    inside = np.zeros(len(points_nm), bool)
    reach = np.broadcast_to(np.asarray(reach_nm, float), len(points_nm))[:, None]
    for low, high in zip(*(gaps[[f"{axis}{end}_nm" for axis in "zyx"]].to_numpy(float) for end in (0, 1))):
        inside |= ((points_nm >= low - reach) & (points_nm <= high + reach)).all(axis=1)
    return inside
