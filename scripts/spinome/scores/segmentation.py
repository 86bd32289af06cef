"""Scores of a segmentation against a dense truth; truth 0 is left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from spinome.scores.overlap import overlap_table


class SegmentationScore(NamedTuple):
    """`vi_split` and `vi_merge` in bits, lower is better; `rand_error` is 1 - f1 of the adapted Rand index."""

    vi_split: float
    vi_merge: float
    rand_error: float


def object_terms(table: sparse.csr_array) -> np.ndarray:
    """What each true object adds to the scores, so that objects can be pooled and drawn again.

    Returns
    -------
    (T, 6) float64 with the columns: voxels n; n times the entropy of the segments within the object; n times the
    entropy that merging with other objects brings; and the sums of squares of the overlaps, of the segments (shared
    out to their objects) and of the object
    """
    table = table.tocoo()
    shared = table.data
    segments = np.asarray(table.sum(axis=1)).ravel()[table.row]
    objects = np.asarray(table.sum(axis=0)).ravel()
    whole = objects[table.col]
    terms = [
        shared * np.log2(whole / shared),
        shared * np.log2(segments / shared),
        shared**2,
        shared * segments,
    ]
    sums = [np.bincount(table.col, weights=term, minlength=len(objects)) for term in terms]
    return np.stack([objects, *sums, objects**2], axis=1)


def pool_terms(terms: np.ndarray) -> SegmentationScore:
    """Variation of information (Meila 2007) and adapted Rand error (Arganda-Carreras 2015) from `object_terms`.

    Split is the entropy of the segments given the truth, merge that of the truth given the segments.
    """
    voxels, split, merge, overlap, segments, objects = terms.sum(axis=0)
    if voxels == 0:
        return SegmentationScore(float("nan"), float("nan"), float("nan"))
    # the Rand index counts pairs of different voxels, so each voxel's pair with itself is taken off
    both, parts = overlap - voxels, segments + objects - 2 * voxels
    return SegmentationScore(split / voxels, merge / voxels, 1 - 2 * both / parts if parts else 0.0)


def score_segmentation(segments: np.ndarray, truth: np.ndarray) -> SegmentationScore:
    """Score a segmentation (Z, Y, X) against a dense truth of the same shape.

    Raises
    ------
    ValueError: if the shapes differ.
    """
    if segments.shape != truth.shape:
        raise ValueError(f"the segmentation has shape {segments.shape} and the truth {truth.shape}")
    return pool_terms(object_terms(overlap_table(segments, truth).table))


def merge_rows(table: sparse.csr_array, groups: np.ndarray) -> sparse.csr_array:
    """The overlaps of merged segments: row i goes to row `groups[i]`."""
    rows = len(groups)
    gather = sparse.coo_array((np.ones(rows), (groups, np.arange(rows))), shape=(int(groups.max()) + 1, rows))
    merged = (gather.tocsr() @ table).tocsr()
    merged.sum_duplicates()
    return merged
