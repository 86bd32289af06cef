"""How a candidate lies before an end of an orphan: what the end points at, and whether a stump points back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from spinome.linking.ends import End, ahead_of, farther
from spinome.linking.path_cost import cheapest_paths, thickness
from spinome.linking.stubs import FOOT_NM, Stubs, ahead

MEASURES = [
    "plain_nm",
    "forward_nm",
    "seen",
    "facing",
    "there_nm",
    "there_um3",
    "tip_nm",
    "tip_facing",
    "stub_nm",
    "stub_length_nm",
    "trunk_nm",
    "contact_um2",
    "thin_cost_nm",
    "arrival_nm",
    "arrival_jump_nm",
]
# measures of which a large value speaks for a shaft
LARGE = ("seen", "facing", "tip_facing", "stub_length_nm", "contact_um2", "arrival_nm")
FAR_NM = 5000.0  # of what is not within reach
TOUCH_NM = 50.0
WAY_NM = 1000.0  # around an end in which a way from it is looked for
BALL_NM = 250.0  # around the place of a shaft that is nearest the end
TIP_NM = 900.0  # how far from an end tips are looked for
TIP_BALL_NM, TIP_FILL, TIP_SIDE = 200.0, 0.25, 0.35  # a tip fills little of a ball about it, and on one side
# a candidate that bears neither a stub nor a thin tip
UNSCARRED = {"stub_nm": FAR_NM, "stub_length_nm": 0.0, "tip_nm": 2 * TIP_NM, "tip_facing": 0.0}
RAYS, RAY_NM, RAY_STEP_NM = 200, 1000.0, 20.0
CONE = 0.5  # least cosine between a ray and the course


class Surroundings(NamedTuple):
    """What all ends of an orphan share.

    Attributes
    ----------
    source : (Z, Y, X) bool, the orphan
    target : (Z, Y, X) int32, number of the candidate of each voxel, -1 elsewhere
    depth : (Z, Y, X) distance of each voxel to the surface of its label, nm
    places, number : (N, 3) voxels of the candidates, and the candidate of each
    skin, bearer : of these, without what lies amid a trunk, which is nearest to nothing
    touching, touched : (M, 3) voxels of the candidates within TOUCH_NM of the orphan, and the candidate of each
    stubs : of the candidates
    tips : (Z, Y, X) int8, what is known of each voxel: 1 for a thin tip, -1 for none, 0 for what was not looked at
    size : size of a voxel (z, y, x), nm
    """

    source: np.ndarray
    target: np.ndarray
    depth: np.ndarray
    places: np.ndarray
    number: np.ndarray
    skin: np.ndarray
    bearer: np.ndarray
    touching: np.ndarray
    touched: np.ndarray
    stubs: Stubs
    tips: np.ndarray
    size: np.ndarray


def surroundings(
    source: np.ndarray, target: np.ndarray, depth: np.ndarray, near: np.ndarray, stubs: Stubs, size: np.ndarray
) -> Surroundings:
    """Gather what all ends of an orphan share; `near` (Z, Y, X) bool is what lies within TOUCH_NM of the orphan."""
    places, number = _gather(target)
    skin, bearer = _gather(_skin(target, stubs.out_nm))
    touching, touched = _gather(np.where(near, target, -1))
    tips = np.zeros(target.shape, np.int8)
    return Surroundings(source, target, depth, places, number, skin, bearer, touching, touched, stubs, tips, size)


def approach(around: Surroundings, end: End) -> np.ndarray:
    """Measure every candidate before one end of an orphan.

    Returns
    -------
    (candidates, 15) columns MEASURES, of each candidate: distance from the end, and the same longer where it is not
    straight ahead; share of rays about the end's course that meet it before another; how far it runs straight away from
    the end (-1 to 1), how thick it is and how much of it there is about its place nearest to the end; the like distance
    of a thin tip of it, such as a torn neck leaves, and how far that tip runs straight away; of a stub of it, and how
    far that one is out; of its trunk; how much of it touches the orphan near the end; cost of the cheapest way from the
    end, which crosses whatever is thin, how far out of the trunk it arrives, and how far that is from the end
    """
    source, target, depth, size = around.source, around.target, around.depth, around.size
    places, number = around.skin, around.bearer
    count = int(number.max()) + 1
    forward, plain, nearest = _forward(places, number, count, end.point, end.course, size)
    seen = _rays(target, source, end.point, directions(end.course), size, count, RAY_NM, RAY_STEP_NM)
    facing, thick, volume = _about(target, depth, nearest, end.point, size, BALL_NM)
    tips = _tips(target, around.tips, count, end.point, end.course, size, TIP_NM, TIP_BALL_NM, TIP_FILL, TIP_SIDE)
    tip, straight = tips
    out = around.stubs.out_nm
    stub, length, trunk = ahead(places, number, around.stubs.stub, out, count, end.point, end.course, size, FOOT_NM)
    close = np.linalg.norm((around.touching + 0.5) * size - end.point, axis=1) < BALL_NM
    contact = np.bincount(around.touched[close], minlength=count) * np.prod(size) / 1e6
    cost, arrival, jump = _thin_ways(around, end, count)
    columns = [plain, forward, seen, facing, thick, volume * np.prod(size) / 1e9, tip, straight]
    columns += [stub, length, trunk, contact, cost, arrival, jump]
    table = np.stack(columns, axis=1)
    # a forest takes no infinity; what has no stub or trunk has none within reach
    return np.where(np.isfinite(table), table, FAR_NM)


def _thin_ways(around: Surroundings, end: End, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the cheapest way from an end to each candidate that crosses what is thin: its cost in nm, how far out of the
    trunk it arrives, and how far from the end; inf where there is none within WAY_NM."""
    size = around.size
    low = np.maximum(((end.point - WAY_NM) / size).astype(int), 0)
    high = ((end.point + WAY_NM) / size).astype(int) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high))
    source, out = around.source[box], around.stubs.out_nm[box]
    seed = np.zeros(source.shape, dtype=bool)
    seed[tuple((end.near - low).T)] = True
    cost = np.where(source, np.float32(1), thickness(around.depth[box]))
    paths = cheapest_paths(seed, around.target[box], count, cost, tuple(size), through=True)
    reached = paths.stop[:, 0] >= 0
    arrival = np.where(reached, out[tuple(paths.stop.T)], np.inf)
    jump = np.linalg.norm((paths.stop + low + 0.5) * size - end.point, axis=1)
    return paths.cost, arrival, np.where(reached, jump, np.inf)


