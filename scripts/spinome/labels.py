"""Labels of regions as numbers that count from 0."""

from __future__ import annotations

import fastremap
import numpy as np
from numba import njit

# the number of a label that is not asked for
NONE = -1


def compact(labels: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Number labels by their position in the sorted `ids`, -1 where a label is not among them; int32."""
    top = max(int(ids.max(initial=0)), int(labels.max(initial=0)))
    # a table is read from its end by a negative label
    negative = labels.dtype.kind == "i" and labels.min(initial=0) < 0
    if top <= 4 * labels.size and not negative:
        lookup = np.full(top + 1, NONE, dtype=np.int32)
        lookup[ids.astype(np.int64)] = np.arange(len(ids), dtype=np.int32)
        if labels.ndim == 1:
            return lookup[labels]
        # plane by plane, since an index is copied as int64
        numbers = np.empty(labels.shape, dtype=np.int32)
        for plane, into in zip(labels, numbers):
            into[...] = lookup[plane]
        return numbers
    if not len(ids):
        return np.full(labels.shape, NONE, dtype=np.int32)
    # in the type of the labels: numpy compares with and without a sign as floats. Ids that it cannot hold come before
    # or after all others, and are no label's
    own = ids.astype(labels.dtype)
    held = own == ids
    numbers = np.full(labels.shape, NONE, dtype=np.int32)
    if held.any():
        _search(labels.ravel(), own[held], numbers.ravel())
        numbers[numbers != NONE] += np.int32(held.argmax())
    return numbers


def rename(labels: np.ndarray, ids: np.ndarray, names: np.ndarray) -> np.ndarray:
    """The name of each label, by its place in the sorted `ids`; 0 where it is not among them.

    There may be many more ids than `labels` has voxels.
    """
    own = fastremap.unique(labels).astype(ids.dtype)
    places = np.searchsorted(ids, own).clip(max=max(len(ids) - 1, 0))
    # the last place stands for what is not among the ids
    found = np.append(np.zeros(len(own), names.dtype), names.dtype.type(0))
    if len(ids):
        found[:-1] = np.where(ids[places] == own, names[places], 0)
    return found[compact(labels, own.astype(labels.dtype))]


@njit(cache=True)
def _search(labels, ids, numbers):
    """Fill `numbers` with the place of each label in the sorted ids; most labels are as the one before."""
    before, place = ids[0], 0
    for voxel in range(len(labels)):
        label = labels[voxel]
        if label != before:
            before = label
            low, high = 0, len(ids)
            while low < high:
                middle = (low + high) // 2
                if ids[middle] < label:
                    low = middle + 1
                else:
                    high = middle
            place = low if low < len(ids) and ids[low] == label else NONE
        numbers[voxel] = place
