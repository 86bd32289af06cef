"""Scores of a segmentation against a dense truth; truth 0 is left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse


class SegmentationScore(NamedTuple):
    """`vi_split` and `vi_merge` in bits, lower is better; `rand_error` is 1 - f1 of the adapted Rand index."""

    vi_split: float
    vi_merge: float
    rand_error: float


def overlaps(segments: np.ndarray, truth: np.ndarray) -> sparse.csr_array:
    """Voxels shared by each segment (rows) and each true object (columns), where truth is not 0."""
    known = truth.ravel() != 0
    rows = np.unique(segments.ravel()[known], return_inverse=True)[1]
    columns = np.unique(truth.ravel()[known], return_inverse=True)[1]
    table = sparse.coo_array((np.ones(len(rows)), (rows, columns)))
    return table.tocsr()


def score_overlaps(table: sparse.csr_array) -> SegmentationScore:
    """Variation of information (Meila 2007), split and merge, and adapted Rand error (Arganda-Carreras 2015).

    Split is the entropy of the segments given the truth, merge that of the truth given the segments.
    """
    total = table.sum()
    if total == 0:
        return SegmentationScore(float("nan"), float("nan"), float("nan"))
    joint = table.data / total
    segments = np.asarray(table.sum(axis=1)).ravel() / total
    truth = np.asarray(table.sum(axis=0)).ravel() / total
    both = _entropy(joint)
    squares = np.sum(joint**2)
    rand_error = 1 - 2 * squares / (np.sum(segments**2) + np.sum(truth**2))
    return SegmentationScore(
        max(both - _entropy(truth), 0.0), max(both - _entropy(segments), 0.0), float(max(rand_error, 0.0))
    )


def score_segmentation(segments: np.ndarray, truth: np.ndarray) -> SegmentationScore:
    """Score a segmentation (Z, Y, X) against a dense truth of the same shape.

    Raises
    ------
    ValueError: if the shapes differ.
    """
    if segments.shape != truth.shape:
        raise ValueError(f"the segmentation has shape {segments.shape} and the truth {truth.shape}")
    return score_overlaps(overlaps(segments, truth))


def merge_rows(table: sparse.csr_array, groups: np.ndarray) -> sparse.csr_array:
    """The overlaps of merged segments: row i goes to row `groups[i]`."""
    rows = len(groups)
    gather = sparse.coo_array((np.ones(rows), (groups, np.arange(rows))), shape=(int(groups.max()) + 1, rows))
    merged = (gather.tocsr() @ table).tocsr()
    merged.sum_duplicates()
    return merged


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float(-np.sum(shares * np.log2(shares)))
