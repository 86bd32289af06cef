"""Membrane probability of every voxel, from multi-scale features and two forests, block by block without a seam.

The features of a voxel are grey value and, at each scale, the smoothed grey value, its gradient and the sorted
eigenvalues of its Hessian (a membrane is a dark sheet: one large positive eigenvalue). A second forest sees the same
of what the first one found, beside the smoothed grey values (auto-context, Tu and Bai 2010): it closes gaps and drops
what is no sheet. Scales are in nm, so that models hold for other voxel sizes within reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numba import njit
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier

from spinome.cuboids import Box, Cuboid
from spinome.flat_forest import FlatForest, flatten_forest, forest_probability
from spinome.io.units import VoxelSize
from spinome.io.volumes import Volume

SCALES_NM = (15.0, 30.0, 60.0)
TRUNCATE = 3.0
SHEET = ["smooth", "gradient", "curvature_1", "curvature_2", "curvature_3"]
GREY_FEATURES = ["grey", *[f"{name}_{scale:g}nm" for scale in SCALES_NM for name in SHEET]]
CONTEXT_FEATURES = [
    *[f"membrane_{name}" for name in GREY_FEATURES],
    "grey",
    *[f"smooth_{scale:g}nm" for scale in SCALES_NM],
]
FEATURES = [*GREY_FEATURES, *CONTEXT_FEATURES]
WIDTH = len(GREY_FEATURES)
# trees of the first forest and of the second; every voxel of a volume goes through them
TREES = (5, 10)
LEVELS = 255


def halo(voxel_nm: VoxelSize) -> tuple[int, int, int]:
    """Voxels (z, y, x) around a block that its probabilities depend on."""
    return tuple(2 * voxels for voxels in _reach(voxel_nm))


def grey_range(image: np.ndarray, most: int = 2_000_000) -> tuple[float, float]:
    """Grey values (1st and 99th percentile) that a volume is scaled by, from a regular sample of its voxels."""
    step = max(1, math.ceil((math.prod(image.shape) / most) ** (1 / 3)))
    low, high = np.percentile(image[::step, ::step, ::step], [1, 99])
    return float(low), float(max(high, low + 1e-6))


def smooth(image: np.ndarray, grey: tuple[float, float], voxel_nm: VoxelSize) -> np.ndarray:
    """The scaled grey values and their Gaussian smoothing at each scale, (1 + S, Z, Y, X) float32."""
    scaled = ((image.astype(np.float32) - np.float32(grey[0])) / np.float32(grey[1] - grey[0])).clip(-0.5, 1.5)
    stack = np.empty((1 + len(SCALES_NM), *image.shape), dtype=np.float32)
    stack[0] = scaled
    for number, scale in enumerate(SCALES_NM, start=1):
        sigma = [scale / size for size in voxel_nm]
        ndimage.gaussian_filter(scaled, sigma, output=stack[number], mode="nearest", truncate=TRUNCATE)
    return stack


def predict_membranes(
    image: np.ndarray, inner: Box, grey: tuple[float, float], voxel_nm: VoxelSize, forests: Sequence[FlatForest]
) -> np.ndarray:
    """Membrane probability (Z, Y, X) uint8 in 255ths of a block.

    Parameters
    ----------
    image : (Z, Y, X) grey values of the block with its halo
    inner : place of the block in `image`
    grey : `grey_range` of the whole volume
    voxel_nm : size of a voxel (z, y, x)
    forests : the first, trained on GREY_FEATURES, and the second, trained on CONTEXT_FEATURES
    """
    first, second = forests
    greys = smooth(image, grey, voxel_nm)
    context, near = _context(greys, inner, voxel_nm, first)
    low, high = (np.array([getattr(axis, end) for axis in inner]) for end in ("start", "stop"))
    start = np.array([axis.start for axis in near])
    greys = greys[(slice(None), *near)]
    return _predict(context, greys, np.asarray(voxel_nm, dtype=np.float64), second, low - start, high - start)


def membrane_truth(truth: np.ndarray) -> np.ndarray:
    """Where membranes are in a dense truth (Z, Y, X): at label 0 and on either side of a face between labels."""
    membrane = truth == 0
    for axis in range(3):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        change = truth[tuple(low)] != truth[tuple(high)]
        membrane[tuple(low)] |= change
        membrane[tuple(high)] |= change
    return membrane


def training_voxels(
    image: Volume,
    truth: Volume,
    voxel_nm: VoxelSize,
    blocks: Sequence[Cuboid],
    most: int,
    seed: int,
    first: FlatForest | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of voxels drawn at random from some blocks of a volume, half of them membrane.

    Parameters
    ----------
    image, truth : (Z, Y, X) grey values and dense truth, anything that is sliced as an array
    voxel_nm : size of a voxel (z, y, x)
    blocks : cuboids to draw from, with the `halo`
    most : voxels to draw in all
    first : the first forest, to train the second one on the same voxels

    Returns
    -------
    features (M, GREY_FEATURES or, after `first`, CONTEXT_FEATURES) float32 and labels (M,) bool
    """
    rng = np.random.default_rng(seed)
    grey = grey_range(image)
    size = np.asarray(voxel_nm, dtype=np.float64)
    parts = []
    for block in blocks:
        membrane = membrane_truth(truth[block.padded])[block.inner]
        share = most // (2 * len(blocks))
        chosen = []
        for kind in (True, False):
            places = np.flatnonzero(membrane.ravel() == kind)
            chosen.append(rng.choice(places, min(share, len(places)), replace=False))
        chosen = np.sort(np.concatenate(chosen))
        points = np.stack(np.unravel_index(chosen, membrane.shape), axis=1) + [axis.start for axis in block.inner]
        greys = smooth(image[block.padded], grey, voxel_nm)
        if first is None:
            features = _features_at(greys, greys[:0], size, points)
        else:
            context, near = _context(greys, block.inner, voxel_nm, first)
            features = _features_at(context, greys[(slice(None), *near)], size, points - [axis.start for axis in near])
        parts.append((features, membrane.ravel()[chosen]))
    features, labels = zip(*parts)
    return np.concatenate(features), np.concatenate(labels)


