"""The extremities of an orphan, at one of which it was cut, and what each looks like.

The first is the one farthest, on the way through the orphan, from where it is thickest: of most cut spines that is
where their neck was. Of a spine cut close to its head, or of a head with a spinule, it is not; so there are others, and
the link forest learns which of them looks like a cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from spinome.linking.protrusions import geodesic

MOST_ENDS, APART_NM = 4, 200.0  # ends nearer to one another, on the way through the orphan, are one
COURSE_NM = 300.0  # how far back from an end its course is taken
SHAPE = [
    "end_number",
    "end_radius_nm",
    "end_tip_radius_nm",
    "end_behind_radius_nm",
    "end_share",
    "end_way_nm",
    "end_apart_nm",
    "end_synapse_nm",
]


class End(NamedTuple):
    """An extremity of an orphan.

    Attributes
    ----------
    point : z y x in nm
    course : (3,) unit vector out of it, of zeros where the orphan is no longer than a voxel
    near : (N, 3) voxels of the orphan within COURSE_NM of it
    shape : values of SHAPE: its number, mean radius within COURSE_NM, within half of that, and from there to twice
        that; share of the orphan within COURSE_NM; way from where the orphan is thickest, and from the nearest other
        end; distance from the nearest synapse, nan without one
    """

    point: np.ndarray
    course: np.ndarray
    near: np.ndarray
    shape: tuple[float, ...]


def find_ends(source: np.ndarray, depth: np.ndarray, synapses: np.ndarray, size: np.ndarray) -> list[End]:
    """Find the extremities of an orphan, one at least and MOST_ENDS at most.

    Parameters
    ----------
    source : (Z, Y, X) bool, in a window
    depth : (Z, Y, X) distance to the surface, nm
    synapses : (S, 3) on the orphan, nm, possibly none
    size : size of a voxel (z, y, x), nm
    """
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in np.nonzero(source))
    mine, inside = source[box].astype(np.uint8), depth[box]
    corner = np.array([side.start for side in box])
    thickest = _largest(np.where(mine, inside, -1))
    way = from_thickest = _ways(mine, thickest, size)
    places: list[tuple[int, ...]] = []
    ways: list[np.ndarray] = []
    while len(places) < MOST_ENDS:
        # an orphan of several pieces goes on where the way ends
        place = _largest(np.where(np.isfinite(way), way, -1))
        if places and way[place] < APART_NM:
            break
        own = _ways(mine, place, size)
        way = own if not places else np.minimum(way, own)
        places.append(place)
        ways.append(own)
    ends = []
    for number, (place, own) in enumerate(zip(places, ways)):
        near = own < COURSE_NM
        point = (np.array(place) + corner + 0.5) * size
        course = point - (np.argwhere(near).mean(axis=0) + corner + 0.5) * size
        length = np.linalg.norm(course)
        others = [other[place] for other in ways if other is not own]
        shape = (
            float(number),
            _mean(inside, near),
            _mean(inside, own < COURSE_NM / 2),
            _mean(inside, (own >= COURSE_NM) & (own < 2 * COURSE_NM)),
            float(near.sum() / mine.sum()),
            float(from_thickest[place]),
            float(min(others, default=np.nan)),
            float(np.linalg.norm(synapses - point, axis=1).min()) if len(synapses) else np.nan,
        )
        ends.append(End(point, course / length if length else course, np.argwhere(near) + corner, shape))
    return ends


@njit(cache=True)
def ahead_of(point, course, z, y, x, size):
    """Offset z y x in nm of the middle of a voxel from a point, its length d, and d (2 - cos), which is longer the less
    straight ahead the voxel lies; d is 1 at least."""
    dz, dy, dx = (z + 0.5) * size[0] - point[0], (y + 0.5) * size[1] - point[1], (x + 0.5) * size[2] - point[2]
    far = max(np.sqrt(dz * dz + dy * dy + dx * dx), 1.0)
    return dz, dy, dx, far, far * (2 - (dz * course[0] + dy * course[1] + dx * course[2]) / far)


@njit(cache=True)
def farther(point, z, y, x, size, than):
    """Whether the middle of a voxel is plainly farther from a point than that: then it is not nearer by `ahead_of`,
    which gives the distance at least, but for rounding."""
    dz, dy, dx = (z + 0.5) * size[0] - point[0], (y + 0.5) * size[1] - point[1], (x + 0.5) * size[2] - point[2]
    return dz * dz + dy * dy + dx * dx > than * than * 1.000001


def _largest(values: np.ndarray) -> tuple[int, ...]:
    """The place of the largest value."""
    return tuple(int(side) for side in np.unravel_index(values.argmax(), values.shape))


def _ways(mine: np.ndarray, place: tuple[int, ...], size: np.ndarray) -> np.ndarray:
    seed = np.zeros(mine.shape, dtype=bool)
    seed[place] = True
    return geodesic(mine, seed, size)


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else np.nan
