"""Slices as numpy takes them, of readers that know fewer: they clip at the edges, count from the end, go backwards.

HDF5, Zarr, TensorStore and stacks of slices each refuse or clip something else. All of them read boxes of whole
positive steps inside of their edges, and the rest is done here, once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

Box = tuple[slice, ...]


def read_as_numpy(read: Callable[[Box], np.ndarray], shape: tuple[int, ...], dtype: np.dtype, key: Any) -> np.ndarray:
    """What `array[key]` is of a numpy array, of something that reads boxes.

    Parameters
    ----------
    read : gives the voxels of a box: a slice for each axis with 0 <= start < stop <= length and a positive step; it is
        not called for an empty one
    shape, dtype : of all that there is
    key : integers, slices and an ellipsis

    Raises
    ------
    IndexError: for an integer beyond the edges, and for too many axes.
    TypeError: for a key of another kind, such as an array.
    """
    box: list[slice] = []
    rest: list[int | slice] = []
    lengths: list[int] = []
    for axis, (item, length) in enumerate(zip(_every_axis(key, len(shape)), shape)):
        if not isinstance(item, slice):
            index = _index(item, axis, length)
            box.append(slice(index, index + 1, 1))
            rest.append(0)
            continue
        chosen = range(*item.indices(length))
        lengths.append(len(chosen))
        # a box goes upwards; what goes down is turned round when it is read
        upwards = chosen if chosen.step > 0 else chosen[::-1]
        box.append(slice(upwards[0], upwards[-1] + 1, upwards.step) if chosen else slice(0, 0, 1))
        rest.append(slice(None, None, 1 if chosen.step > 0 else -1))
    return read(tuple(box))[tuple(rest)] if all(lengths) else np.empty(lengths, dtype)


def _every_axis(key: Any, axes: int) -> tuple:
    """A key with an item for each axis."""
    items = key if isinstance(key, tuple) else (key,)
    dots = [place for place, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("a key has one ellipsis at most")
    place = dots[0] if dots else len(items)
    before, after = items[:place], items[place + 1 :]
    if len(before) + len(after) > axes:
        raise IndexError(f"there are {axes} axes, the key has {len(before) + len(after)}")
    return (*before, *[slice(None)] * (axes - len(before) - len(after)), *after)


def _index(item: Any, axis: int, length: int) -> int:
    try:
        index = operator.index(item)
    except TypeError:
        raise TypeError(f"voxels are read by integers and slices, not by {item!r}") from None
    if not -length <= index < length:
        raise IndexError(f"index {index} is beyond the edge of axis {axis}, which has {length} voxels")
    return index % length
