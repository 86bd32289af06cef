"""How large and how thick the segments of a volume are, from one cuboid at a time.

All sums are of whole numbers, so that they are the same in any order and those of cuboids add up to those of the
volume. A voxel's distance to the surface of its segment is right as soon as the surface lies within the halo of the
cuboid; where it does not, the halo grows until it does. What a segment needs for its shape is measured along with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import edt
import fastremap
import numpy as np
import pandas as pd
from numba import njit

from spinome.cuboids import Box, Cuboid, Shape
from spinome.gaps import boxes_at_gaps, labels_at_gaps
from spinome.io.units import VoxelSize
from spinome.labels import compact

INSIDE = ("inside_z_nm", "inside_y_nm", "inside_x_nm")
SIDES = ("z0", "z1", "y0", "y1", "x0", "x1")
DEPTHS_NM = (60.0, 120.0, 200.0, 300.0)
# what `shape` makes of it: voxels deeper than DEPTHS_NM, faces across z, y and x, sums of products of places
DEEPER = [f"deeper_{number}" for number in range(len(DEPTHS_NM))]
FACES = ["faces_z", "faces_y", "faces_x"]
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
SECOND = [f"second_{'zyx'[a]}{'zyx'[b]}" for a, b in PAIRS]
# a depth is counted in units of 2**-42 nm, of which the upper bits and the lower 32 are summed apart
DEPTH_UNIT, LOWER_BITS, DEEPEST_NM = 2.0**42, 32, 2.0**20
FIRST_HALO_NM = 400.0


@dataclass(frozen=True)
class Measured:
    """N segments as far as they lie in a cuboid; places are voxels of the thinned volume.

    Attributes
    ----------
    labels : (N,) uint64, sorted
    voxels : (N,) int64
    places : (N, 3) int64, sums of the places of voxels
    second : (N, 6) int64, sums of the products of PAIRS of places, counted from `start`
    start : (N, 3) int64
    boxes : (N, 6) int64, first voxel and the one after the last, as SIDES
    depth : (N, 2) int64, upper and lower sum of distances to the surface
    thickest : (N,) float64, the largest of them in nm
    deeper : (N, 4) int64, voxels deeper than DEPTHS_NM
    faces : (N, 3) int64, faces to other segments and to none
    at_gap : (N,) bool, whether it touches what is not known
    """

    labels: np.ndarray
    voxels: np.ndarray
    places: np.ndarray
    second: np.ndarray
    start: np.ndarray
    boxes: np.ndarray
    depth: np.ndarray
    thickest: np.ndarray
    deeper: np.ndarray
    faces: np.ndarray
    at_gap: np.ndarray


def measure(
    read: Callable[[Box], np.ndarray],
    cuboid: Cuboid,
    shape: Shape,
    voxel_nm: VoxelSize,
    gaps: pd.DataFrame | None = None,
    stride: Shape = (1, 1, 1),
) -> Measured:
    """Measure what lies in a cuboid of each segment.

    Parameters
    ----------
    read : labels (Z, Y, X) of a box of the thinned volume, 0 is none
    cuboid : its core counts
    shape : of the thinned volume
    voxel_nm : size of a thinned voxel (z, y, x)
    gaps : see `spinome.gaps`; stride : thinning, for the gaps
    """
    size = np.asarray(voxel_nm, float)
    halo_nm = FIRST_HALO_NM
    while True:
        halo = np.ceil(halo_nm / size).astype(int)
        box = tuple(
            slice(max(side.start - reach, 0), min(side.stop + reach, length))
            for side, reach, length in zip(cuboid.core, halo.tolist(), shape)
        )
        labels = read(box)
        ids = fastremap.unique(labels)
        ids = ids[ids != 0]
        regions = compact(labels, ids)
        depth = edt.edt(regions + 1, anisotropy=tuple(size), black_border=False, parallel=1)
        inner = tuple(slice(own.start - low.start, own.stop - low.start) for own, low in zip(cuboid.core, box))
        largest = float(depth[inner].max())
        # the nearest voxel that was not read, where the volume goes on
        ends = zip(box, shape, size * (halo + 1))
        unseen = min((far for side, length, far in ends if side.start > 0 or side.stop < length), default=np.inf)
        if largest <= unseen:
            break
        halo_nm = min(largest, 2 * halo_nm)
    found = _measure(
        regions, depth, np.array([side.start for side in inner]), np.array(cuboid.shape), len(ids), np.array(DEPTHS_NM)
    )
    own = found[0] > 0
    voxels, first, second, boxes, depths, thickest, deeper, faces = (values[own] for values in found)
    start = np.array(cuboid.start)
    _carry(depths)
    ids, at_gap = ids[own], np.zeros(own.sum(), bool)
    if gaps is not None:
        at_gap = np.isin(ids, _at_gaps(labels[inner], cuboid, gaps, stride))
    return Measured(
        ids.astype(np.uint64),
        voxels,
        first + voxels[:, None] * start,
        second,
        np.broadcast_to(start, (len(ids), 3)),
        boxes + np.repeat(start, 2),
        depths,
        thickest,
        deeper,
        faces,
        at_gap,
    )


def join_measured(
    parts: Callable[[], Iterable[Measured]],
    shape: Shape,
    voxel_nm: VoxelSize,
    stride: Shape,
    missing: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The segments of a volume from what was measured in its cuboids.

    Parameters
    ----------
    parts : goes through the parts, in any order, one at a time; called twice
    shape : of the thinned volume
    voxel_nm : full size of a voxel (z, y, x)
    stride : thinning; places and boxes are given in thinned voxels
    missing : cuboids that are not among the parts, as `spinome.gaps.gap_table` of the thinned volume; a segment whose
        box reaches there is cut

    Returns
    -------
    Table of one row per segment: `segment voxels volume_um3 z_nm y_nm x_nm` (centroid), `extent_nm` (diagonal of the
    bounding box), `radius_nm` (three times the mean distance to the surface: the radius where it is a cylinder),
    `thickest_nm` (largest distance to the surface), `on_edge`, the bounding box `z0 z1 y0 y1 x0 x1`, and what
    `spinome.linking.shape` needs: DEEPER, FACES, SECOND (about the first corner of the box)
    """
    size = np.asarray(voxel_nm, float) * stride
    labels = np.unique(np.concatenate([np.zeros(0, np.uint64), *(part.labels for part in parts())]))
    count = len(labels)
    voxels, places = np.zeros(count, np.int64), np.zeros((count, 3), np.int64)
    boxes = np.tile(np.array([np.iinfo(np.int64).max, 0] * 3), (count, 1))
    depth, thickest = np.zeros((count, 2), np.int64), np.zeros(count)
    deeper, faces = np.zeros((count, len(DEEPER)), np.int64), np.zeros((count, 3), np.int64)
    at_gap, second = np.zeros(count, bool), np.zeros((count, len(PAIRS)), np.int64)
    for part in parts():
        rows = np.searchsorted(labels, part.labels)
        for sums, own in (
            (voxels, part.voxels),
            (places, part.places),
            (depth, part.depth),
            (deeper, part.deeper),
            (faces, part.faces),
        ):
            sums[rows] += own
        boxes[rows, ::2] = np.minimum(boxes[rows, ::2], part.boxes[:, ::2])
        boxes[rows, 1::2] = np.maximum(boxes[rows, 1::2], part.boxes[:, 1::2])
        thickest[rows] = np.maximum(thickest[rows], part.thickest)
        at_gap[rows] |= part.at_gap
    for part in parts():
        rows = np.searchsorted(labels, part.labels)
        away, own = part.start - boxes[rows, ::2], part.places - part.voxels[:, None] * part.start
        for column, (a, b) in enumerate(PAIRS):
            mixed = away[:, a] * own[:, b] + away[:, b] * own[:, a] + part.voxels * away[:, a] * away[:, b]
            second[rows, column] += part.second[:, column] + mixed
    _carry(depth)
    mean = (depth[:, 0] * (2.0**LOWER_BITS / DEPTH_UNIT) + depth[:, 1] / DEPTH_UNIT) / voxels
    frame = pd.DataFrame({"segment": labels.astype(np.int64), "voxels": voxels * int(np.prod(stride))})
    frame["volume_um3"] = voxels * float(np.prod(size)) / 1e9
    for axis, name in enumerate("zyx"):
        frame[f"{name}_nm"] = (places[:, axis] / voxels + 0.5) * size[axis]
    frame["extent_nm"] = np.linalg.norm((boxes[:, 1::2] - boxes[:, ::2]) * size, axis=1)
    frame["radius_nm"] = np.where(np.isinf(thickest), np.inf, 3 * mean)
    frame["thickest_nm"] = thickest
    on_edge = (boxes[:, ::2] == 0).any(axis=1) | (boxes[:, 1::2] == np.array(shape)).any(axis=1) | at_gap
    if missing is not None:
        on_edge |= boxes_at_gaps(boxes[:, ::2], boxes[:, 1::2] - 1, missing)
    frame["on_edge"] = on_edge
    columns = zip((SIDES, DEEPER, FACES, SECOND), (boxes, deeper, faces, second))
    return frame.assign(**{name: value for names, values in columns for name, value in zip(names, values.T)})