def directions(course: np.ndarray) -> np.ndarray:
    """Unit vectors (RAYS, 3) evenly spread over a cone about a course (Fibonacci lattice)."""
    turn = np.arange(RAYS) * np.pi * (3 - np.sqrt(5))
    along = 1 - (np.arange(RAYS) + 0.5) / RAYS * (1 - CONE)
    across = np.sqrt(1 - along**2)
    axis = course if course.any() else np.array([1.0, 0, 0])
    other = np.eye(3)[np.argmin(np.abs(axis))]
    first = np.cross(axis, other)
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    return along[:, None] * axis + across[:, None] * (np.cos(turn)[:, None] * first + np.sin(turn)[:, None] * second)


@njit(cache=True)
def _gather(target):
    """Voxels (N, 3) int32 of candidates, in order, and the candidate of each."""
    count = 0
    for mine in target.ravel():
        count += mine >= 0
    places, number = np.empty((count, 3), np.int32), np.empty(count, np.int32)
    row = 0
    for z in range(target.shape[0]):
        for y in range(target.shape[1]):
            for x in range(target.shape[2]):
                if target[z, y, x] >= 0:
                    places[row, 0], places[row, 1], places[row, 2] = z, y, x
                    number[row] = target[z, y, x]
                    row += 1
    return places, number


