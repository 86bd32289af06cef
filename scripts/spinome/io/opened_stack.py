"""An opened two-photon stack, and what its readers share: axes and channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinome.io.slicing import Box, read_as_numpy
from spinome.io.units import VoxelSize

# a number from 0, or the name that the microscope gives
Channel = int | str


@dataclass(frozen=True)
class Stack:
    """An opened stack: one channel, sliced as a numpy array (Z, Y, X) is; it reads only the slices asked for.

    `shape` (Z, Y, X), `dtype` as stored, `voxel_um` (z, y, x) or None where neither sheet nor file says it.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    voxel_um: VoxelSize | None
    source: str
    read_slice: Callable[[int], np.ndarray]

    def __getitem__(self, key: Any) -> np.ndarray:
        return read_as_numpy(self._read, self.shape, self.dtype, key)

    def slices(self) -> Iterator[np.ndarray]:
        """Read the slices in turn; raises a ValueError naming the file where one cannot be read or is not finite."""
        return map(self._checked, range(self.shape[0]))

    def read(self) -> np.ndarray:
        """Read the whole stack (Z, Y, X), as stored."""
        return self[:]

    def _read(self, box: Box) -> np.ndarray:
        numbers = range(box[0].start, box[0].stop, box[0].step)
        first = self._checked(numbers[0])[box[1:]]
        out = np.empty((len(numbers), *first.shape), self.dtype)
        out[0] = first
        for place, z in enumerate(numbers[1:], start=1):
            out[place] = self._checked(z)[box[1:]]
        return out

    def _checked(self, z: int) -> np.ndarray:
        try:
            image = np.asarray(self.read_slice(z))
        except MemoryError:
            raise
        except Exception as error:
            raise ValueError(
                f"{self.source}: slice {z} cannot be read, the file is truncated or damaged ({error}); copy or export "
                "it again"
            ) from error
        if image.shape != self.shape[1:]:
            raise ValueError(
                f"{self.source}: slice {z} is {image.shape[0]} x {image.shape[1]} pixels and the first slice "
                f"{self.shape[1]} x {self.shape[2]}; all slices of a stack must have one size"
            )
        if not np.can_cast(image.dtype, self.dtype):
            raise ValueError(
                f"{self.source}: slice {z} holds {image.dtype} and the first slice {self.dtype}; all slices of a stack "
                "must have one type"
            )
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise ValueError(f"{self.source}: slice {z} has values that are not finite; mend or leave out the stack")
        return image


def require_voxel_um(stack: Stack) -> VoxelSize:
    """Return the voxel size (z, y, x) in um, or raise a ValueError that names the columns that set it."""
    if stack.voxel_um is None:
        raise ValueError(
            f"{stack.source}: has no voxel size; set voxel_z_um, voxel_y_um and voxel_x_um in the sample sheet"
        )
    return stack.voxel_um


def chosen_channel(path: str | Path, names: Sequence[str], channel: Channel | None) -> int:
    """The channel to read, as a number from 0 in the order of the file.

    Parameters
    ----------
    names : what the microscope calls each channel, empty where it does not say
    channel : a number counts from 0, whatever the microscope counts from; anything else is a name. Names are compared
        without regard to case and spaces, and `Ch` stands for `Channel`.

    Raises
    ------
    ValueError: where none of several, or one that is not there, is chosen; the message lists what there is.
    """
    listed = ", ".join(f"{number} ({name})" if name else f"{number}" for number, name in enumerate(names))
    if channel is None and len(names) > 1:
        raise ValueError(
            f"{path}: has {len(names)} channels; choose one in the column `channel` of the sample sheet, by number or "
            f"name: {listed}"
        )
    if isinstance(channel, str):
        called = [number for number, name in enumerate(names) if name and _plain(name) == _plain(channel)]
        if len(called) != 1:
            raise ValueError(f"{path}: has {len(called) or 'no'} channels called '{channel}'; it has {listed}")
        return called[0]
    if channel is not None and channel >= len(names):
        raise ValueError(f"{path}: has no channel {channel}, it has {len(names)}, counted from 0: {listed}")
    return channel or 0


def _plain(name: str) -> str:
    return "".join(name.lower().split()).replace("channel", "ch")


def pick_plane(
    path: str | Path, axes: str, shape: tuple[int, ...], channel: Channel | None, names: Sequence[str] = ()
) -> tuple[Callable[[int], tuple], int]:
    """Return a function from a slice to the index into an array of these axes, and the number of slices.

    `names` are those of the channels, where the file has them for each.

    Raises
    ------
    ValueError: for several channels of which none is chosen, several timepoints, and colours of several channels.
    """
    length = dict(zip(axes, shape))
    several = [axis for axis in axes if axis in "CS" and length[axis] > 1]
    if len(several) > 1:
        raise ValueError(f"{path}: has several channels and colour samples; export one channel in grey values")
    count = length[several[0]] if several else 1
    taken = chosen_channel(path, names if len(names) == count else [""] * count, channel)
    others = [axis for axis in axes if axis not in "ZCSYX" and length[axis] > 1]
    if others:
        raise ValueError(
            f"{path}: has axes {axes} of shape {shape}; a stack is one timepoint, split the file by {others}"
        )

    def pick(z: int) -> tuple:
        place = {"Z": z, "Y": slice(None), "X": slice(None)}
        return tuple(place.get(axis, taken if several and axis == several[0] else 0) for axis in axes)

    return pick, length.get("Z", 1)
