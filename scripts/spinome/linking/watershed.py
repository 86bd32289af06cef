"""Superpixels: a seeded watershed of the membrane map that is the same, ids and all, however the volume is cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.units import VoxelSize
from spinome.linking.basins import Basins, basins, by_height, join, paint, unite
from spinome.linking.flooding_heights import landscape


def superpixels(
    membrane: np.ndarray,
    voxel_nm: VoxelSize,
    *,
    threshold: float,
    smoothing_nm: float,
    spacing_nm: float,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Superpixels of a volume that fits into memory.

    Parameters
    ----------
    membrane, voxel_nm, threshold, smoothing_nm, spacing_nm, mask : see `landscape`

    Returns
    -------
    (Z, Y, X) uint64, superpixels 1..N in the order of their first voxels, 0 outside the mask; what holds no seed and
    touches nothing that does is a superpixel
    """
    height, seed = landscape(
        membrane, voxel_nm, threshold=threshold, smoothing_nm=smoothing_nm, spacing_nm=spacing_nm, mask=mask
    )
    (whole,) = cuboids(membrane.shape, membrane.shape)
    basin, found = basins(height, seed, whole, membrane.shape)
    (labels,) = flood([found])
    return paint(basin, labels)


def flood(parts: Sequence[Basins]) -> list[np.ndarray]:
    """Join the basins of all cuboids of a volume to superpixels.

    Parameters
    ----------
    parts : basins of the cuboids that tile the volume

    Returns
    -------
    for each cuboid the superpixel, from 1, of each of its basins, uint64
    """
    ends = np.cumsum([0, *(len(part.first) for part in parts)])
    first, seeded, passes, crossings = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("first", "seeded", "passes", "crossings")
    )
    sides, exits = (
        np.concatenate([getattr(part, name) + offset for part, offset in zip(parts, ends)])
        for name in ("sides", "exits")
    )
    across, over = _meet(exits, crossings)
    sides, passes = np.concatenate([sides, across]), np.concatenate([passes, over])
    rising = by_height(passes)
    root = join(sides[rising], passes["height"][rising], seeded, np.zeros(len(first), bool))
    number, start, _ = unite(root, first, seeded)
    label = np.empty(len(start), np.uint64)
    label[np.argsort(start)] = np.arange(1, len(start) + 1)
    return np.split(label[number], ends[1:-1])


def _meet(exits: np.ndarray, crossings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Passes between cuboids: what is a way out of two of them; the way into a missing one leads nowhere."""
    order = np.lexsort((crossings["below"], crossings["above"]))
    exits, crossings = exits[order], crossings[order]
    first = np.flatnonzero(crossings[1:] == crossings[:-1])
    return np.stack([exits[first], exits[first + 1]], axis=1), crossings[first]
