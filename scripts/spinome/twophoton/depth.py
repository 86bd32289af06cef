"""How deep a head lies, from how its light and that of its surroundings changes from slice to slice.

The slice in which a head stands out most is uncertain by more than a slice: a dim head drowns in noise, and the blur of
its shaft comes in from above or below. Several centres of light, each with its own reach, and the depth of the shaft
say more together. Their weights are least squares on heads that a person placed: a few numbers that come with the
judge.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from spinome.twophoton.depth_track import HEAD_BAND_UM

# light is weighed so far above and below (um), squared, above what a fifth of the slices have
REACH_UM, FLOOR_PERCENT = 6.0, 20
# reaches (um) of the centres of what stands out from its surroundings, and of all light
BAND_UM, LIGHT_UM = (3.0, 2.0), (3.0, 2.0, 1.2, 5.0)
ESTIMATES = [
    *(f"band_{reach}" for reach in BAND_UM),
    *(f"light_{reach}" for reach in LIGHT_UM),
    *("boxes", "shaft"),
]
# a head is learned from within this of a candidate, in the plane and along z; a miss by more than a few um is a mistake
LEARNED_UM, LEARNED_Z_UM, CLIPPED_UM = 1.0, 5.0, 4.0
# weight of the ridge, against sums of squares in um^2
RIDGE = 3.0


def depth_estimates(
    stack: np.ndarray, voxel_um: tuple[float, float, float], spines: pd.DataFrame, above_shaft_um: np.ndarray
) -> np.ndarray:
    """How far each estimate of a head's depth lies from its `z_slice`, (N, `ESTIMATES`) in um.

    Parameters
    ----------
    stack : (Z, Y, X), registered, any unit
    voxel_um : voxel size (z, y, x)
    spines : frame `z_slice y_um x_um first_slice last_slice`
    above_shaft_um : (N,) height of each over its shaft, 0 where there is none
    """
    if spines.empty:
        return np.zeros((0, len(ESTIMATES)))
    rows, columns = (
        np.clip((spines[f"{axis}_um"] / size).round().astype(int), 0, length - 1)
        for axis, size, length in zip("yx", voxel_um[1:], stack.shape[1:])
    )
    fine, coarse = ([width / size for size in voxel_um[1:]] for width in HEAD_BAND_UM)
    band, light = np.empty((2, len(spines), len(stack)))
    ground = float(np.median(stack))
    for z, image in enumerate(stack):
        image = image.astype(np.float32)
        light[:, z] = ndimage.gaussian_filter(image, fine)[rows, columns]
        image = np.sqrt(np.maximum(image - ground, 0))
        band[:, z] = (ndimage.gaussian_filter(image, fine) - ndimage.gaussian_filter(image, coarse))[rows, columns]
    start = spines["z_slice"].to_numpy(float)
    steps = np.arange(-int(np.ceil(REACH_UM / voxel_um[0])), int(np.ceil(REACH_UM / voxel_um[0])) + 1)
    slices = np.rint(start).astype(int)[:, None] + steps
    away = (slices - start[:, None]) * voxel_um[0]
    slices = slices.clip(0, len(stack) - 1)

    def centre(profile: np.ndarray, reach: float) -> np.ndarray:
        own = np.take_along_axis(profile, slices, axis=1)
        own = np.maximum(own - np.percentile(own, FLOOR_PERCENT, axis=1, keepdims=True), 0)
        own = (own * np.exp(-0.5 * (steps * voxel_um[0] / reach) ** 2)) ** 2
        return (own * away).sum(axis=1) / np.maximum(own.sum(axis=1), 1e-12)

    boxes = ((spines["first_slice"] + spines["last_slice"]) / 2).to_numpy(float) - start
    centres = [centre(band, reach) for reach in BAND_UM] + [centre(light, reach) for reach in LIGHT_UM]
    return np.column_stack([*centres, boxes * voxel_um[0], -above_shaft_um])


def true_heads(spines: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """Row of `truth` whose head each candidate (N,) has; -1 where it has none.

    The best candidate near a head takes it, generously along z: it is z that is to be learned.
    """
    place, heads = (frame[["z_um", "y_um", "x_um"]].to_numpy(float) for frame in (spines, truth))
    out, free = np.full(len(place), -1), np.ones(len(heads), bool)
    for row in np.argsort(-spines["score"].to_numpy(), kind="stable"):
        apart = np.linalg.norm(heads[:, 1:] - place[row, 1:], axis=1)
        near = np.flatnonzero(free & (apart <= LEARNED_UM) & (np.abs(heads[:, 0] - place[row, 0]) <= LEARNED_Z_UM))
        if len(near):
            out[row] = near[np.argmin(apart[near])]
            free[out[row]] = False
    return out


def true_offsets(spines: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """How far above its candidate the head of each true spine lies (`true_heads`), (N,) um; not a number where there is
    none."""
    head = true_heads(spines, truth)
    out = np.full(len(head), np.nan)
    out[head >= 0] = truth["z_um"].to_numpy(float)[head[head >= 0]] - spines["z_um"].to_numpy(float)[head >= 0]
    return out


def learn_depth(estimates: np.ndarray, offsets_um: np.ndarray) -> list[float]:
    """Weights of the estimates, the constant last, by ridge regression.

    Parameters
    ----------
    estimates : (N, `ESTIMATES`)
    offsets_um : (N,) what they should have said; rows that are no number are left out
    """
    known = np.isfinite(offsets_um)
    x, y = estimates[known], offsets_um[known].clip(-CLIPPED_UM, CLIPPED_UM)
    if not len(y):
        return [0.0] * (len(ESTIMATES) + 1)
    centred = x - x.mean(axis=0)
    weights = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(x.shape[1]), centred.T @ (y - y.mean()))
    return [float(weight) for weight in (*weights, y.mean() - x.mean(axis=0) @ weights)]


def at_depth(
    spines: pd.DataFrame, estimates: np.ndarray, weights: list[float], slices: int, slice_um: float
) -> pd.DataFrame:
    """Spines at the depth that their estimates and the weights of `learn_depth` give, inside of the stack."""
    moved = spines["z_um"] + estimates @ np.asarray(weights[:-1], float) + weights[-1]
    z_um = moved.clip(0, (slices - 1) * slice_um)
    return spines.assign(z_um=z_um, z_slice=z_um / slice_um)
