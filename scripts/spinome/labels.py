"""Labels of regions as numbers that count from 0."""

from __future__ import annotations

import numpy as np

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
    position = np.searchsorted(ids, labels).clip(max=len(ids) - 1).astype(np.int32)
    return np.where(ids[position] == labels, position, np.int32(NONE))
