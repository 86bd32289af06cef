"""Rotation of the slices of one stack: what turns in jumps from slice to slice, and not what the specimen does itself.

A dendrite that runs obliquely moves sideways from slice to slice, another one the other way, and the two together look
like a rotation. But what the specimen does goes on smoothly through depth, in each part of the field for itself, while
jitter is one turn of the whole slice and has nothing to do with the next one. So every part of the field has a smooth
path of its own here, and the angles are what these paths leave over.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

# Gaussian widths in pixels of the finest detail of each round, and the width of the window, in them, whose mean is
# taken off; images are thinned to every second pixel
ROUNDS_PX, COARSE, STEP = (4.0, 4.0, 4.0, 3.0, 3.0), 8, 2
# side in pixels of the parts of the field
PART_PX = 64
# standard deviations, in pixels: of the bend and the slope of a part's path in a slice, of which the likeliest pair
# counts, and of the shifts that are found along with the angles
PATHS_PX, SHIFT_PX = ((0.02, 0.02), (0.1, 0.1), (0.1, 1.0), (0.3, 1.0), (1.0, 1.0)), 2.0
# shares of the most angle that the angles' spread is looked for among
SPREADS = np.geomspace(1e-3, 1, 40)
# standard deviations of rotation from which it is no chance, and the slices that are needed to tell
EVIDENT, LEAST_SLICES = 3.0, 6


def place(
    image: np.ndarray, shift_px: np.ndarray, angle_deg: float = 0.0, pixel: tuple[float, float] = (1.0, 1.0)
) -> np.ndarray:
    """Turn an image (Y, X) about its centre, from x toward y, and move it by a shift (y, x) in pixels.

    Linear between pixels, in one step; edges are repeated. `pixel` is the size of a pixel (y, x) in any unit.
    """
    if angle_deg == 0:
        still = np.abs(shift_px).max() < 0.05
        return image if still else ndimage.shift(image, shift_px, order=1, mode="nearest")
    cosine, sine, ratio = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg)), pixel[0] / pixel[1]
    back = np.array([[cosine, -sine / ratio], [sine * ratio, cosine]])
    centre = (np.array(image.shape) - 1) / 2
    return ndimage.affine_transform(image, back, centre - back @ (centre + shift_px), order=1, mode="nearest")


def band(image: np.ndarray, fine_px: float, coarse_px: int) -> np.ndarray:
    """Detail of an image (Y, X) from a Gaussian width up to that of a square window, with bright pixels held down."""
    smooth = ndimage.gaussian_filter(image, fine_px, truncate=3)
    detail = smooth - ndimage.uniform_filter(smooth, coarse_px)
    # very bright pixels would decide alone
    return np.sign(detail) * np.sqrt(np.abs(detail))


def slice_angles(
    stack: np.ndarray,
    shifts_px: np.ndarray,
    pairs: np.ndarray,
    max_angle_deg: float,
    pixel: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Angles by which the slices have to be turned.

    Between two slices each part of the field says by how much it moved (least squares on the gradient, Lucas and Kanade
    1981, with what noise adds to the gradient taken off), and how well it knows that. All that they say is explained by
    a shift and an angle of each slice and by a smooth path of each part, which is integrated out. How much paths bend
    and angles spread is what has the highest likelihood, and where no rotation is `EVIDENT` no slice is turned.
    Then an angle is its mean given what was seen, so one that is badly known is small. Slow twist through the stack
    stays in, as slow drift does.

    What is left, at half the image's width, of slices turned by 0.3 degrees rms: 0.04 px of 0.8 px on texture of
    512 x 512, 0.35 px of 0.9 px on thin simulated dendrites in 256 x 400, 0.44 px of 1.9 px on the real dendrites of a
    field of 320 x 694, where 27 of its 70 slices are alike enough to be turned at all. As these stacks were before, no
    slice was turned.

    Parameters
    ----------
    stack : (Z, Y, X) float32
    shifts_px : (Z, 2) y x that put the slices about in place
    pairs : (P, 2) slices that are alike; a slice in none of them is not turned
    max_angle_deg : largest angle
    pixel : size of a pixel (y, x) in any unit

    Returns
    -------
    (Z,) degrees, from x toward y
    """
    depth, *plane = stack.shape
    known = np.unique(pairs)
    if len(known) < LEAST_SLICES:
        return np.zeros(depth)
    # angles are counted in pixels at half the image's width
    half = max(plane) / 2
    most = np.deg2rad(max_angle_deg) * half
    pose = np.column_stack([shifts_px, np.zeros(depth)])
    for width in ROUNDS_PX:
        placed = zip(stack, pose[:, :2], np.rad2deg(pose[:, 2] / half))
        bands = [
            place(band(image, width, round(COARSE * width)), shift, angle, pixel)[::STEP, ::STEP].copy()
            for image, shift, angle in placed
        ]
        seen, wanted, middles = _moves(bands, pairs, width)
        y, x = ((middles - (np.array(plane) - 1) / 2) / half).T
        # what a shift and an angle move the middle of a part by
        levers = np.zeros((len(middles), 2, 3))
        levers[:, [0, 1], [0, 1]] = 1
        levers[:, 0, 2], levers[:, 1, 2] = x * pixel[1] / pixel[0], -y * pixel[0] / pixel[1]
        # what is to be explained is the pose at hand and what is left over
        moved = (levers @ pose.T).transpose(0, 2, 1).reshape(len(middles), 2 * depth)
        wanted += (seen @ moved[:, :, None])[..., 0]
        poses = [_likely(*_beyond_paths(seen, wanted, levers, *path), most) for path in PATHS_PX]
        pose = max(poses, key=lambda found: found[1])[0]
    angles = np.rad2deg(pose[:, 2] / half)
    return np.where(np.isin(np.arange(depth), known), angles, 0.0)


