"""Slabs of a volume along x: a classifier is tried on each slab by one that was trained on the others."""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import numpy as np

from spinome.cuboids import Box
from spinome.io.units import VoxelSize

# with fewer slabs, a classifier knows less than the final one and its probabilities lie lower
SLABS = 4
# with fewer synapses, networks leave out half of the slabs at a time: three cost less than five, and each sees some
FEW = 10
# voxels this close to a slab see the same image, and do not train the classifier that is tried on it
BUFFER_NM = 200.0


def synapse_boxes(truth: np.ndarray) -> list[Box]:
    """The box of each true synapse, an object of one label that 18 neighbours connect; 0 is background."""
    boxes = cc3d.statistics(cc3d.connected_components(truth, connectivity=18))["bounding_boxes"][1:]
    return [box for box in boxes if box is not None]


def synapse_volumes(truth: np.ndarray, voxel_nm: VoxelSize) -> np.ndarray:
    """The volume of each of them in um3."""
    counts = cc3d.statistics(cc3d.connected_components(truth, connectivity=18))["voxel_counts"][1:]
    return counts * (np.prod(voxel_nm) / 1e9)


def folds_of(few: bool) -> list[tuple[int, ...]]:
    """The slabs that are left out together: one by one, or half of them where there are few synapses."""
    each = SLABS // 2 if few else 1
    return [tuple(range(start, start + each)) for start in range(0, SLABS, each)]


def slab_width(width: int) -> int:
    """Voxels of a slab along x; the last one may be narrower."""
    return -(-width // SLABS)


def slab_of(x: np.ndarray, width: int) -> np.ndarray:
    """The slab that positions along x (N,) in voxels lie in."""
    return np.minimum(np.asarray(x) // slab_width(width), SLABS - 1).astype(int)


def far_from_slabs(x: np.ndarray, width: int, voxel_nm: VoxelSize) -> np.ndarray:
    """Whether voxels at x (N,) are so far from each slab that they may train its classifier: (N, SLABS) bool."""
    start = np.arange(SLABS) * slab_width(width)
    before = (start - x[:, None]) * voxel_nm[2]
    behind = (x[:, None] - start - slab_width(width) + 1) * voxel_nm[2]
    return np.maximum(before, behind) > BUFFER_NM


def around_slabs(slabs: Sequence[int], width: int, voxel_nm: VoxelSize) -> list[slice]:
    """The columns that may train the classifier of some slabs: those far from each; all where there is none."""
    far = far_from_slabs(np.arange(width), width, voxel_nm)[:, list(slabs)]
    far = np.flatnonzero(far.all(axis=1))
    runs = np.split(far, np.flatnonzero(np.diff(far) > 1) + 1)
    return [slice(int(run[0]), int(run[-1]) + 1) for run in runs if len(run)]
