"""Where exactly a head lies, from the light around a candidate in the frame of its shaft.

A detector's box is drawn to the shaft, and centres of light are drawn to what is brighter. How the light falls off from
slice to slice, outward from the shaft and along it says by how much. Three ridge regressions on such profiles, learned
from heads that a person placed, move each candidate: a few dozen numbers each, that come with the judge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn.linear_model import RidgeCV

from spinome.columns import POSITION

# places around a candidate at which light is taken, and how far apart they lie (um): z, outward, along the shaft
GRID, STEP_UM = (9, 14, 14), (1.0, 0.32, 0.32)
# halves of the squares (in steps) that light is averaged over slice by slice; the largest is what surrounds a head
SQUARES = (1, 2, 5)
# slices either way, and halves of the strips, that light is averaged over in the plane
DEEP, STRIPS = 1, (1, 2)
# a head farther than this from its candidate (um) is a mistake, and no candidate is moved farther than this
LEARNED_UM, FARTHEST_UM = 3.0, np.array([2.0, 0.6, 0.6])
# strengths of the ridge that are tried, on heads left out one by one
STRENGTHS = np.logspace(-2, 4, 13)
CHUNK = 200
# numbers of the profiles along z, outward and along the shaft
WIDTHS = (len(SQUARES) * GRID[0], len(STRIPS) * GRID[1], len(STRIPS) * GRID[2])


def profiles(
    light: np.ndarray,
    voxel_um: tuple[float, float, float],
    place_um: np.ndarray,
    outward: np.ndarray,
    level: np.ndarray,
) -> list[np.ndarray]:
    """Light around candidates along z, outward from the shaft and along it, each (N, F).

    Parameters
    ----------
    light : (Z, Y, X) above its background
    voxel_um : voxel size (z, y, x)
    place_um : (N, 3) z y x
    outward : (N, 2) unit vectors (y, x) away from the shaft
    level : (N,) brightness of the shaft, in which light is counted
    """
    if not len(place_um):
        return [np.zeros((0, width)) for width in WIDTHS]
    rows = [
        _of_patches(_patches(light, voxel_um, place_um[own], outward[own], level[own]))
        for own in np.array_split(np.arange(len(place_um)), -(-len(place_um) // CHUNK))
    ]
    return [np.concatenate(parts) for parts in zip(*rows)]


def _patches(light, voxel_um, place_um, outward, level) -> np.ndarray:
    """Light (N, `GRID`) around candidates, its dim part spread as features spread it."""
    z, out, along = (
        ((np.arange(count) - (count - 1) / 2) * step).reshape(np.roll([-1, 1, 1], axis))
        for axis, (count, step) in enumerate(zip(GRID, STEP_UM))
    )
    y, x = (outward[:, axis, None, None, None] for axis in (0, 1))
    steps = [np.broadcast_to(z, (len(place_um), *GRID)), out * y + along * x, out * x - along * y]
    at = [(place_um[:, axis, None, None, None] + step) / size for axis, (step, size) in enumerate(zip(steps, voxel_um))]
    at = [np.broadcast_to(own, (len(place_um), *GRID)) for own in at]
    values = ndimage.map_coordinates(light, at, order=1, mode="nearest", output=np.float32)
    return np.arcsinh(8 * values / level[:, None, None, None])


def _of_patches(patches: np.ndarray) -> list[np.ndarray]:
    middle = [count // 2 for count in GRID]

    def square(half: int) -> np.ndarray:
        return patches[:, :, middle[1] - half : middle[1] + half, middle[2] - half : middle[2] + half].mean(axis=(2, 3))

    small, head, around = (square(half) for half in SQUARES)
    flat = patches[:, middle[0] - DEEP : middle[0] + DEEP + 1].mean(axis=1)
    outward = [flat[:, :, middle[2] - half : middle[2] + half].mean(axis=2) for half in STRIPS]
    along = [flat[:, middle[1] - half : middle[1] + half].mean(axis=1) for half in STRIPS]
    return [np.hstack([small, small - around, head - around]), np.hstack(outward), np.hstack(along)]


def offsets_in_frame(offsets_um: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """Offsets (N, 3) along z y x as offsets along z, outward and along the shaft."""
    sides = np.column_stack([outward[:, 1], -outward[:, 0]])
    return np.column_stack([offsets_um[:, 0], *((offsets_um[:, 1:] * way).sum(axis=1) for way in (outward, sides))])


def learn_place(described: Sequence[np.ndarray], offsets_um: np.ndarray) -> list[list[float]]:
    """Weights of profiles along each axis, the constant last.

    Parameters
    ----------
    described : of `profiles`
    offsets_um : (N, 3) of `offsets_in_frame` from candidates to their heads; rows that are no number are left out
    """
    known = np.isfinite(offsets_um).all(axis=1)
    weights = []
    for own, offset in zip(described, offsets_um[known].T):
        if known.sum() < 2:
            weights.append([0.0] * (own.shape[1] + 1))
            continue
        ridge = RidgeCV(STRENGTHS).fit(own[known], offset.clip(-LEARNED_UM, LEARNED_UM))
        weights.append([float(weight) for weight in (*ridge.coef_, ridge.intercept_)])
    return weights


def moves(described: Sequence[np.ndarray], weights: Sequence[Sequence[float]], outward: np.ndarray) -> np.ndarray:
    """How far each candidate is to be moved, (N, 3) along z y x in um."""
    found = np.column_stack([own @ np.asarray(row[:-1], float) + row[-1] for own, row in zip(described, weights)])
    z, out, along = found.clip(-FARTHEST_UM, FARTHEST_UM).T
    return np.column_stack(
        [z, out * outward[:, 0] + along * outward[:, 1], out * outward[:, 1] - along * outward[:, 0]]
    )


def moved(
    spines: pd.DataFrame, by_um: np.ndarray, shape: tuple[int, ...], voxel_um: tuple[float, float, float]
) -> pd.DataFrame:
    """Spines moved by (N, 3) z y x, and not out of a stack of this shape."""
    last = (np.array(shape) - 1) * voxel_um
    z, y, x = (spines[POSITION].to_numpy(float) + by_um).clip(0, last).T
    return spines.assign(z_um=z, z_slice=z / voxel_um[0], y_um=y, x_um=x)
