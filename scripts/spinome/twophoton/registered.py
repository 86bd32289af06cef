"""A registered stack as the branch's steps hand it on: OME-Zarr, with its voxel size in um."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinome.io.volumes import open_volume, require_voxel_size


@dataclass(frozen=True)
class RegisteredStack:
    """`voxels` (Z, Y, X) as stored, `voxel_um` (z, y, x)."""

    voxels: np.ndarray
    voxel_um: tuple[float, float, float]

    @property
    def size_um(self) -> np.ndarray:
        """Extent (z, y, x)."""
        return np.array(self.voxels.shape) * self.voxel_um


def read_registered(path: str | Path) -> RegisteredStack:
    """Read a registered stack whole."""
    volume = open_volume(str(path))
    return RegisteredStack(volume[:], _um(volume))


def registered_grid(path: str | Path) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Shape and voxel size (z, y, x) in um of a registered stack, without its voxels."""
    volume = open_volume(str(path))
    return volume.shape, _um(volume)


def _um(volume) -> tuple[float, float, float]:
    return tuple(size / 1000 for size in require_voxel_size(volume))