def save_measured(path: str | Path, measured: Measured) -> None:
    """Write what was measured in a cuboid."""
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **vars(measured))


def read_measured(path: str | Path) -> Measured:
    """Read what `save_measured` wrote."""
    with np.load(path) as stored:
        return Measured(**{field.name: stored[field.name] for field in fields(Measured)})


def nearest_voxels(
    labels: np.ndarray, cuboid: Cuboid, segments: np.ndarray, centre: np.ndarray, voxel_nm: VoxelSize
) -> tuple[np.ndarray, np.ndarray]:
    """For each segment the voxel of a cuboid that is nearest to its centroid, the first of several.

    Parameters
    ----------
    labels : (Z, Y, X) of the core
    cuboid : its place in the thinned volume
    segments : (N,) sorted labels; centre : (N, 3) their centroids in thinned voxels
    voxel_nm : size of a thinned voxel (z, y, x)

    Returns
    -------
    squared distance (N,) in nm2, infinite where the cuboid has none of it; voxel (N, 3) int64 in the thinned volume
    """
    return _nearest_voxels(
        compact(labels, segments), np.array(cuboid.start, np.int64), centre, np.asarray(voxel_nm, float)
    )


def join_nearest(parts: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]], segments: np.ndarray) -> np.ndarray:
    """The nearest voxel (N, 3) of each of the sorted `segments`, -1 where it has none; of labels, distances, voxels."""
    least = np.full(len(segments), np.inf)
    nearest = np.full((len(segments), 3), -1, np.int64)
    for labels, away, voxel in parts:
        rows = np.searchsorted(segments, labels)
        # of voxels as near as one another the first of the volume
        before = np.zeros(len(rows), bool)
        same = away == least[rows]
        for axis in (2, 1, 0):
            low, held = voxel[:, axis], nearest[rows, axis]
            before = (low < held) | ((low == held) & before)
        better = (away < least[rows]) | (same & before)
        least[rows[better]], nearest[rows[better]] = away[better], voxel[better]
    return nearest


