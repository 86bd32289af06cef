"""A registered stack as the branch's steps hand it on: OME-Zarr, with its voxel size in um.

A stack that could not be registered is handed on as an empty field that is marked so: no spine is found in it, and what
follows a series leaves it out, so that one bad session stops no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from spinome.failures import too_many
from spinome.io.volumes import STACK, open_volume, require_voxel_size, write_volume

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


def registered_size(path: str | Path) -> np.ndarray:
    """Extent (z, y, x) of a registered stack in um, without its voxels."""
    shape, voxel_um = registered_grid(path)
    return np.multiply(shape, voxel_um)


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


def failures(stacks: Mapping[str, str]) -> dict[str, str]:
    """Why stacks could not be registered, by name; those that could are left out."""
    reasons = {name: failure_of(path) for name, path in stacks.items()}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def standing(names: Iterable[str], stacks: Mapping[str, str]) -> list[str]:
    """Those of these stacks that could be registered, in their order.

    Where all of a series failed they are all kept, empty as they are.

    Parameters
    ----------
    names : of the stacks of a series, or of several
    stacks : where each is registered, by name
    """
    names = list(names)
    return [name for name in names if failure_of(stacks[name]) is None] or names


def to_train_on(names: Iterable[str], stacks: Mapping[str, str], max_failed_fraction: float) -> list[str]:
    """As `standing`, for stacks with truth that something is trained on; what is left out is printed.

    Raises
    ------
    RuntimeError: if all failed, or more than `max_failed_fraction` of them (one may); the message counts them and gives
        the reason of the first.
    """
    names = list(names)
    failed = failures({name: stacks[name] for name in names})
    if too_many(len(failed), len(names), max_failed_fraction):
        name, reason = next(iter(failed.items()))
        raise RuntimeError(
            f"{len(failed)} of {len(names)} stacks to train on failed, more than the configured fraction "
            f"{max_failed_fraction}; the first, {name}: {reason}"
        )
    for name, reason in failed.items():
        print(f"{name} is left out of the training: {reason}")
    return [name for name in names if name not in failed]