@njit(cache=True)
def _skin(target, out):
    """The candidates without those voxels all of whose neighbours are of the same candidate's trunk, or of the same
    candidate where it has none: one of these is nearer to any place outside, straight ahead or not."""
    skin = target.copy()
    for z in range(1, target.shape[0] - 1):
        for y in range(1, target.shape[1] - 1):
            for x in range(1, target.shape[2] - 1):
                if target[z, y, x] < 0 or not _inner(target, z, y, x):
                    continue
                trunk = out[z, y, x] <= 0
                amid = trunk or np.isinf(out[z, y, x])
                for step in (-1, 1):
                    amid = amid and (out[z + step, y, x] <= 0) == trunk
                    amid = amid and (out[z, y + step, x] <= 0) == trunk
                    amid = amid and (out[z, y, x + step] <= 0) == trunk
                if amid:
                    skin[z, y, x] = -1
    return skin


@njit(cache=True)
def _forward(places, number, count, point, course, size):
    """Least distance of each candidate ahead of a point, and the voxel of it that is plainly nearest."""
    forward, plain = np.full(count, np.inf), np.full(count, np.inf)
    nearest = np.zeros((count, 3), np.int64)
    for row in range(len(places)):
        mine = number[row]
        z, y, x = places[row, 0], places[row, 1], places[row, 2]
        # the plainly nearest is no farther than the nearest ahead
        if farther(point, z, y, x, size, forward[mine]):
            continue
        dz, dy, dx = (z + 0.5) * size[0] - point[0], (y + 0.5) * size[1] - point[1], (x + 0.5) * size[2] - point[2]
        far = np.sqrt(dz * dz + dy * dy + dx * dx)
        if far < plain[mine]:
            plain[mine] = far
            nearest[mine, 0], nearest[mine, 1], nearest[mine, 2] = z, y, x
        if far < forward[mine]:
            cosine = (dz * course[0] + dy * course[1] + dx * course[2]) / max(far, 1e-6)
            forward[mine] = min(forward[mine], far * (2 - cosine))
    return forward, plain, nearest