def centroids(frame: pd.DataFrame, voxel_nm: VoxelSize) -> np.ndarray:
    """Centroids (N, 3) of the rows of `join_measured`, in thinned voxels of a size (z, y, x)."""
    return frame[["z_nm", "y_nm", "x_nm"]].to_numpy() / np.asarray(voxel_nm) - 0.5


def with_inside(frame: pd.DataFrame, nearest: np.ndarray, voxel_nm: VoxelSize, stride: Shape) -> pd.DataFrame:
    """The table of `join_measured` with the columns INSIDE after the centroid.

    Parameters
    ----------
    nearest : (N, 3) of `join_nearest`; where a segment has none, its centroid has to do
    voxel_nm : full size of a voxel (z, y, x)
    """
    frame, after = frame.copy(), frame.columns.get_loc("x_nm")
    for axis, name in enumerate(INSIDE):
        # a thinned voxel is the first of those that it stands for
        place = (nearest[:, axis] * stride[axis] + 0.5) * voxel_nm[axis]
        frame.insert(after + 1 + axis, name, np.where(nearest[:, axis] < 0, frame[f"{'zyx'[axis]}_nm"], place))
    return frame


def _at_gaps(labels: np.ndarray, cuboid: Cuboid, gaps: pd.DataFrame, stride: Shape) -> np.ndarray:
    """The labels of a core that touch a gap or lie in one."""
    shifted = gaps.copy()
    for axis, start, step in zip("zyx", cuboid.start, stride):
        # whole steps, so that thinning does to them what it does to the volume
        shifted[[f"{axis}0", f"{axis}1"]] -= start * step
    low, high = (shifted[[f"{axis}{end}" for axis in "zyx"]].to_numpy() for end in (0, 1))
    # a gap has a border of one voxel, and thinned ones
    near = ((high >= -np.array(stride)) & (low <= (np.array(labels.shape) + 1) * stride)).all(axis=1)
    return labels_at_gaps(labels, shifted[near], stride)


