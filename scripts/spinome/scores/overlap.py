"""Voxels that labels of two volumes share."""

from __future__ import annotations

from typing import NamedTuple

import fastremap
import numpy as np
import pandas as pd
from scipy import sparse

from spinome.labels import compact


class OverlapTable(NamedTuple):
    """Voxels shared by each segment (rows of `table`) and each true object (columns); `segments` names the rows."""

    table: sparse.csr_array
    segments: np.ndarray


def overlaps(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of labels (P, 2) int64 that share voxels, sorted, and how many they share (P,); 0 is a label as others.

    Parameters
    ----------
    first, second : labels of one shape

    Raises
    ------
    ValueError: if the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"labels of shape {first.shape} cannot be compared with labels of shape {second.shape}")
    volumes = [labels.view(np.uint8) if labels.dtype == bool else labels for labels in (first, second)]
    names = [fastremap.unique(labels) for labels in volumes]
    rows, columns = (compact(labels, ids).ravel() for labels, ids in zip(volumes, names))
    span = max(len(names[1]), 1)
    keys, counts = fastremap.unique(rows.astype(np.int64) * span + columns, return_counts=True)
    pairs = [names[0][keys // span].astype(np.int64), names[1][keys % span].astype(np.int64)]
    return np.stack(pairs, axis=1), counts


def overlap_table(segments: np.ndarray, truth: np.ndarray) -> OverlapTable:
    """Shared voxels where the truth is not 0, as a sparse table; the segment 0 counts as one segment."""
    return table_of_overlaps(*overlaps(segments, truth))


def table_of_overlaps(pairs: np.ndarray, voxels: np.ndarray) -> OverlapTable:
    """The table of what `overlaps` says of segments and their truth, without the truth 0."""
    known = pairs[:, 1] != 0
    (names, rows), (objects, columns) = (np.unique(labels, return_inverse=True) for labels in pairs[known].T)
    table = sparse.coo_array((voxels[known].astype(float), (rows, columns)), shape=(len(names), len(objects)))
    return OverlapTable(table.tocsr(), names)


def object_overlaps(truth: np.ndarray, found: np.ndarray) -> pd.DataFrame:
    """Shared voxels of objects of two label volumes of one shape: `truth found voxels`, background left out.

    Raises
    ------
    ValueError: if the shapes differ.
    """
    if truth.shape != found.shape:
        raise ValueError(f"truth of shape {truth.shape} cannot be compared with objects of shape {found.shape}")
    both = (truth > 0) & (found > 0)
    pairs, voxels = overlaps(truth[both], found[both])
    return pd.DataFrame({"truth": pairs[:, 0], "found": pairs[:, 1], "voxels": voxels.astype(np.int64)})
