"""Which neurites a synapse joins, and the line graph: synapses are joined where they share a neurite."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from spinome.io.units import VoxelSize
from spinome.scores.objects import object_labels

CENTRE_COLUMNS = ["synapse", "voxels", "z_nm", "y_nm", "x_nm"]
NEURITE_COLUMNS = [*CENTRE_COLUMNS, "neurite_a", "neurite_b"]
DISK = 5


def synapse_centres(synapses: np.ndarray, voxel_nm: VoxelSize) -> pd.DataFrame:
    """Centroids and sizes of labelled synapses (Z, Y, X): `synapse voxels z_nm y_nm x_nm`."""
    synapses = object_labels(synapses)
    places = np.nonzero(synapses)
    ids, number, count = np.unique(synapses[places], return_inverse=True, return_counts=True)
    frame = pd.DataFrame({"synapse": ids.astype(np.int64), "voxels": count})
    for axis, name in enumerate("zyx"):
        middle = np.bincount(number, weights=places[axis], minlength=len(ids)) / count
        frame[f"{name}_nm"] = (middle + 0.5) * voxel_nm[axis]
    return frame


def synapse_neurites(segments: np.ndarray, centres: pd.DataFrame, voxel_nm: VoxelSize) -> pd.DataFrame:
    """The two neurites of each synapse: the modes of the labels in a disk of 5 voxels in the plane of its centre.

    So does the reference code of graph f1 (Gray Roncal et al. 2015). Where the disk holds one label alone it is
    doubled, twice at most.

    Parameters
    ----------
    segments : (Z, Y, X) int, anything that is sliced as an array
    centres : `synapse voxels z_nm y_nm x_nm`
    voxel_nm : size of a voxel (z, y, x)

    Returns
    -------
    Table of NEURITE_COLUMNS; 0 where there is no second, or no first, neurite
    """
    rows = []
    for synapse, voxels, *place in centres[CENTRE_COLUMNS].itertuples(index=False):
        middle = [int(np.clip(nm // size, 0, n - 1)) for nm, size, n in zip(place, voxel_nm, segments.shape)]
        found: list[int] = []
        for radius in (DISK, 2 * DISK, 4 * DISK):
            found = _modes(segments, middle, radius)
            if len(found) == 2:
                break
        rows.append((synapse, voxels, *place, *found, *[0] * (2 - len(found))))
    return pd.DataFrame(rows, columns=NEURITE_COLUMNS).astype(
        {"synapse": np.int64, "neurite_a": np.int64, "neurite_b": np.int64}
    )


def _modes(segments: np.ndarray, middle: list[int], radius: int) -> list[int]:
    z, y, x = middle
    low = max(y - radius, 0), max(x - radius, 0)
    patch = np.asarray(segments[z, low[0] : y + radius + 1, low[1] : x + radius + 1])
    rows, columns = np.ogrid[: patch.shape[0], : patch.shape[1]]
    disk = (rows + low[0] - y) ** 2 + (columns + low[1] - x) ** 2 <= radius**2
    labels, counts = np.unique(patch[disk & (patch != 0)], return_counts=True)
    return [int(label) for label in labels[np.argsort(-counts, kind="stable")][:2]]


def rename_neurites(neurites: pd.DataFrame, parents: dict[int, int]) -> pd.DataFrame:
    """The same synapses after orphans have become parts of their shafts."""
    renamed = {column: neurites[column].replace(parents) for column in ("neurite_a", "neurite_b")}
    return neurites.assign(**renamed)


def line_graph(neurites: pd.DataFrame) -> np.ndarray:
    """Pairs of synapses (P, 2) int64 that share a neurite, lower id first, sorted, each pair once."""
    ends = np.concatenate([neurites[["synapse", column]].to_numpy() for column in ("neurite_a", "neurite_b")])
    ends = np.unique(ends[ends[:, 1] != 0], axis=0)
    if not len(ends):
        return np.zeros((0, 2), dtype=np.int64)
    ends = ends[np.argsort(ends[:, 1], kind="stable")]
    pairs = []
    for group in np.split(ends[:, 0], np.flatnonzero(np.diff(ends[:, 1])) + 1):
        first, second = np.triu_indices(len(group), 1)
        pairs.append(np.stack([group[first], group[second]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def induced(pairs: np.ndarray, synapses: Collection[int]) -> np.ndarray:
    """The subgraph of a line graph: pairs (P, 2) of which both synapses are among these."""
    return pairs[np.isin(pairs, np.fromiter(synapses, np.int64)).all(axis=1)]
