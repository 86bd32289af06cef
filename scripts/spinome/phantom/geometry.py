"""The implicit surface that mesh, EM and light microscopy are all rendered from.

A neurite is a chain of tapered capsules (tubes). Hard unions along a chain and polynomial smooth unions between
shaft, neck, head and soma (Quilez 2013, https://iquilezles.org/articles/smin) give one signed distance, negative
inside; value noise in space makes the surface irregular. Positions are (z, y, x) in nm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numba
import numpy as np

SHAFT, NECK, HEAD, SOMA = range(4)
FAR = np.float32(1e6)

# widths of the smooth unions, nm
HEAD_TO_NECK, SPINE_TO_SHAFT, SHAFT_TO_SOMA = 50.0, 90.0, 700.0
# irregularity of the surface: amplitude and length, nm; necks are too thin for the whole of it
ROUGHNESS, ROUGHNESS_LENGTH = 38.0, 330.0
NECK_ROUGHNESS = 0.18
SOMA_ROUGHNESS = 2.0


@dataclass(frozen=True)
class Tubes:
    """Tapered capsules: `start`, `end` (N, 3) z y x in nm, radii (N,) in nm, and what each is a part of.

    `part` (N,) int8 is SHAFT, NECK, HEAD or SOMA; `owner` (N,) int32 the dendrite or axon; `spine` (N,) int32
    the spine, -1 where none; `along` (N,) float64 the way from the spine's base to the tube's middle in nm.
    """

    start: np.ndarray
    end: np.ndarray
    start_radius: np.ndarray
    end_radius: np.ndarray
    part: np.ndarray
    owner: np.ndarray
    spine: np.ndarray
    along: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, chosen: np.ndarray) -> Tubes:
        return Tubes(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def touching(self, low: np.ndarray, high: np.ndarray, margin: float) -> Tubes:
        """The tubes that come within `margin` nm of a box."""
        reach = np.maximum(self.start_radius, self.end_radius)[:, None] + margin
        near = (np.minimum(self.start, self.end) - reach <= high) & (np.maximum(self.start, self.end) + reach >= low)
        return self[near.all(axis=1)]


@dataclass(frozen=True)
class Surface:
    """Signed distance in nm (float32, negative inside) and the index of the tube that is responsible (-1: none)."""

    distance: np.ndarray
    tube: np.ndarray


def chain(
    points: np.ndarray,
    radii: np.ndarray,
    part: int,
    owner: int,
    spine: int = -1,
) -> Tubes:
    """Tubes along a polyline (N, 3) with radii (N,); a single point gives a sphere."""
    points, radii = np.asarray(points, float), np.asarray(radii, float)
    if len(points) == 1:
        points, radii = np.repeat(points, 2, axis=0), np.repeat(radii, 2)
    count = len(points) - 1
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return Tubes(
        points[:-1],
        points[1:],
        radii[:-1],
        radii[1:],
        np.full(count, part, np.int8),
        np.full(count, owner, np.int32),
        np.full(count, spine, np.int32),
        np.cumsum(steps) - steps / 2,
    )


def no_tubes() -> Tubes:
    """A set without tubes."""
    return chain(np.zeros((1, 3)), np.zeros(1), SHAFT, 0)[np.zeros(1, bool)]


def join(parts: Iterable[Tubes]) -> Tubes:
    """All tubes of several sets, in order."""
    parts = [no_tubes(), *parts]
    return Tubes(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Tubes)))


def surface(
    tubes: Tubes,
    origin: np.ndarray,
    spacing: np.ndarray,
    shape: tuple[int, int, int],
    seed: int,
    margin: float = 250.0,
) -> Surface:
    """Signed distance on a grid.

    Parameters
    ----------
    tubes : shafts, necks, heads and somata
    origin, spacing : centre of the first voxel and size of a voxel, z y x in nm
    shape : voxels
    seed : seed of the surface's irregularity; the same seed gives the same surface on any grid
    margin : how far from a tube the distance is known, nm; beyond it is FAR

    Returns
    -------
    Surface of arrays of `shape`; `tube` counts in `tubes`
    """
    origin, spacing = np.asarray(origin, float), np.asarray(spacing, float)
    distance = np.full((4, *shape), FAR, np.float32)
    nearest = np.full((4, *shape), -1, np.int32)
    _paint(distance, nearest, *_arrays(tubes), origin, spacing, margin)
    united, tube = np.empty(shape, np.float32), np.empty(shape, np.int32)
    _unite(distance, nearest, origin, spacing, seed, united, tube)
    return Surface(united, tube)


def surface_at(tubes: Tubes, points: np.ndarray, seed: int) -> Surface:
    """Signed distance at points (P, 3), z y x in nm; see `surface`."""
    points = np.ascontiguousarray(points, float)
    distance, tube = np.empty(len(points), np.float32), np.empty(len(points), np.int32)
    _unite_at(points, *_arrays(tubes), seed, distance, tube)
    return Surface(distance, tube)


def onto_surface(tubes: Tubes, points: np.ndarray, seed: int, steps: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Move points onto the surface along its gradient; returns them and their outward normals, both (P, 3)."""
    points = np.array(points, float)
    for _ in range(steps):
        normals = _normals(tubes, points, seed)
        points -= normals * surface_at(tubes, points, seed).distance[:, None]
    return points, _normals(tubes, points, seed)