def train_membranes(
    draw: Callable[[FlatForest | None], tuple[np.ndarray, np.ndarray]], seed: int
) -> list[RandomForestClassifier]:
    """Train both forests; small and shallow, since every voxel of a volume goes through them.

    Parameters
    ----------
    draw : features and labels (`training_voxels`) for the first forest, called with None, and for the second, called
        with the first

    Raises
    ------
    ValueError: if there is no membrane in the truth, or nothing else.
    """
    forests: list[RandomForestClassifier] = []
    for trees in TREES:
        features, labels = draw(flatten_forest(forests[0]) if forests else None)
        if len(np.unique(labels)) < 2:
            raise ValueError("the truth has no membrane, or nothing but membrane; train on a dense segmentation")
        forest = RandomForestClassifier(
            trees, max_depth=10, min_samples_leaf=20, max_features=6, random_state=seed, n_jobs=1
        )
        forests.append(forest.fit(features, labels))
    return forests


def _reach(voxel_nm: VoxelSize) -> tuple[int, int, int]:
    """Voxels (z, y, x) around a voxel that its features depend on."""
    return tuple(math.ceil(TRUNCATE * max(SCALES_NM) / size) + 2 for size in voxel_nm)


def _context(greys: np.ndarray, inner: Box, voxel_nm: VoxelSize, first: FlatForest) -> tuple[np.ndarray, Box]:
    """What the first forest finds in a block and within reach of it, smoothed at each scale; and where that is."""
    near = tuple(
        slice(max(axis.start - reach, 0), min(axis.stop + reach, length))
        for axis, reach, length in zip(inner, _reach(voxel_nm), greys.shape[1:])
    )
    low, high = (np.array([getattr(axis, end) for axis in near]) for end in ("start", "stop"))
    found = _predict(greys, greys[:0], np.asarray(voxel_nm, dtype=np.float64), first, low, high)
    return smooth(found, (0.0, float(LEVELS)), voxel_nm), near