def _carry(sums: np.ndarray) -> None:
    """Bring what the lower sums have beyond their bits up."""
    sums[:, 0] += sums[:, 1] >> LOWER_BITS
    sums[:, 1] &= (1 << LOWER_BITS) - 1


@njit(cache=True)
def _measure(regions, depth, low, core, n, depths):
    voxels, first, second = np.zeros(n, np.int64), np.zeros((n, 3), np.int64), np.zeros((n, 6), np.int64)
    box, sums, largest = np.zeros((n, 6), np.int64), np.zeros((n, 2), np.int64), np.zeros(n)
    deeper, faces = np.zeros((n, len(depths)), np.int64), np.zeros((n, 3), np.int64)
    shape = regions.shape
    for z in range(core[0]):
        for y in range(core[1]):
            for x in range(core[2]):
                c, b, a = z + low[0], y + low[1], x + low[2]
                mine = regions[c, b, a]
                if mine < 0:
                    continue
                if voxels[mine] == 0:
                    box[mine] = (z, z + 1, y, y + 1, x, x + 1)
                voxels[mine] += 1
                first[mine, 0] += z
                first[mine, 1] += y
                first[mine, 2] += x
                second[mine, 0] += z * z
                second[mine, 1] += z * y
                second[mine, 2] += z * x
                second[mine, 3] += y * y
                second[mine, 4] += y * x
                second[mine, 5] += x * x
                box[mine, 1] = z + 1
                box[mine, 2] = min(box[mine, 2], y)
                box[mine, 3] = max(box[mine, 3], y + 1)
                box[mine, 4] = min(box[mine, 4], x)
                box[mine, 5] = max(box[mine, 5], x + 1)
                deep = float(depth[c, b, a])
                whole = np.int64(min(deep, DEEPEST_NM) * DEPTH_UNIT)
                sums[mine, 0] += whole >> LOWER_BITS
                sums[mine, 1] += whole & ((1 << LOWER_BITS) - 1)
                largest[mine] = max(largest[mine], deep)
                for number in range(len(depths)):
                    deeper[mine, number] += deep > depths[number]
                # the volume's edge is no surface
                if c + 1 < shape[0] and regions[c + 1, b, a] != mine:
                    faces[mine, 0] += 1
                if c > 0 and regions[c - 1, b, a] != mine:
                    faces[mine, 0] += 1
                if b + 1 < shape[1] and regions[c, b + 1, a] != mine:
                    faces[mine, 1] += 1
                if b > 0 and regions[c, b - 1, a] != mine:
                    faces[mine, 1] += 1
                if a + 1 < shape[2] and regions[c, b, a + 1] != mine:
                    faces[mine, 2] += 1
                if a > 0 and regions[c, b, a - 1] != mine:
                    faces[mine, 2] += 1
    return voxels, first, second, box, sums, largest, deeper, faces


@njit(cache=True)
def _nearest_voxels(regions, start, centre, size):
    least = np.full(len(centre), np.inf)
    nearest = np.zeros((len(centre), 3), dtype=np.int64)
    for z in range(regions.shape[0]):
        for y in range(regions.shape[1]):
            for x in range(regions.shape[2]):
                region = regions[z, y, x]
                if region < 0:
                    continue
                c, b, a = z + start[0], y + start[1], x + start[2]
                away = ((c - centre[region, 0]) * size[0]) ** 2
                away += ((b - centre[region, 1]) * size[1]) ** 2 + ((a - centre[region, 2]) * size[2]) ** 2
                if away < least[region]:
                    least[region] = away
                    nearest[region] = c, b, a
    return least, nearest