def _moves(
    bands: list[np.ndarray], pairs: Iterable[tuple[int, int]], width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the N parts of the field say of the moves (y, x) that put each of their Z slices in place.

    Returns
    -------
    precision (N, 2 Z, 2 Z) and precision times move (N, 2 Z) of the parts, and their middles (N, 2) in pixels
    """
    part = [np.arange(length) * STEP // PART_PX for length in bands[0].shape]
    first = [np.flatnonzero(np.diff(own, prepend=-1)) for own in part]
    counts = [np.bincount(own) for own in part]
    area = np.outer(*counts).ravel()
    middles = [STEP * (start + (count - 1) / 2) for start, count in zip(first, counts)]
    depth, number = len(bands), len(area)
    precision, told = np.zeros((number, depth, 2, depth, 2)), np.zeros((number, depth, 2))

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(np.add.reduceat(values, first[0], axis=0), first[1], axis=1).ravel()

    for one, other in pairs:
        gy, gx = np.gradient((bands[one] + bands[other]) / 2, STEP)
        change = bands[other] - bands[one]
        yy, yx, xx, square = total(gy * gy), total(gy * gx), total(gx * gx), total(change * change)
        slope = np.stack([total(gy * change), total(gx * change)], axis=-1)
        normal = np.stack([yy, yx, yx, xx], axis=-1).reshape(-1, 2, 2)
        trace = yy + xx
        move = np.linalg.solve(normal + (1e-3 * trace[:, None, None] + 1e-12) * np.eye(2), slope[..., None])[..., 0]
        left = np.maximum(square - (slope * move).sum(axis=1), 1e-3 * square) + 1e-9
        # of the gradient of the mean of two images a share is noise, which makes a move look small
        share = 1 - np.minimum(left / (4 * width**2) / np.maximum(trace, 1e-12), 0.8)
        move /= share[:, None]
        # pixels that are smoothed together count once, and a move beyond the reach of a gradient says little
        weight = share * area / left * STEP**2 / (4 * np.pi * width**2)
        weight /= 1 + (np.hypot(*move.T) / (2 * width)) ** 2
        normal *= weight[:, None, None]
        slope *= (weight / share)[:, None]
        for a, b in ((one, other), (other, one)):
            precision[:, a, :, a] += normal
            precision[:, a, :, b] -= normal
        told[:, one] -= slope
        told[:, other] += slope
    shape = (number, 2 * depth, 2 * depth)
    grid = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, 2)
    return precision.reshape(shape), told.reshape(shape[:2]), grid


def _beyond_paths(
    seen: np.ndarray, wanted: np.ndarray, levers: np.ndarray, bend_px: float, slope_px: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """What all parts say of the slices' shifts and angles, with the parts' own paths unknown.

    A path is Gaussian, an integrated random walk about a slope.

    Returns
    -------
    precision (3 Z, 3 Z), precision times mean (3 Z,), and the logarithm of the likelihood without shift or angle
    """
    depth = wanted.shape[1] // 2
    bend, slope = (np.diff(np.eye(depth), n=order, axis=0) for order in (2, 1))
    stiff = bend.T @ bend / bend_px**2 + slope.T @ slope / slope_px**2 + 1e-8 * np.eye(depth)
    both = np.kron(stiff, np.eye(2))
    likelihood = len(seen) / 2 * np.linalg.slogdet(both)[1]
    precision, told = np.zeros((depth, 3, depth, 3)), np.zeros((depth, 3))
    for own, own_wanted, lever in zip(seen, wanted, levers):
        solved = np.linalg.solve(own + both, np.column_stack([own, own_wanted]))
        kept = (stiff @ solved.reshape(depth, -1)).reshape(depth, 2, -1)
        left = kept[..., :-1].reshape(depth, 2, depth, 2)
        precision += np.einsum("aicj,ip,jq->apcq", left, lever, lever, optimize=True)
        told += kept[..., -1] @ lever
        likelihood += (own_wanted @ solved[:, -1] - np.linalg.slogdet(own + both)[1]) / 2
    precision = precision.reshape(3 * depth, 3 * depth)
    return (precision + precision.T) / 2, told.ravel(), likelihood


def _likely(precision: np.ndarray, told: np.ndarray, likelihood: float, most: float) -> tuple[np.ndarray, float]:
    """Shifts and angles (Z, 3) given what the parts say of them, angles up to `most`, and the log likelihood."""
    depth = len(told) // 3
    turns = np.tile([False, False, True], depth)
    shifts = precision[np.ix_(~turns, ~turns)] + np.eye(2 * depth) / SHIFT_PX**2
    across = precision[np.ix_(turns, ~turns)]
    through = np.linalg.solve(shifts, np.column_stack([across.T, told[~turns]]))
    sizes, modes = np.linalg.eigh(precision[np.ix_(turns, turns)] - across @ through[:, :-1])
    sizes, parts = np.maximum(sizes, 0), modes.T @ (told[turns] - across @ through[:, -1])
    likelihood += told[~turns] @ through[:, -1] / 2 - np.linalg.slogdet(shifts)[1] / 2
    variances = (SPREADS * most) ** 2
    gains = [
        0.5 * (variance * parts**2 / (1 + variance * sizes) - np.log1p(variance * sizes)).sum()
        for variance in variances
    ]
    best = int(np.argmax(gains))
    angles = np.zeros(depth)
    if gains[best] > EVIDENT**2 / 2:
        angles = modes @ (parts * variances[best] / (1 + variances[best] * sizes))
        angles = np.clip(angles - np.median(angles), -most, most)
        likelihood += gains[best]
    moved = through[:, -1] - through[:, :-1] @ angles
    return np.column_stack([moved.reshape(depth, 2), angles]), float(likelihood)
