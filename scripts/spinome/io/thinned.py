"""A volume thinned to every so many voxels, read box by box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinome.cuboids import Box, Shape
from spinome.io.units import VoxelSize, working_stride
from spinome.io.volumes import Volume, require_voxel_size


@dataclass(frozen=True)
class Thinned:
    """Every `stride`-th voxel (z, y, x) of a volume, as `volume[::stride]` would be, sliced by whole boxes."""

    volume: Volume
    stride: Shape

    @classmethod
    def to(cls, volume: Volume, working_nm: float) -> Thinned:
        """Thinned to voxels of about a size."""
        return cls(volume, working_stride(require_voxel_size(volume), working_nm))

    @property
    def shape(self) -> Shape:
        z, y, x = (-(-length // step) for length, step in zip(self.volume.shape, self.stride))
        return z, y, x

    @property
    def voxel_nm(self) -> VoxelSize:
        """Size of a thinned voxel (z, y, x)."""
        z, y, x = (size * step for size, step in zip(require_voxel_size(self.volume), self.stride))
        return z, y, x

    def cuboid(self, size: Shape) -> Shape:
        """The thinned voxels of a cuboid of so many full ones."""
        z, y, x = (-(-length // step) for length, step in zip(size, self.stride))
        return z, y, x

    def __getitem__(self, box: Box) -> np.ndarray:
        # of a volume on a server no voxel beyond its edge can be asked for
        return self.volume[
            tuple(
                slice(side.start * step, min((side.stop - 1) * step + 1, length), step)
                for side, step, length in zip(box, self.stride, self.volume.shape)
            )
        ]
