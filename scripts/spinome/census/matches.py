"""The same spine seen by several branches, and by the truth: one-to-one matches by position."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from spinome.scores.matching import match_within

MATCH_COLUMNS = ["specimen", "view", "spine", "other_view", "other_spine", "distance_um"]
# a spine's position is its centroid on a mesh and its head in a stack; this is about the length of a small spine
TOLERANCE_UM = 0.8


def view(spines: pd.DataFrame) -> pd.Series:
    """What a row was seen by: its branch, and `chain` for meshes that were made from a volume's grey values."""
    from_volume = (spines["source"] == "neurons") & (spines["sheet"] == "volumes")
    return spines["source"].astype(object).where(~from_volume, "chain")


def distance_to_spines(points: np.ndarray, base: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Distances (N, M) of points (N, 3) from spines, straight lines from base to head (M, 3)."""
    axis = head - base
    squared = np.maximum((axis**2).sum(axis=1), 1e-12)
    along = np.clip(((points[:, None] - base) * axis).sum(axis=2) / squared, 0, 1)
    return np.linalg.norm(points[:, None] - (base + along[..., None] * axis), axis=2)


def match_views(spines: pd.DataFrame, tolerance_um: float = TOLERANCE_UM) -> pd.DataFrame:
    """Match the spines of a specimen that several branches saw in one frame.

    A volume, the meshes made from it and a neuron of the same name share the nm frame of the EM. Two-photon stacks
    have a frame of their own and are left out.

    Parameters
    ----------
    spines : the joint table
    tolerance_um : largest distance of two positions of one spine

    Returns
    -------
    Table with one row per pair: `specimen view spine other_view other_spine distance_um`
    """
    em = spines[spines["source"] != "twophoton"].assign(view=view)
    rows = []
    for specimen, group in em.groupby("specimen"):
        for one, other in combinations(sorted(group["view"].unique()), 2):
            first, second = group[group["view"] == one], group[group["view"] == other]
            i, j, distance = _match_near(positions_um(first), positions_um(second), tolerance_um)
            pairs = zip(first["spine"].iloc[i], second["spine"].iloc[j], distance)
            rows += [(specimen, one, spine, other, other_spine, apart) for spine, other_spine, apart in pairs]
    return pd.DataFrame(rows, columns=MATCH_COLUMNS).astype({"distance_um": float})


def _match_near(one: np.ndarray, other: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of the pairs of `match_within` on the distances of points (N, 3) and (M, 3), and how far apart.

    Each group of points that hang together by pairs within reach is solved by itself, since a table of all distances of
    two views of many thousands of spines is larger than memory.
    """
    there = [np.flatnonzero(np.isfinite(points).all(axis=1)) for points in (one, other)]
    trees = [cKDTree(points[rows]) for points, rows in zip((one, other), there)]
    # a little farther, since the tree rounds otherwise than the distances that decide
    near = trees[0].query_ball_tree(trees[1], tolerance * (1 + 1e-9))
    row = there[0][np.repeat(np.arange(len(near)), [len(columns) for columns in near])]
    column = there[1][np.fromiter(chain.from_iterable(near), int, len(row))]
    count = len(one) + len(other)
    graph = sp.coo_array((np.ones(len(row), np.int8), (row, column + len(one))), shape=(count, count))
    group = connected_components(graph, directed=False)[1]
    order = np.argsort(group[row], kind="stable")
    found = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
    for pairs in np.split(order, np.flatnonzero(np.diff(group[row][order])) + 1):
        rows, columns = np.unique(row[pairs]), np.unique(column[pairs])
        distance = cdist(one[rows], other[columns])
        i, j = match_within(distance, distance <= tolerance)
        found.append((rows[i], columns[j], distance[i, j]))
    rows, columns, distance = (np.concatenate(parts) for parts in zip(*found))
    order = np.argsort(rows)
    return rows[order], columns[order], distance[order]


def positions_um(frame: pd.DataFrame) -> np.ndarray:
    """Positions (N, 3) z y x in um."""
    return frame[["z_um", "y_um", "x_um"]].to_numpy(float)
