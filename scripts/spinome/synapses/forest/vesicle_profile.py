"""The mean profile of a vesicle, measured where a person has marked some."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinome.io.volumes import Volume
from spinome.synapses.forest.vesicles import DIAMETER_NM, RIM_NM
from spinome.synapses.grey import Grey

REACH_NM = DIAMETER_NM / 2 + 2 * RIM_NM
BIN_NM = 4.0
FEWEST = 3


def vesicle_profile(marked: Sequence[tuple[Volume, Grey, np.ndarray]]) -> np.ndarray:
    """Mean level at each distance from the centre of marked vesicles, within their sections.

    A vesicle has no direction, so a few dozen marks say as much about this curve as hundreds would about a picture, and
    the curve can be drawn at any voxel size.

    Parameters
    ----------
    marked : for each volume its image, its grey scale and the centres (N, 3) of vesicles in nm (z, y, x) from the
        corner of the volume

    Returns
    -------
    (K, 2) float64: distance from the centre in nm, ascending, and level (32 are one standard deviation of the volume)

    Raises
    ------
    ValueError: if fewer than 3 vesicles are marked, or a mark lies outside of its volume.
    """
    distances, levels = [], []
    for image, grey, centres in marked:
        at = centres / np.array(image.voxel_nm) - 0.5
        outside = (np.rint(at) < 0).any(axis=1) | (np.rint(at) >= image.shape).any(axis=1)
        if outside.any():
            raise ValueError(
                f"{image.source}: {outside.sum()} of {len(at)} marked vesicles lie outside of the volume, the first at "
                f"{centres[outside][0].tolist()} nm (z, y, x)"
            )
        for z, y, x in at:
            low = [int(max(0, np.floor(c - REACH_NM / size))) for c, size in zip((y, x), image.voxel_nm[1:])]
            high = [int(np.ceil(c + REACH_NM / size)) + 1 for c, size in zip((y, x), image.voxel_nm[1:])]
            patch = grey.levels(image[round(z), low[0] : high[0], low[1] : high[1]])
            rows, columns = np.indices(patch.shape)
            from_centre = (rows + low[0] - y) * image.voxel_nm[1], (columns + low[1] - x) * image.voxel_nm[2]
            distances.append(np.hypot(*from_centre).ravel())
            levels.append(patch.ravel())
    if len(levels) < FEWEST:
        raise ValueError(f"{len(levels)} vesicles are marked, at least {FEWEST} are needed for a template")
    distance, level = np.concatenate(distances), np.concatenate(levels)
    bins = (distance[distance < REACH_NM] / BIN_NM).astype(int)
    count = np.bincount(bins)
    mean = np.bincount(bins, level[distance < REACH_NM]) / np.maximum(count, 1)
    seen = count > 0
    return np.column_stack([(np.flatnonzero(seen) + 0.5) * BIN_NM, mean[seen]])