@njit(cache=True)
def _rays(target, source, point, rays, size, count, reach, step):
    seen = np.zeros(count)
    for row in range(len(rays)):
        for stride in range(1, int(reach / step)):
            z = int((point[0] + stride * step * rays[row, 0]) // size[0])
            y = int((point[1] + stride * step * rays[row, 1]) // size[1])
            x = int((point[2] + stride * step * rays[row, 2]) // size[2])
            if not (0 <= z < target.shape[0] and 0 <= y < target.shape[1] and 0 <= x < target.shape[2]):
                break
            if target[z, y, x] >= 0 and not source[z, y, x]:
                seen[target[z, y, x]] += 1
                break
    return seen / len(rays)


@njit(cache=True)
def _about(target, depth, nearest, point, size, ball):
    count = len(nearest)
    facing, thick, volume = np.zeros(count), np.zeros(count), np.zeros(count)
    low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for mine in range(count):
        for axis in range(3):
            reach = int(ball / size[axis]) + 1
            low[axis] = max(nearest[mine, axis] - reach, 0)
            high[axis] = min(nearest[mine, axis] + reach + 1, target.shape[axis])
        cz, cy, cx = (
            (nearest[mine, 0] + 0.5) * size[0],
            (nearest[mine, 1] + 0.5) * size[1],
            (nearest[mine, 2] + 0.5) * size[2],
        )
        bz, by, bx = cz - point[0], cy - point[1], cx - point[2]
        length = np.sqrt(bz * bz + by * by + bx * bx)
        for z in range(low[0], high[0]):
            for y in range(low[1], high[1]):
                for x in range(low[2], high[2]):
                    if target[z, y, x] != mine:
                        continue
                    az, ay, ax = (z + 0.5) * size[0] - cz, (y + 0.5) * size[1] - cy, (x + 0.5) * size[2] - cx
                    away = np.sqrt(az * az + ay * ay + ax * ax)
                    if away > ball:
                        continue
                    volume[mine] += 1
                    thick[mine] = max(thick[mine], depth[z, y, x])
                    if away > 0 and length > 0:
                        facing[mine] += (az * bz + ay * by + ax * bx) / (away * length)
    return facing / np.maximum(volume, 1), thick, volume


@njit(cache=True)
def _inner(target, z, y, x):
    """Whether all six neighbours are of the same candidate."""
    mine = target[z, y, x]
    if z == 0 or y == 0 or x == 0:
        return False
    if z == target.shape[0] - 1 or y == target.shape[1] - 1 or x == target.shape[2] - 1:
        return False
    return (
        target[z - 1, y, x] == mine
        and target[z + 1, y, x] == mine
        and target[z, y - 1, x] == mine
        and target[z, y + 1, x] == mine
        and target[z, y, x - 1] == mine
        and target[z, y, x + 1] == mine
    )


@njit(cache=True)
def _offsets(size, radius):
    """Steps (N, 3) to all voxels of a ball about one."""
    reach = (int(radius / size[0]), int(radius / size[1]), int(radius / size[2]))
    steps = np.empty(((2 * reach[0] + 1) * (2 * reach[1] + 1) * (2 * reach[2] + 1), 3), np.int64)
    count = 0
    for a in range(-reach[0], reach[0] + 1):
        for b in range(-reach[1], reach[1] + 1):
            for c in range(-reach[2], reach[2] + 1):
                dz, dy, dx = a * size[0], b * size[1], c * size[2]
                if dz * dz + dy * dy + dx * dx <= radius * radius:
                    steps[count, 0], steps[count, 1], steps[count, 2] = a, b, c
                    count += 1
    return steps[:count]


@njit(cache=True)
def _lopsided(target, z, y, x, size, steps, radius, most):
    """Where the centroid of those voxels of a ball about one lies that are of the same candidate, from its middle in
    radii, and how far that is; nothing and -1 where they are not fewer than `most`."""
    mine = target[z, y, x]
    count, mz, my, mx = 0, 0.0, 0.0, 0.0
    for row in range(len(steps)):
        a, b, c = z + steps[row, 0], y + steps[row, 1], x + steps[row, 2]
        if not (0 <= a < target.shape[0] and 0 <= b < target.shape[1] and 0 <= c < target.shape[2]):
            continue
        if target[a, b, c] == mine:
            count += 1
            if count >= most:
                return 0.0, 0.0, 0.0, -1.0
            mz, my, mx = mz + steps[row, 0] * size[0], my + steps[row, 1] * size[1], mx + steps[row, 2] * size[2]
    scale = count * radius
    mz, my, mx = mz / scale, my / scale, mx / scale
    return mz, my, mx, np.sqrt(mz * mz + my * my + mx * mx)


@njit(cache=True)
def _tips(target, known, count, point, course, size, reach, ball, most_fill, least_side):
    """Least distance of a thin tip of each candidate ahead of a point, and how straight away that tip runs.

    What is found out of a voxel, which is the same for all ends of an orphan, is written to `known`.
    """
    best, straight = np.full(count, 2 * reach), np.zeros(count)
    steps = _offsets(size, ball)
    most = most_fill * (4.19 * ball**3 / (size[0] * size[1] * size[2]))
    low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for axis in range(3):
        low[axis] = max(int((point[axis] - reach) / size[axis]), 0)
        high[axis] = min(int((point[axis] + reach) / size[axis]) + 1, target.shape[axis])
    for z in range(low[0], high[0]):
        for y in range(low[1], high[1]):
            for x in range(low[2], high[2]):
                mine = target[z, y, x]
                if mine < 0 or known[z, y, x] < 0 or farther(point, z, y, x, size, min(reach, best[mine])):
                    continue
                if known[z, y, x] == 0 and _inner(target, z, y, x):
                    known[z, y, x] = -1
                    continue
                dz, dy, dx, far, weighed = ahead_of(point, course, z, y, x, size)
                if far > reach or weighed >= best[mine]:
                    continue
                mz, my, mx, side = _lopsided(target, z, y, x, size, steps, ball, most)
                known[z, y, x] = 1 if side > least_side else -1
                if side > least_side:
                    best[mine] = weighed
                    straight[mine] = (mz * dz + my * dy + mx * dx) / far
    return best, straight
