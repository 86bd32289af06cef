"""Shafts that an orphan spine may belong to, and the columns by which they are compared.

Seven features after Gray Roncal (2016): distances from the spine, its synapse, its end and its continuation to the
shaft, the shaft's size in the window, the cost of the way through the membranes, and the branching angle. Beside them
the measures of `approach`. Which end of the spine was cut is not known, so each pair of orphan and candidate has a row
for each end, with the shape of that end. Of a measure there is also how far it stays behind the best of all rows of the
orphan. And there is what the candidate is by its own shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import edt
import fastremap
import numpy as np
import pandas as pd
from numba import njit

from spinome.io.tables import concatenate
from spinome.io.units import VoxelSize
from spinome.io.volumes import Volume
from spinome.labels import compact
from spinome.linking import end_features as approach
from spinome.linking.ends import SHAPE, find_ends
from spinome.linking.path_cost import cheapest_paths, label_membrane
from spinome.linking.reach import distance_from
from spinome.linking.stubs import find_stubs

MEASURES = [
    "distance_nm",
    "synapse_distance_nm",
    "shaft_um3",
    "end_distance_nm",
    "continuation_nm",
    "path_cost_nm",
]
COMPARED = [*MEASURES, *approach.MEASURES]
# of the orphan itself, the same for all of its candidates
OWN = ["orphan_um3", "length_nm", "ends"]
# what a candidate is by its own shape, of `typing.type_probabilities`
TYPED = ["p_shaft", "p_axon", "p_glia", "p_soma"]
FEATURES = [
    *COMPARED,
    "angle_deg",
    *[f"{measure}_behind" for measure in COMPARED],
    *SHAPE,
    *OWN,
    *TYPED,
]
# measures of which a large value speaks for a shaft
LARGE = ("shaft_um3", *approach.LARGE)
PLACES = [f"{end}_{axis}_nm" for end in ("from", "to") for axis in "zyx"]
COLUMNS = ["orphan", "shaft", "end", *FEATURES, *PLACES]
# an empty table has them too, so that joined with others it changes nothing
TYPES = dict.fromkeys(COLUMNS, np.float64) | dict.fromkeys(["orphan", "shaft", "end"], np.int64)
MOST_VOXELS = 1 << 25  # thinned, that are held at once: a cube of 5 um with what lies around it has fewer at 30 nm
SHAFT_NM = 1000.0  # how far along a shaft its direction is taken


def find_candidates(
    labels: np.ndarray,
    orphan: int,
    shafts: np.ndarray,
    synapses: np.ndarray,
    membrane: np.ndarray | None,
    voxel_nm: VoxelSize,
    radius_nm: float,
) -> pd.DataFrame:
    """Candidates of one orphan with their features.

    Parameters
    ----------
    labels : (Z, Y, X) int, the window; what is farther from the orphan's bounding box than the radius is not looked at
    orphan : its label
    shafts : labels that are shafts
    synapses : (S, 3) the orphan's synapses, z y x in nm from the window's first voxel; there may be none
    membrane : (Z, Y, X) float in [0, 1]; none to take the labels' borders instead
    voxel_nm : size of a voxel (z, y, x)
    radius_nm : a shaft farther from the orphan than this is no candidate

    Returns
    -------
    Table of COLUMNS, a row for each candidate by increasing label and each end by its number; `from_*` and `to_*` are
    the ends of the cheapest way, in nm from the window's first voxel. Empty when no shaft is near. TYPED is not known
    here, see `with_types`.
    """
    return _table([_measure(labels, orphan, shafts, synapses, membrane, voxel_nm, radius_nm)])


def _measure(
    labels: np.ndarray,
    orphan: int,
    shafts: np.ndarray,
    synapses: np.ndarray,
    membrane: np.ndarray | None,
    voxel_nm: VoxelSize,
    radius_nm: float,
) -> dict[str, np.ndarray] | None:
    """The columns of `find_candidates` but those that compare rows, each (candidates, ends); none where there are no
    candidates."""
    source = labels == orphan
    if not source.any():
        raise ValueError(f"orphan {orphan} has no voxel in its window")
    size = np.asarray(voxel_nm, dtype=np.float64)
    box = _reach(source, size, radius_nm)
    corner = np.array([side.start for side in box]) * size
    source, labels = source[box], np.ascontiguousarray(labels[box])
    membrane = None if membrane is None else membrane[box]
    away = distance_from(source, voxel_nm)
    # signed and unsigned ids together would become floats, and large ids one another
    near = np.intersect1d(fastremap.unique(labels[away <= radius_nm]), np.asarray(shafts).astype(labels.dtype))
    near = near[near != orphan]
    if not len(near):
        return None
    target = compact(labels, near)
    depth = edt.edt(labels, anisotropy=voxel_nm, black_border=False, parallel=1)
    synapses = synapses.reshape(-1, 3) - corner
    ends = find_ends(source, depth, synapses, size)
    touching = (away <= approach.TOUCH_NM) & ~source
    around = approach.surroundings(source, target, depth, touching, find_stubs(target, depth, size), size)
    paths = cheapest_paths(
        source, target, len(near), label_membrane(labels) if membrane is None else membrane, voxel_nm
    )
    standing, nearest = _distances(around.places, around.number, len(near), away, synapses, size)
    courses = _courses(around.places, around.number, nearest, size)
    shared = {
        "orphan": int(orphan),
        "shaft": near.astype(np.int64)[:, None],
        "distance_nm": standing[:, :1],
        "synapse_distance_nm": standing[:, 1:2] if len(synapses) else np.nan,
        "shaft_um3": standing[:, 2:] * float(np.prod(size)) / 1e9,
        "path_cost_nm": np.where(np.isfinite(paths.cost), paths.cost, np.nan)[:, None],
        "orphan_um3": float(source.sum() * np.prod(size) / 1e9),
        "length_nm": float(max(np.linalg.norm(end.point - ends[0].point) for end in ends)),
        "ends": float(len(ends)),
        **dict.fromkeys(TYPED, np.nan),
    }
    for name, places in (("from", paths.start), ("to", paths.stop)):
        for axis, letter in enumerate("zyx"):
            shared[f"{name}_{letter}_nm"] = ((places[:, axis] + 0.5) * size[axis] + corner[axis])[:, None]
    measured = np.stack([approach.approach(around, end) for end in ends], axis=1)
    own = dict(zip(approach.MEASURES, np.moveaxis(measured, 2, 0)))
    beside = [
        _continuation(target, around.skin, around.bearer, len(near), end.point, end.course, size, radius_nm)
        for end in ends
    ]
    ways = {
        **shared,
        **own,
        "end": np.arange(len(ends))[None],
        **dict(zip(SHAPE, np.array([end.shape for end in ends]).T[:, None])),
        "end_distance_nm": own["plain_nm"],
        "continuation_nm": np.stack(beside, axis=1),
        "angle_deg": np.array([[_angle(course, end.course) for end in ends] for course in courses]),
    }
    return {name: np.broadcast_to(values, measured.shape[:2]) for name, values in ways.items()}


def _table(measured: list[dict[str, np.ndarray] | None]) -> pd.DataFrame:
    """The table of several orphans, in their order."""
    known = [columns for columns in measured if columns is not None]
    if not known:
        return pd.DataFrame(columns=COLUMNS).astype(TYPES)
    frame = pd.DataFrame({name: np.concatenate([columns[name].ravel() for columns in known]) for name in known[0]})
    return compare(frame)[COLUMNS]


def compare(candidates: pd.DataFrame) -> pd.DataFrame:
    """The table with how far each measure stays behind the best row of its orphan, for the rows that there are."""
    # the largest comes first where that speaks for a shaft, else the nearest and the cheapest
    signed = candidates[COMPARED] * [-1 if measure in LARGE else 1 for measure in COMPARED]
    behind = signed - signed.groupby(candidates["orphan"]).transform("min")
    return candidates.assign(**{f"{measure}_behind": behind[measure] for measure in COMPARED})


def with_types(candidates: pd.DataFrame, typing: pd.DataFrame) -> pd.DataFrame:
    """The table of `find_candidates` with the TYPED columns of a table of segments, nan for those it lacks."""
    known = typing.set_index("segment").reindex(columns=TYPED)
    return candidates.assign(**{name: candidates["shaft"].map(known[name]).astype(np.float64) for name in TYPED})


def _reach(source: np.ndarray, size: np.ndarray, radius_nm: float) -> tuple[slice, slice, slice]:
    """The bounding box of an orphan and the radius around it, within its window."""
    margin = np.ceil(radius_nm / size).astype(int) + 1
    box = []
    for axis in range(3):
        filled = np.flatnonzero(source.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(max(filled[0] - margin[axis], 0), filled[-1] + margin[axis] + 1))
    return tuple(box)


def group_names(orphans: pd.DataFrame, group_nm: float) -> pd.Series:
    """The cube of edge `group_nm` that holds each orphan's centroid, by its first corner in whole nm: z-y-x."""
    corners = [(orphans[f"{axis}_nm"] // group_nm * group_nm).astype(int).astype(str) for axis in "zyx"]
    return corners[0] + "-" + corners[1] + "-" + corners[2]


def failed_orphans(orphans: pd.DataFrame, group_nm: float, finished: Iterable[str]) -> np.ndarray:
    """Labels of the orphans (rows of `measure_segments`) whose group of `group_names` is not finished."""
    return orphans.loc[~group_names(orphans, group_nm).isin(set(finished)), "segment"].to_numpy(np.int64)


def group_candidates(
    segments: Volume,
    membrane: Volume | None,
    orphans: pd.DataFrame,
    shafts: np.ndarray,
    synapses: pd.DataFrame | None,
    stride: tuple[int, int, int],
    voxel_nm: VoxelSize,
    radius_nm: float,
) -> pd.DataFrame:
    """Candidates of several orphans, each in its own window of the volume thinned by `stride`.

    Parameters
    ----------
    segments, membrane : opened volumes on one grid; see `find_candidates`
    orphans : rows of `measure_segments` with the same stride
    shafts : labels that are shafts
    synapses : table with `neurite_a neurite_b z_nm y_nm x_nm`, or none
    stride, voxel_nm : thinning and full size of a voxel (z, y, x)

    Returns
    -------
    Table of COLUMNS, places in nm in the volume
    """
    size = np.asarray(voxel_nm, dtype=np.float64) * stride
    margin = np.ceil(radius_nm / size).astype(int) + 1
    lows = np.maximum(orphans[["z0", "y0", "x0"]].to_numpy() - margin, 0)
    # of a volume on a server no voxel beyond its edge can be asked for
    highs = np.minimum(orphans[["z1", "y1", "x1"]].to_numpy() + margin, -(-np.array(segments.shape) // stride))
    parts = [segments] if membrane is None else [segments, membrane]
    rows, measured = list(orphans.itertuples()), [None] * len(orphans)
    for number, (labels, *ways) in _windows(parts, lows, highs, stride, np.array(segments.shape)):
        row, low = rows[number], lows[number]
        own = np.zeros((0, 3))
        if synapses is not None:
            mine = (synapses["neurite_a"] == row.segment) | (synapses["neurite_b"] == row.segment)
            own = synapses.loc[mine, ["z_nm", "y_nm", "x_nm"]].to_numpy(np.float64) - low * size
        columns = _measure(labels, row.segment, shafts, own, *(ways or [None]), tuple(size), radius_nm)
        if columns is not None:
            for end in ("from", "to"):
                for axis, start in zip("zyx", low * size):
                    columns[f"{end}_{axis}_nm"] = columns[f"{end}_{axis}_nm"] + start
        measured[number] = columns
    return _table(measured).astype(TYPES)


def _windows(
    volumes: list[Volume], lows: np.ndarray, highs: np.ndarray, stride: tuple[int, int, int], shape: np.ndarray
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Windows of thinned voxels of several volumes, each with its number; those of `_near_together` are read at once.

    Parameters
    ----------
    lows, highs : (N, 3) first and last voxels of the windows, thinned
    shape : of the volumes, not thinned
    """
    for numbers in _near_together(lows, highs):
        first, last = lows[numbers].min(axis=0), highs[numbers].max(axis=0)
        read = [_thinned(volume, first, last, stride, shape) for volume in volumes]
        for number in numbers.tolist():
            inner = tuple(slice(a, b) for a, b in zip(lows[number] - first, highs[number] - first))
            yield number, [voxels[inner] for voxels in read]


def _near_together(lows: np.ndarray, highs: np.ndarray) -> list[np.ndarray]:
    """Numbers of windows in parts: the box of a part has no more voxels than its windows together, and no more than may
    be held unless it is of one window. Parts are halved, by where their windows lie, until they are so.

    Parameters
    ----------
    lows, highs : (N, 3) first and last voxels of the windows
    """
    parts, left = [], [np.arange(len(lows))] if len(lows) else []
    while left:
        numbers = left.pop()
        box = highs[numbers].max(axis=0) - lows[numbers].min(axis=0)
        apart = np.prod(highs[numbers] - lows[numbers], axis=1).sum()
        if len(numbers) == 1 or np.prod(box) <= min(apart, MOST_VOXELS):
            parts.append(numbers)
            continue
        middle = lows[numbers] + highs[numbers]
        order = numbers[np.argsort(middle[:, np.ptp(middle, axis=0).argmax()], kind="stable")]
        left += [order[len(order) // 2 :], order[: len(order) // 2]]
    return parts


def _thinned(
    volume: Volume, low: np.ndarray, high: np.ndarray, stride: tuple[int, int, int], shape: np.ndarray
) -> np.ndarray:
    ends = np.minimum(high * stride, shape)
    return volume[tuple(slice(a * step, b, step) for a, b, step in zip(low, ends, stride))]


def read_candidates(files: Iterable[str | Path]) -> pd.DataFrame:
    """The candidates of a volume, from the files of the units of all of its shards."""
    frame = concatenate(files, COLUMNS)
    return frame.astype(TYPES).sort_values(["orphan", "shaft", "end"], ignore_index=True)


def _courses(places: np.ndarray, number: np.ndarray, nearest: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Unit vectors (candidates, 3) along the shafts near one voxel of each, of zeros where there is too little."""
    counts, spread = _spread(places, number, nearest, size, (SHAFT_NM / size).astype(np.int64))
    enough = counts >= 4
    return np.where(enough[:, None], np.linalg.eigh(spread)[1][:, :, -1], 0.0)


def _angle(one: np.ndarray, other: np.ndarray) -> float:
    """Angle in degrees (0..90) between two courses, nan where one is of zeros."""
    if not one.any() or not other.any():
        return float("nan")
    return float(np.degrees(np.arccos(min(abs(one @ other), 1.0))))


@njit(cache=True)
def _distances(places, number, count, away, synapses, size):
    """Per candidate: least distance to orphan and synapse, voxels. And its voxel nearest the orphan."""
    out = np.full((count, 3), np.inf)
    out[:, 2] = 0
    nearest = np.zeros((count, 3), dtype=np.int64)
    for row in range(len(places)):
        z, y, x = places[row, 0], places[row, 1], places[row, 2]
        mine = number[row]
        out[mine, 2] += 1
        if away[z, y, x] < out[mine, 0]:
            out[mine, 0] = away[z, y, x]
            nearest[mine] = (z, y, x)
        for synapse in range(len(synapses)):
            dz = (z + 0.5) * size[0] - synapses[synapse, 0]
            dy = (y + 0.5) * size[1] - synapses[synapse, 1]
            dx = (x + 0.5) * size[2] - synapses[synapse, 2]
            out[mine, 1] = min(out[mine, 1], np.sqrt(dz**2 + dy**2 + dx**2))
    return out, nearest


@njit(cache=True)
def _continuation(target, places, number, count, point, course, size, reach):
    """Per candidate: least distance to the straight continuation of an end.

    `places` need not hold what lies within candidates: of that only voxels that the continuation meets are nearest.
    """
    out = np.full(count, np.inf)
    for row in range(len(places)):
        mine = number[row]
        square = _beside(places[row, 0], places[row, 1], places[row, 2], point, course, size, reach)
        out[mine] = min(out[mine], square)
    step = min(size[0], min(size[1], size[2])) / 2
    for stride in range(int(reach / step) + 2):
        along = min(stride * step, reach)
        middle = ((point + along * course) / size).astype(np.int64)
        for z in range(max(middle[0] - 1, 0), min(middle[0] + 2, target.shape[0])):
            for y in range(max(middle[1] - 1, 0), min(middle[1] + 2, target.shape[1])):
                for x in range(max(middle[2] - 1, 0), min(middle[2] + 2, target.shape[2])):
                    mine = target[z, y, x]
                    if mine >= 0:
                        out[mine] = min(out[mine], _beside(z, y, x, point, course, size, reach))
    return np.sqrt(out)


@njit(cache=True)
def _beside(z, y, x, point, course, size, reach):
    """Squared distance of the middle of a voxel from the straight continuation of an end."""
    vz, vy, vx = (z + 0.5) * size[0] - point[0], (y + 0.5) * size[1] - point[1], (x + 0.5) * size[2] - point[2]
    along = min(max(vz * course[0] + vy * course[1] + vx * course[2], 0.0), reach)
    wz, wy, wx = vz - along * course[0], vy - along * course[1], vx - along * course[2]
    return wz * wz + wy * wy + wx * wx


@njit(cache=True)
def _spread(places, number, nearest, size, margin):
    """Per candidate: its voxels in a box about one of them, and the sums of squares about their mean."""
    count = len(nearest)
    voxels, total, square = np.zeros(count), np.zeros((count, 3)), np.zeros((count, 3, 3))
    for row in range(len(places)):
        mine = number[row]
        inside = True
        for axis in range(3):
            if abs(places[row, axis] - nearest[mine, axis]) > margin[axis]:
                inside = False
        if not inside:
            continue
        voxels[mine] += 1
        for axis in range(3):
            one = (places[row, axis] - nearest[mine, axis]) * size[axis]
            total[mine, axis] += one
            for other in range(3):
                square[mine, axis, other] += one * (places[row, other] - nearest[mine, other]) * size[other]
    for mine in range(count):
        for axis in range(3):
            for other in range(3):
                square[mine, axis, other] -= total[mine, axis] * total[mine, other] / max(voxels[mine], 1)
    return voxels, square