def nearest_owner(
    tubes: Tubes,
    origin: np.ndarray,
    spacing: np.ndarray,
    shape: tuple[int, int, int],
    margin: float,
    warp: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest tube (float32 nm, FAR beyond `margin`) and its owner (int32, 0 where none) on a grid.

    `warp` (3, *shape) in nm displaces each voxel before it is asked, which makes straight borders wavy.
    """
    distance, owner = np.full(shape, FAR, np.float32), np.zeros(shape, np.int32)
    warp = np.zeros((3, *shape), np.float32) if warp is None else warp
    start, end, start_radius, end_radius, _ = _arrays(tubes)
    grid = np.asarray(origin, float), np.asarray(spacing, float)
    _paint_owner(distance, owner, start, end, start_radius, end_radius, tubes.owner, *grid, margin, warp)
    return distance, owner


def noise(
    origin: np.ndarray, spacing: np.ndarray, shape: tuple[int, int, int], length: np.ndarray, seed: int
) -> np.ndarray:
    """Smooth value noise (float32, about -1 to 1) of a length z y x in nm on a grid; the same on any grid."""
    values = np.empty(shape, np.float32)
    scale = 1.0 / np.broadcast_to(np.asarray(length, float), 3)
    _noise_grid(values, np.asarray(origin, float) * scale, np.asarray(spacing, float) * scale, seed)
    return values


def _normals(tubes: Tubes, points: np.ndarray, seed: int, step: float = 8.0) -> np.ndarray:
    gradient = np.empty((len(points), 3))
    for axis in range(3):
        offset = np.eye(3)[axis] * step
        ahead = surface_at(tubes, points + offset, seed).distance
        gradient[:, axis] = ahead - surface_at(tubes, points - offset, seed).distance
    return gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)


def _arrays(tubes: Tubes) -> tuple[np.ndarray, ...]:
    return tubes.start, tubes.end, tubes.start_radius, tubes.end_radius, tubes.part


@numba.njit(cache=True, inline="always")
def _cone_distance(z, y, x, start, end, start_radius, end_radius):
    dz, dy, dx = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    pz, py, px = z - start[0], y - start[1], x - start[2]
    square = dz * dz + dy * dy + dx * dx
    t = 0.0
    if square > 0:
        t = min(max((pz * dz + py * dy + px * dx) / square, 0.0), 1.0)
    pz, py, px = pz - t * dz, py - t * dy, px - t * dx
    return np.sqrt(pz * pz + py * py + px * px) - start_radius - t * (end_radius - start_radius)


@numba.njit(cache=True, inline="always")
def _smooth_minimum(a, b, width):
    near = max(width - abs(a - b), 0.0) / width
    return min(a, b) - near * near * width * 0.25


@numba.njit(cache=True, inline="always")
def _hash(i, j, k, seed):
    h = (i * 374761393 + j * 668265263 + k * 2147483647 + seed * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return (h ^ (h >> 15)) / 2147483648.0 - 1.0


@numba.njit(cache=True)
def _value_noise(z, y, x, seed):
    i, j, k = int(np.floor(z)), int(np.floor(y)), int(np.floor(x))
    u, v, w = z - i, y - j, x - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    value = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                value += weight * _hash(i + a, j + b, k + c, seed)
    return value


@numba.njit(cache=True)
def _roughness(z, y, x, seed):
    scale = 1.0 / ROUGHNESS_LENGTH
    coarse = _value_noise(z * scale, y * scale, x * scale, seed)
    fine = _value_noise(z * scale * 2.3 + 17.0, y * scale * 2.3, x * scale * 2.3, seed + 1)
    return ROUGHNESS * (coarse + 0.5 * fine)


@numba.njit(cache=True)
def _blend(shaft, neck, head, soma, z, y, x, seed):
    """The united distance, and whether the spine is nearer than shaft and soma."""
    if min(min(shaft, soma), min(neck, head)) >= FAR:
        return FAR, False
    rough = _roughness(z, y, x, seed)
    spine = _smooth_minimum(neck + NECK_ROUGHNESS * rough, head + rough, HEAD_TO_NECK)
    body = _smooth_minimum(shaft + rough, soma + SOMA_ROUGHNESS * rough, SHAFT_TO_SOMA)
    return _smooth_minimum(body, spine, SPINE_TO_SHAFT), spine < body


@numba.njit(cache=True)
def _paint(distance, nearest, start, end, start_radius, end_radius, part, origin, spacing, margin):
    shape = distance.shape[1:]
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for n in range(len(start)):
        reach = max(start_radius[n], end_radius[n]) + margin
        for axis in range(3):
            first = min(start[n, axis], end[n, axis]) - reach
            last = max(start[n, axis], end[n, axis]) + reach
            low[axis] = max(0, int(np.ceil((first - origin[axis]) / spacing[axis])))
            high[axis] = min(shape[axis], int(np.floor((last - origin[axis]) / spacing[axis])) + 1)
        p = part[n]
        for i in range(low[0], high[0]):
            z = origin[0] + i * spacing[0]
            for j in range(low[1], high[1]):
                y = origin[1] + j * spacing[1]
                for k in range(low[2], high[2]):
                    x = origin[2] + k * spacing[2]
                    d = _cone_distance(z, y, x, start[n], end[n], start_radius[n], end_radius[n])
                    if d < distance[p, i, j, k] and d <= margin:
                        distance[p, i, j, k] = d
                        nearest[p, i, j, k] = n


@numba.njit(cache=True)
def _paint_owner(distance, owner, start, end, start_radius, end_radius, tube_owner, origin, spacing, margin, warp):
    shape = distance.shape
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    farthest = np.abs(warp).max()
    for n in range(len(start)):
        reach = max(start_radius[n], end_radius[n]) + margin + farthest
        for axis in range(3):
            first = min(start[n, axis], end[n, axis]) - reach
            last = max(start[n, axis], end[n, axis]) + reach
            low[axis] = max(0, int(np.ceil((first - origin[axis]) / spacing[axis])))
            high[axis] = min(shape[axis], int(np.floor((last - origin[axis]) / spacing[axis])) + 1)
        for i in range(low[0], high[0]):
            for j in range(low[1], high[1]):
                for k in range(low[2], high[2]):
                    z = origin[0] + i * spacing[0] + warp[0, i, j, k]
                    y = origin[1] + j * spacing[1] + warp[1, i, j, k]
                    x = origin[2] + k * spacing[2] + warp[2, i, j, k]
                    d = _cone_distance(z, y, x, start[n], end[n], start_radius[n], end_radius[n])
                    if d < distance[i, j, k] and d <= margin:
                        distance[i, j, k] = d
                        owner[i, j, k] = tube_owner[n]


@numba.njit(cache=True)
def _noise_grid(values, origin, spacing, seed):
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            for k in range(values.shape[2]):
                values[i, j, k] = _value_noise(
                    origin[0] + i * spacing[0], origin[1] + j * spacing[1], origin[2] + k * spacing[2], seed
                )


@numba.njit(cache=True)
def _unite(distance, nearest, origin, spacing, seed, united, tube):
    for i in range(united.shape[0]):
        for j in range(united.shape[1]):
            for k in range(united.shape[2]):
                shaft, neck, head, soma = (
                    distance[0, i, j, k],
                    distance[1, i, j, k],
                    distance[2, i, j, k],
                    distance[3, i, j, k],
                )
                z, y, x = origin[0] + i * spacing[0], origin[1] + j * spacing[1], origin[2] + k * spacing[2]
                united[i, j, k], is_spine = _blend(shaft, neck, head, soma, z, y, x, seed)
                if is_spine:
                    tube[i, j, k] = nearest[2, i, j, k] if head < neck else nearest[1, i, j, k]
                else:
                    tube[i, j, k] = nearest[3, i, j, k] if soma < shaft else nearest[0, i, j, k]


@numba.njit(cache=True)
def _unite_at(points, start, end, start_radius, end_radius, part, seed, united, tube):
    best, which = np.empty(4), np.empty(4, np.int32)
    for p in range(len(points)):
        best[:] = FAR
        which[:] = -1
        z, y, x = points[p, 0], points[p, 1], points[p, 2]
        for n in range(len(start)):
            d = _cone_distance(z, y, x, start[n], end[n], start_radius[n], end_radius[n])
            if d < best[part[n]]:
                best[part[n]] = d
                which[part[n]] = n
        united[p], is_spine = _blend(best[0], best[1], best[2], best[3], z, y, x, seed)
        if is_spine:
            tube[p] = which[2] if best[2] < best[1] else which[1]
        else:
            tube[p] = which[3] if best[3] < best[0] else which[0]
