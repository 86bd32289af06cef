"""Random volumes, and ways to cut them, for whatever must not depend on how a volume is cut.

A volume that is kind to the code under test hides its faults, so each draw goes from nearly empty to full, from single
voxels to objects as long as the volume, and down to one voxel along any axis. Every draw takes a `random.Random`: a
benchmark knows a case by its seed, and hypothesis, which hands out such generators (`st.randoms()`), finds the
smallest case that fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from random import Random

import numpy as np
from scipy import ndimage

Shape = tuple[int, int, int]
STEPS = np.array([step for step in product((-1, 0, 1), repeat=3) if any(step)])
FACES = STEPS[np.abs(STEPS).sum(axis=1) == 1]
MOST_OBJECTS = 80


def draw_shape(random: Random, most: int = 5000, longest: int = 32) -> Shape:
    """Shape of a volume of at most `most` voxels: blocks, slabs, walls, columns, rows, down to a single voxel."""
    thin = random.choice([0.0, 0.0, 0.3])
    shape = [random.choice([1, 2]) if random.random() < thin else random.randint(3, longest) for _ in range(3)]
    while math.prod(shape) > most:
        axis = shape.index(max(shape))
        shape[axis] = shape[axis] * 4 // 5
    return tuple(shape)


def draw_cut(random: Random, shape: Shape, most: int = 30) -> Shape:
    """Size of the cuboids, at most about `most`, that cut a volume.

    Along each axis they are of one voxel, some part of the volume or all of it, and the volume is a multiple of them by
    chance alone. As often they are as deep as the volume and cut it a few times along the other axes, as is the rule
    where sections are thick.
    """
    if random.random() < 0.5:
        size = [random.choice([1, random.randint(1, length), -(-length // 2), length + 2]) for length in shape]
    else:
        size = [shape[0], *(-(-length // random.randint(2, 5)) for length in shape[1:])]
    while True:
        pieces = [-(-length // step) for length, step in zip(shape, size)]
        if math.prod(pieces) <= most:
            return tuple(size)
        # a random one of the axes that are cut, so that any of them may keep its single voxels
        axis = random.choice([axis for axis in range(3) if pieces[axis] > 1])
        size[axis] *= 2


def draw_objects(random: Random, shape: Shape) -> np.ndarray:
    """Objects of one kind or of many: (Z, Y, X) int64, 0 for background and the number of the object elsewhere.

    They are points, patches of a single section, blobs, sheets of one voxel in any direction, or processes of one voxel
    that wander through the volume. Half of the volumes are like tissue, with up to 20 small objects far from one
    another; others have up to 80 that may be as large as the volume, and in some each voxel has an object or none, from
    one voxel in a thousand to all.
    """
    kind = random.choice([*PAINTERS, "mixed", "mixed", "noise"])
    rng = np.random.default_rng(random.getrandbits(32))
    if kind == "noise":
        filled = rng.random(shape) < 10 ** random.uniform(-3, 0.05)
        return filled * rng.integers(1, random.choice([2, 4, 100]), shape)
    if random.random() < 0.5:
        count, largest = random.randint(0, 20), random.uniform(0.5, 4)
    else:
        count, largest = int(MOST_OBJECTS ** random.random()), max(shape) ** random.random() / 2
    objects = np.zeros(shape, np.int64)
    for number in range(1, count + 1):
        paint = PAINTERS[kind] if kind in PAINTERS else rng.choice(list(PAINTERS.values()))
        objects[paint(rng, shape, largest)] = number
    return objects


def draw_labels(random: Random, shape: Shape) -> np.ndarray:
    """Given labels (Z, Y, X): objects of `draw_objects` that share one value or few, or have each its own.

    They are of any type of voxel; 64-bit ones go up to 2**64 - 1, and differ in their last digits alone.
    """
    objects = draw_objects(random, shape)
    naming = random.choice(["one", "few", "own", "large"])
    if naming == "one":
        return (objects > 0).astype(random.choice([bool, np.uint8, np.int32]))
    if naming == "few":
        return np.where(objects > 0, objects % 3 + 1, 0).astype(random.choice([np.uint8, np.int16, np.uint32]))
    if naming == "own":
        return objects.astype(random.choice([np.uint8, np.uint16, np.int64]))
    last = random.choice([2**53 + 200, 2**63 + 50, 2**64 - 1])
    return np.where(objects > 0, np.uint64(last) - objects.astype(np.uint64), np.uint64(0))


def draw_probability(random: Random, shape: Shape) -> tuple[np.ndarray, float]:
    """Probabilities (Z, Y, X) float32 that reach a threshold in the objects of `draw_objects` alone, and the threshold.

    They are anything on either side of it, or the same everywhere on a side, as after a mask or a certain classifier.
    """
    objects = draw_objects(random, shape) > 0
    threshold = random.choice([0.1, 0.5, 0.9])
    rng = np.random.default_rng(random.getrandbits(32))
    within, without = np.float32(threshold), np.nextafter(np.float32(threshold), np.float32(0))
    chance = rng.random(shape, np.float32) * random.choice([0, 1])
    return np.where(objects, within + (1 - within) * chance, without * chance).astype(np.float32), threshold


def draw_mask(random: Random, shape: Shape) -> np.ndarray | None:
    """Usable voxels (Z, Y, X) bool: all, none, all but the objects of `draw_objects`, or these alone; None is all."""
    kind = random.choice(["whole", "whole", "holes", "islands", "none"])
    if kind == "whole":
        return None
    if kind == "none":
        return np.zeros(shape, bool)
    return (draw_objects(random, shape) > 0) == (kind == "islands")


def draw_membrane(random: Random, shape: Shape) -> np.ndarray:
    """Membrane probabilities (Z, Y, X) float32.

    Smooth noise in any digits or in few steps, so that much of it is equal; noise of voxels; the objects of
    `draw_objects`, thin sheets and single voxels among them, as membranes in clear tissue or as tissue in membranes;
    one value everywhere.
    """
    kind = random.choice(["smooth", "steps", "noise", "objects", "holes", "even"])
    rng = np.random.default_rng(random.getrandbits(32))
    if kind == "even":
        return np.full(shape, random.choice([0.0, 0.3, 0.5, 1.0]), np.float32)
    if kind in ("objects", "holes"):
        return ((draw_objects(random, shape) > 0) == (kind == "objects")).astype(np.float32)
    noise = rng.random(shape)
    if kind != "noise":
        noise = ndimage.gaussian_filter(noise, [random.choice([0.5, 1, 3]) for _ in range(3)])
    noise = (noise - noise.min()) / max(np.ptp(noise), 1e-9)
    digits = random.choice([2, 5, 20]) if kind == "steps" else 2**24
    return (np.round(digits * noise) / digits).astype(np.float32)


def _point(rng: np.random.Generator, shape: Shape, radius: float) -> tuple[np.ndarray, ...]:
    return tuple(rng.integers(0, shape))


def _patch(rng: np.random.Generator, shape: Shape, radius: float) -> np.ndarray:
    """An ellipse in one section."""
    return _within(rng, shape, np.append(0.1, radius * rng.uniform(0.5, 1, 2)))


def _blob(rng: np.random.Generator, shape: Shape, radius: float) -> np.ndarray:
    """An ellipsoid."""
    return _within(rng, shape, radius * rng.uniform(0.5, 1, 3))


def _within(rng: np.random.Generator, shape: Shape, radii: np.ndarray) -> np.ndarray:
    away = _offsets(rng.integers(0, shape), shape)
    return sum((along / length) ** 2 for along, length in zip(away, radii)) <= 1


def _sheet(rng: np.random.Generator, shape: Shape, radius: float) -> np.ndarray:
    """A disc of one voxel, along the axes or oblique, whose voxels share faces, edges or corners alone."""
    normal = rng.permutation([0, 0, 1]) if rng.random() < 0.4 else rng.normal(size=3)
    away = _offsets(rng.integers(0, shape), shape)
    along = sum(part * weight for part, weight in zip(away, normal))
    thin = np.abs(along) <= rng.choice([np.abs(normal).max(), np.abs(normal).sum()]) / 2
    return thin & (sum(part**2 for part in away) <= (2 * radius) ** 2)


def _process(rng: np.random.Generator, shape: Shape, radius: float) -> tuple[np.ndarray, ...]:
    """A way of one voxel, straight or winding, over faces alone or over edges and corners, until it leaves."""
    steps = FACES if rng.random() < 0.5 else STEPS
    count = 1 + int(4 * radius)
    turns = rng.random(count) < rng.choice([0.0, 0.2, 0.8])
    turns[0] = True
    chosen = steps[rng.integers(0, len(steps), count)][np.maximum.accumulate(np.arange(count) * turns)]
    way = rng.integers(0, shape) + np.concatenate([np.zeros((1, 3), int), np.cumsum(chosen, axis=0)])
    left = ((way < 0) | (way >= shape)).any(axis=1)
    return tuple(way[: left.argmax() if left.any() else None].T)


def _offsets(centre: np.ndarray, shape: Shape) -> list[np.ndarray]:
    """How far each voxel lies from a centre along each axis."""
    return np.ogrid[tuple(slice(-place, length - place) for place, length in zip(centre, shape))]


PAINTERS: dict[str, Callable[[np.random.Generator, Shape, float], np.ndarray | tuple[np.ndarray, ...]]] = {
    "points": _point,
    "patches": _patch,
    "blobs": _blob,
    "sheets": _sheet,
    "processes": _process,
}
