"""Cuboids that tile a volume, each with the halo that its computation needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Cuboid:
    """One cuboid of a tiling.

    `core` is the part of the volume that this cuboid alone answers for; `padded` is the core with its halo,
    clipped at the volume's border; `inner` is where the core lies within an array of the padded part.
    """

    core: Box
    padded: Box
    inner: Box

    @property
    def name(self) -> str:
        """Name of the cuboid, from where its core starts (z, y, x): the name of a unit of work."""
        return "-".join(str(axis.start) for axis in self.core)

    @property
    def start(self) -> Shape:
        """First voxel of the core."""
        return tuple(axis.start for axis in self.core)

    @property
    def shape(self) -> Shape:
        """Shape of the core."""
        return tuple(axis.stop - axis.start for axis in self.core)


def cuboids(shape: Shape, size: Shape, halo: Shape = (0, 0, 0)) -> Iterator[Cuboid]:
    """Tile a volume with cuboids in raster order; those at the far border may be smaller.

    Parameters
    ----------
    shape : voxels of the volume (z, y, x)
    size : voxels of a cuboid's core (z, y, x)
    halo : voxels (z, y, x) added on either side, as far as the volume reaches

    Raises
    ------
    ValueError: if a size is below one voxel or a halo is negative.
    """
    if min(size) < 1 or min(halo) < 0:
        raise ValueError(f"a cuboid needs at least one voxel an axis and no negative halo, not {size} and {halo}")
    for start in product(*(range(0, length, step) for length, step in zip(shape, size))):
        yield _cuboid(start, shape, size, halo)


def and_next(cuboid: Cuboid, shape: Shape) -> Box:
    """The core of a cuboid and, where the volume goes on, the voxels after it: all faces that begin in the core."""
    return tuple(slice(axis.start, min(axis.stop + 1, length)) for axis, length in zip(cuboid.core, shape))


def evenly_spaced(shape: Shape, size: Shape, most: int) -> list[Cuboid]:
    """At most so many of the cuboids of a tiling, evenly spaced in raster order, with the first and the last.

    The others are not made, so that this costs the same for a volume of any size.
    """
    counts = [-(-length // step) for length, step in zip(shape, size)]
    picked = np.unique(np.linspace(0, np.prod(counts, dtype=np.int64) - 1, most).round().astype(np.int64))
    starts = np.stack(np.unravel_index(picked, counts), axis=1) * size
    return [_cuboid(start, shape, size, (0, 0, 0)) for start in starts.tolist()]


def touched(core: Box, size: Shape, shape: Shape) -> Iterator[tuple[Box, Box, Box]]:
    """The tiles that share voxels with a box: each clipped at the volume's border, and where what they share lies in an
    array of the box, and in one of the tile."""
    starts = [range(axis.start // length * length, axis.stop, length) for axis, length in zip(core, size)]
    for start in product(*starts):
        tile = tuple(slice(low, min(low + length, end)) for low, length, end in zip(start, size, shape))
        shared = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(core, tile)]
        own, within = (
            tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(shared, box)) for box in (core, tile)
        )
        yield tile, own, within


def _cuboid(start: Sequence[int], shape: Shape, size: Shape, halo: Shape) -> Cuboid:
    stop = [min(low + step, length) for low, step, length in zip(start, size, shape)]
    low = [max(first - margin, 0) for first, margin in zip(start, halo)]
    high = [min(last + margin, length) for last, margin, length in zip(stop, halo, shape)]
    return Cuboid(
        core=tuple(map(slice, start, stop)),
        padded=tuple(map(slice, low, high)),
        inner=tuple(slice(first - edge, last - edge) for first, last, edge in zip(start, stop, low)),
    )
