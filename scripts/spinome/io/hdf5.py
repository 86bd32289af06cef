"""What an HDF5 file holds under a name, whatever its links do."""

from __future__ import annotations

import h5py


def member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """The group or data set of a name, links followed; None where there is none.

    Raises
    ------
    ValueError: if the links go in a circle, or to a file that is not there.
    """
    try:
        return group.get(name)
    except (RuntimeError, OSError, KeyError) as error:
        raise ValueError(f"'{name}' is a link that leads nowhere ({error}); put the data in its place") from None


def data_set(group: h5py.Group, name: str) -> h5py.Dataset | None:
    """The data set of a name, links followed; None where there is none.

    Raises
    ------
    ValueError: as `member`, and if it is a null data set, which has no shape.
    """
    item = member(group, name)
    if not isinstance(item, h5py.Dataset):
        return None
    if item.shape is None:
        raise ValueError(f"'{name}' is a null data set, which holds nothing; fill it, or name another")
    return item
