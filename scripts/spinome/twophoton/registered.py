"""A registered stack as the branch's steps hand it on: OME-Zarr, with its voxel size in um.

A stack that could not be registered is handed on as an empty field that is marked so: no spine is found in it, and what
follows a series leaves it out, so that one bad session stops no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import zarr

from spinome.io.volumes import STACK, open_volume, require_voxel_size, write_volume
from spinome.shards import too_many

FAILED_SHAPE, FAILED_NM = (3, 32, 32), (1000.0, 1000.0, 1000.0)


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


def write_failed(path: str | Path, reason: str) -> np.ndarray:
    """Write the empty field that stands for a stack which could not be registered, and return it."""
    voxels = np.zeros(FAILED_SHAPE, np.uint8)
    write_volume(path, voxels, FAILED_NM, kind="image", space=STACK)
    zarr.open_group(str(path), mode="r+").attrs["failed"] = reason
    return voxels


def failure_of(path: str | Path) -> str | None:
    """Why a stack could not be registered; None where it was."""
    return zarr.open_group(str(path), mode="r").attrs.get("failed")


def standing(stacks: Sequence[str], *others: Sequence) -> list[list]:
    """Registered stacks, and what else there is one of for each, without those that failed.

    Where all of a series failed they are all kept, empty as they are.
    """
    kept = [failure_of(path) is None for path in stacks]
    kept = kept if any(kept) else [True] * len(kept)
    return [list(compress(one, kept)) for one in (stacks, *others)]


def to_train_on(max_failed_fraction: float, stacks: Sequence[str], *others: Sequence) -> list[list]:
    """As `standing`, for stacks with truth that something is trained on; what is left out is told.

    Raises
    ------
    RuntimeError: if all failed, or more than `max_failed_fraction` of them (one may); the message counts them and gives
        the reason of the first.
    """
    failed = {Path(path).stem: reason for path in stacks if (reason := failure_of(path)) is not None}
    if too_many(len(failed), len(stacks), max_failed_fraction):
        name, reason = next(iter(failed.items()))
        raise RuntimeError(
            f"{len(failed)} of {len(stacks)} stacks to train on failed, more than the configured fraction "
            f"{max_failed_fraction}; the first, {name}: {reason}"
        )
    for name, reason in failed.items():
        print(f"{name} is left out of the training: {reason}")
    return standing(stacks, *others)