@njit(cache=True)
def _eigenvalues(xx, yy, zz, xy, xz, yz):
    """Eigenvalues of a symmetric 3 x 3 matrix, largest first, in closed form (Smith 1961)."""
    off = xy * xy + xz * xz + yz * yz
    mean = (xx + yy + zz) / 3
    spread = (xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2 * off
    if spread < 1e-20:
        return mean, mean, mean
    scale = math.sqrt(spread / 6)
    a, b, c = (xx - mean) / scale, (yy - mean) / scale, (zz - mean) / scale
    d, e, f = xy / scale, xz / scale, yz / scale
    half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2
    angle = math.acos(min(max(half, -1.0), 1.0)) / 3
    largest = mean + 2 * scale * math.cos(angle)
    smallest = mean + 2 * scale * math.cos(angle + 2 * math.pi / 3)
    return largest, 3 * mean - largest - smallest, smallest


@njit(cache=True)
def _voxel_features(stack, voxel_nm, z, y, x, out):
    depth, height, width = stack.shape[1:]
    out[0] = stack[0, z, y, x]
    z0, z1 = max(z - 1, 0), min(z + 1, depth - 1)
    y0, y1 = max(y - 1, 0), min(y + 1, height - 1)
    x0, x1 = max(x - 1, 0), min(x + 1, width - 1)
    for number in range(1, stack.shape[0]):
        s = stack[number]
        # derivatives times the scale, so that every scale speaks of grey values
        dz, dy, dx = SCALES_NM[number - 1] / voxel_nm
        here = s[z, y, x]
        gz = (s[z1, y, x] - s[z0, y, x]) * dz / 2
        gy = (s[z, y1, x] - s[z, y0, x]) * dy / 2
        gx = (s[z, y, x1] - s[z, y, x0]) * dx / 2
        hzz = (s[z1, y, x] + s[z0, y, x] - 2 * here) * dz * dz
        hyy = (s[z, y1, x] + s[z, y0, x] - 2 * here) * dy * dy
        hxx = (s[z, y, x1] + s[z, y, x0] - 2 * here) * dx * dx
        hzy = (s[z1, y1, x] - s[z1, y0, x] - s[z0, y1, x] + s[z0, y0, x]) * dz * dy / 4
        hzx = (s[z1, y, x1] - s[z1, y, x0] - s[z0, y, x1] + s[z0, y, x0]) * dz * dx / 4
        hyx = (s[z, y1, x1] - s[z, y1, x0] - s[z, y0, x1] + s[z, y0, x0]) * dy * dx / 4
        first, second, third = _eigenvalues(hxx, hyy, hzz, hyx, hzx, hzy)
        place = 5 * number - 4
        out[place] = here
        out[place + 1] = math.sqrt(gz * gz + gy * gy + gx * gx)
        out[place + 2] = first
        out[place + 3] = second
        out[place + 4] = third


@njit(cache=True)
def _features_at(stack, more, voxel_nm, points):
    """Features of `stack` at some voxels, and the values of `more` (K, Z, Y, X) there."""
    out = np.empty((len(points), WIDTH + len(more)), dtype=np.float32)
    for row in range(len(points)):
        _all_features(stack, more, voxel_nm, points[row, 0], points[row, 1], points[row, 2], out[row])
    return out


@njit(cache=True)
def _all_features(stack, more, voxel_nm, z, y, x, out):
    _voxel_features(stack, voxel_nm, z, y, x, out)
    for number in range(len(more)):
        out[WIDTH + number] = more[number, z, y, x]


@njit(cache=True)
def _predict(stack, more, voxel_nm, forest, low, high):
    """Probabilities in 255ths between two corners."""
    depth, height, width = high - low
    out = np.empty((depth, height, width), dtype=np.uint8)
    features = np.empty(WIDTH + len(more), dtype=np.float32)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                _all_features(stack, more, voxel_nm, z + low[0], y + low[1], x + low[2], features)
                out[z, y, x] = np.uint8(forest_probability(forest, features) * LEVELS + 0.5)
    return out
