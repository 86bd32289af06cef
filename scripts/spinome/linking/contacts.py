"""Contacts: what one cuboid of a labelled volume says of its region graph.

Every statistic of the graph is a sum over voxels or over faces, and each belongs to one cuboid: a voxel to the one it
lies in, a face to the one of its first voxel. The sums are kept as whole numbers, so that they are the same in any
order, and those of cuboids add up to those of the volume to the last bit, however it is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import fastremap
import numpy as np
from numba import njit

from spinome.cuboids import Shape
from spinome.io.units import VoxelSize
from spinome.labels import compact

BINS = 25
EMPTY = -1
# a value in [0, 1] is counted in units of 2**-62, of which the upper bits and the lower 32 are summed apart
UNIT, LOWER_BITS = 2.0**62, 32
# the area of a face is counted in parts of the largest face
FACE = 2**28
# weight, and the upper and lower sums of p, p**2, p**3 and p**4
SUMS = 9
# up to here no sum of a region's voxels, or of the faces between two, can pass 2**63
MOST_VOXELS, MOST_FACES = 2**33, 2**32


@dataclass(frozen=True)
class Contacts:
    """N regions of a cuboid and the P pairs of regions of which a face begins in it.

    Attributes
    ----------
    labels : (N,) uint64, sorted
    region_sums : (N, SUMS) int64, voxels, and sums of p, p**2, p**3 and p**4 of the membrane probability p over them
    region_histogram : (N, BINS) int64, voxels by membrane probability
    sides : (P, 2) uint64, labels, lower first, sorted; one of them may lie beyond the cuboid alone
    face_sums, face_histogram : (P, SUMS) and (P, BINS) int64, the same over the faces between two regions, weighted
        by their area; the value of a face is the higher probability of its two voxels
    """

    labels: np.ndarray
    region_sums: np.ndarray
    region_histogram: np.ndarray
    sides: np.ndarray
    face_sums: np.ndarray
    face_histogram: np.ndarray


def find_contacts(labels: np.ndarray, membrane: np.ndarray, voxel_nm: VoxelSize, core: Shape | None = None) -> Contacts:
    """Find the contacts of a cuboid.

    Parameters
    ----------
    labels : (Z, Y, X) int, the cuboid and, where the volume goes on, the voxels after it; 0 is no region
    membrane : (Z, Y, X) float in [0, 1]
    voxel_nm : size of a voxel (z, y, x)
    core : voxels of the cuboid itself (z, y, x); all of them where it is not given

    Raises
    ------
    ValueError: if the shapes differ.
    """
    if labels.shape != membrane.shape:
        raise ValueError(f"labels have shape {labels.shape} and membranes {membrane.shape}; they must be the same")
    core = core or labels.shape
    labels = labels.view(np.uint8) if labels.dtype == bool else labels
    ids = fastremap.unique(labels)
    ids = ids[ids != 0]
    # superpixels of a whole volume are 1..N: no second volume is needed to number them
    regions, lowest = (labels, 1) if len(ids) and ids[-1] == len(ids) else (compact(labels, ids), 0)
    pairs, table = touching(regions, len(ids), lowest, core)
    inside, between = _Sums.zeros(len(ids)), _Sums.zeros(len(pairs))
    faces = face_areas(voxel_nm)
    _accumulate(regions, lowest, membrane, table, core, faces / faces.max(), *inside, *between)
    for sums in (inside.sums, between.sums):
        _carry(sums, np.arange(len(sums)))
    ids, own = ids.astype(np.uint64), inside.sums[:, 0] > 0
    return Contacts(ids[own], inside.sums[own], inside.histogram[own], ids[pairs], *between)


def join_contacts(parts: Callable[[], Iterable[Contacts]]) -> Contacts:
    """The contacts of a volume from those of its cuboids.

    A pair is left out where one of its regions has no voxel in any part: its cuboid is not among them.

    Parameters
    ----------
    parts : goes through the parts, in any order, one at a time; called twice

    Raises
    ------
    ValueError: if a region or a contact is larger than can be summed.
    """
    labels, keys = _known([(part.labels, part.sides) for part in parts()])
    regions, faces = _Sums.zeros(len(labels)), _Sums.zeros(len(keys))
    for part in parts():
        regions.add(np.searchsorted(labels, part.labels), part.region_sums, part.region_histogram)
        own, known = _keys(part.sides, labels)
        faces.add(np.searchsorted(keys, own), part.face_sums[known], part.face_histogram[known])
    if regions.sums[:, 0].max(initial=0) > MOST_VOXELS or faces.sums[:, 0].max(initial=0) > MOST_FACES * FACE:
        raise ValueError(
            f"a superpixel has more than {MOST_VOXELS:,} voxels, or two share more than {MOST_FACES:,} faces, and no "
            "sum over them would be right; leave out what is no tissue by a `mask` in the sample sheet"
        )
    sides = labels[np.stack(np.divmod(keys, max(len(labels), 1)), axis=1).astype(np.int64)]
    return Contacts(labels, regions.sums, regions.histogram, sides, faces.sums, faces.histogram)


def save_contacts(path: str | Path, contacts: Contacts) -> None:
    """Write the contacts of a cuboid."""
    with Path(path).open("wb") as file:
        # most of a histogram is zeros
        np.savez_compressed(file, **vars(contacts))


def read_contacts(path: str | Path) -> Contacts:
    """Read what `save_contacts` wrote."""
    with np.load(path) as stored:
        return Contacts(**{field.name: stored[field.name] for field in fields(Contacts)})


def count_superpixels(path: str | Path) -> int:
    """How many superpixels have a voxel in a cuboid, from what `save_contacts` wrote."""
    with np.load(path) as stored:
        return len(stored["labels"])


def face_areas(voxel_nm: VoxelSize) -> np.ndarray:
    """Area (3,) in um2 of the faces across z, y and x."""
    z, y, x = (size / 1000 for size in voxel_nm)
    return np.array([y * x, z * x, z * y])


def touching(regions: np.ndarray, n: int, lowest: int = 0, core: Shape | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Which regions share a face.

    Parameters
    ----------
    regions : (Z, Y, X) int, `lowest` for region 0 and so on to n-1, less where there is none
    core : faces that begin in the first voxels (z, y, x) alone count; all where it is not given

    Returns
    -------
    pairs : (E, 2) int64, lower number first, sorted
    table : hash table in which `find_slot` finds the number of a pair by its key, lower number * n + higher number
    """
    table = _collect_pairs(regions, lowest, np.full((1 << 10, 2), EMPTY, dtype=np.int64), n, core or regions.shape)
    keys = np.sort(table[table[:, 0] != EMPTY, 0])
    table[_slots(table, keys), 1] = np.arange(len(keys))
    return np.stack([keys // n, keys % n], axis=1) if n else np.zeros((0, 2), np.int64), table


class _Sums(NamedTuple):
    """Rows of whole sums and their histograms."""

    sums: np.ndarray
    histogram: np.ndarray

    @classmethod
    def zeros(cls, rows: int) -> _Sums:
        return cls(np.zeros((rows, SUMS), np.int64), np.zeros((rows, BINS), np.int64))

    def add(self, rows: np.ndarray, sums: np.ndarray, histogram: np.ndarray) -> None:
        """Add to these rows; none of them is named twice."""
        self.sums[rows] += sums
        self.histogram[rows] += histogram
        _carry(self.sums, rows)


def _known(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Labels of all parts, and the keys of all pairs of them."""
    labels = _union(labels for labels, _ in parts)
    return labels, _union(_keys(sides, labels)[0] for _, sides in parts)


def _union(sets: Iterable[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *sets]))


def _keys(sides: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One number for each pair of which both labels are among the sorted `labels`, and which pairs these are."""
    places = np.searchsorted(labels, sides).astype(np.uint64)
    inside = places.clip(max=max(len(labels) - 1, 0))
    known = (labels[inside] == sides).all(axis=1) if len(labels) else np.zeros(len(sides), bool)
    first, second = places[known].T
    return first * np.uint64(len(labels)) + second, known


@njit(cache=True)
def find_slot(table, key):
    """Slot of a key in an open-addressing hash table (S, 2) of key and value, or the free slot where it goes."""
    mask = table.shape[0] - 1
    slot = (key * 0x9E3779B1 ^ (key >> 15)) & mask
    while table[slot, 0] != EMPTY and table[slot, 0] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def grow(table):
    """The same hash table in twice the space."""
    bigger = np.full((2 * table.shape[0], 2), EMPTY, dtype=np.int64)
    for slot in range(table.shape[0]):
        if table[slot, 0] != EMPTY:
            target = find_slot(bigger, table[slot, 0])
            bigger[target, 0] = table[slot, 0]
            bigger[target, 1] = table[slot, 1]
    return bigger


@njit(cache=True)
def _slots(table, keys):
    slots = np.empty(len(keys), dtype=np.int64)
    for number in range(len(keys)):
        slots[number] = find_slot(table, keys[number])
    return slots


@njit(cache=True)
def _collect_pairs(regions, lowest, table, n, core):
    depth, height, width = regions.shape
    count = 0
    last = np.full(3, EMPTY, dtype=np.int64)
    for z in range(core[0]):
        for y in range(core[1]):
            for x in range(core[2]):
                a = np.int64(regions[z, y, x]) - lowest
                if a < 0:
                    continue
                for axis in range(3):
                    if axis == 0:
                        b = np.int64(regions[z + 1, y, x]) - lowest if z + 1 < depth else a
                    elif axis == 1:
                        b = np.int64(regions[z, y + 1, x]) - lowest if y + 1 < height else a
                    else:
                        b = np.int64(regions[z, y, x + 1]) - lowest if x + 1 < width else a
                    if b == a or b < 0:
                        continue
                    key = a * n + b if a < b else b * n + a
                    if key == last[axis]:
                        continue
                    last[axis] = key
                    slot = find_slot(table, key)
                    if table[slot, 0] == EMPTY:
                        table[slot, 0] = key
                        count += 1
                        if 2 * count > table.shape[0]:
                            table = grow(table)
    return table


@njit(cache=True)
def _add(sums, histogram, row, value, share, weight):
    """Add a value in [0, 1] that counts as `share`, which in whole parts is `weight`."""
    sums[row, 0] += weight
    power = share
    for order in range(4):
        power *= value
        whole = np.int64(power * UNIT)
        sums[row, 2 * order + 1] += whole >> LOWER_BITS
        sums[row, 2 * order + 2] += whole & ((1 << LOWER_BITS) - 1)
    histogram[row, min(int(value * BINS), BINS - 1)] += weight


@njit(cache=True)
def _carry(sums, rows):
    """Bring what the lower sums have beyond their bits up, so that equal sums look the same."""
    for row in rows:
        for order in range(4):
            sums[row, 2 * order + 1] += sums[row, 2 * order + 2] >> LOWER_BITS
            sums[row, 2 * order + 2] &= (1 << LOWER_BITS) - 1


@njit(cache=True)
def _accumulate(regions, lowest, membrane, table, core, shares, region_s, region_h, face_s, face_h):
    depth, height, width = regions.shape
    n = len(region_s)
    weights = (shares * FACE + 0.5).astype(np.int64)
    for z in range(core[0]):
        for y in range(core[1]):
            for x in range(core[2]):
                a = np.int64(regions[z, y, x]) - lowest
                if a < 0:
                    continue
                value = float(membrane[z, y, x])
                _add(region_s, region_h, a, value, 1.0, 1)
                for axis in range(3):
                    if axis == 0:
                        if z + 1 >= depth:
                            continue
                        b, other = np.int64(regions[z + 1, y, x]) - lowest, float(membrane[z + 1, y, x])
                    elif axis == 1:
                        if y + 1 >= height:
                            continue
                        b, other = np.int64(regions[z, y + 1, x]) - lowest, float(membrane[z, y + 1, x])
                    else:
                        if x + 1 >= width:
                            continue
                        b, other = np.int64(regions[z, y, x + 1]) - lowest, float(membrane[z, y, x + 1])
                    if b == a or b < 0:
                        continue
                    key = a * n + b if a < b else b * n + a
                    edge = table[find_slot(table, key), 1]
                    _add(face_s, face_h, edge, max(value, other), shares[axis], weights[axis])
