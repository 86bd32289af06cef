"""Contacts: what one cuboid of a labelled volume says of its region graph.

Every statistic of the graph is a sum over voxels or over faces, and each belongs to one cuboid: a voxel to the one it
lies in, a face to the one of its first voxel. The sums are kept as whole numbers, so that they are the same in any
order, and those of cuboids add up to those of the volume to the last bit, however it is cut.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from spinome.cuboids import Shape
from spinome.io.units import VoxelSize

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
# how thoroughly files are packed, of 9
PACKING = 4


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
    numbers, found = _numbers(labels.ravel())
    faces = face_areas(voxel_nm)
    inside = _Sums.zeros(len(found))
    keys, *between = _accumulate(numbers.reshape(labels.shape), membrane, core, faces / faces.max(), *inside)
    order = np.argsort(found)
    # regions count in the order of their labels from here on
    ids, rank = found[order].astype(np.uint64), np.argsort(order)
    pairs = np.sort(rank[np.stack(np.divmod(keys, max(len(ids), 1)), axis=1)], axis=1)
    sorted_pairs = np.lexsort((pairs[:, 1], pairs[:, 0]))
    regions_sums, face_sums = _Sums(*(rows[order] for rows in inside)), _Sums(*(rows[sorted_pairs] for rows in between))
    for rows in (regions_sums.sums, face_sums.sums):
        _carry(rows, np.arange(len(rows)))
    own = regions_sums.sums[:, 0] > 0
    return Contacts(ids[own], *(rows[own] for rows in regions_sums), ids[pairs[sorted_pairs]], *face_sums)


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
    # most of a histogram is zeros, which the fast way packs almost as well as the thorough one
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=PACKING) as archive:
        for name, values in vars(contacts).items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values)


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
def _numbers(labels):
    """Number labels (V,) from 0 as they come up, -1 for label 0: the numbers (V,) int32, and the label of each."""
    numbers = np.empty(len(labels), np.int32)
    # slots hold a number, and the label in `found` tells whose it is
    table = np.full(1 << 10, EMPTY, np.int64)
    found = np.empty(1 << 8, labels.dtype)
    count, voxel = 0, 0
    while voxel < len(labels):
        label, number = labels[voxel], np.int32(EMPTY)
        if label != 0:
            slot = _slot_of(table, found, label)
            if table[slot] == EMPTY:
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                    table = np.full(2 * len(table), EMPTY, np.int64)
                    for known in range(count):
                        table[_slot_of(table, found, found[known])] = known
                    slot = _slot_of(table, found, label)
                found[count], table[slot] = label, count
                count += 1
            number = np.int32(table[slot])
        # the same label most often follows
        while voxel < len(labels) and labels[voxel] == label:
            numbers[voxel] = number
            voxel += 1
    return numbers, found[:count].copy()


@njit(cache=True)
def _slot_of(table, found, label):
    """Slot of a label in an open-addressing hash table of numbers, or the free slot where it goes."""
    mask = len(table) - 1
    key = np.int64(label)
    slot = (key * 0x9E3779B1 ^ (key >> 15)) & mask
    while table[slot] != EMPTY and found[table[slot]] != label:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def _longer(rows):
    """The same rows with as many again, of zeros."""
    longer = np.zeros((2 * rows.shape[0], rows.shape[1]), rows.dtype)
    longer[: rows.shape[0]] = rows
    return longer


@njit(cache=True)
def _accumulate(regions, membrane, core, shares, region_s, region_h):
    """Add voxels up by region, and faces by pair: the pairs' keys as they come up, their sums and histograms."""
    depth, height, width = regions.shape
    n = len(region_s)
    weights = (shares * FACE + 0.5).astype(np.int64)
    table = np.full((1 << 10, 2), EMPTY, dtype=np.int64)
    keys = np.empty(1 << 8, np.int64)
    face_s, face_h = np.zeros((len(keys), SUMS), np.int64), np.zeros((len(keys), BINS), np.int64)
    count = 0
    for z in range(core[0]):
        for y in range(core[1]):
            # room for as many new pairs as there are faces in a row
            while count + 3 * core[2] > len(keys):
                keys = np.concatenate((keys, np.empty_like(keys)))
                face_s, face_h = _longer(face_s), _longer(face_h)
            while 2 * (count + 3 * core[2]) > table.shape[0]:
                table = grow(table)
            _add_row(regions, membrane, z, y, core[2], region_s, region_h)
            # across the volume's end lies the row itself, with which it has no face
            below, behind = min(z + 1, depth - 1), min(y + 1, height - 1)
            for axis, over_z, over_y, over_x, faces in (
                (0, below, y, 0, core[2]),
                (1, z, behind, 0, core[2]),
                (2, z, y, 1, min(core[2], width - 1)),
            ):
                share, weight = shares[axis], weights[axis]
                last, place = np.int64(EMPTY), 0
                for x in range(faces):
                    if regions[z, y, x] == regions[over_z, over_y, x + over_x]:
                        continue
                    a, b = np.int64(regions[z, y, x]), np.int64(regions[over_z, over_y, x + over_x])
                    if a < 0 or b < 0:
                        continue
                    key = a * n + b if a < b else b * n + a
                    if key != last:
                        slot = find_slot(table, key)
                        if table[slot, 0] == EMPTY:
                            table[slot, 0], table[slot, 1] = key, count
                            keys[count] = key
                            count += 1
                        last, place = key, table[slot, 1]
                    value = max(membrane[z, y, x], membrane[over_z, over_y, x + over_x])
                    _add(face_s, face_h, place, value, share, weight)
    return keys[:count].copy(), face_s[:count].copy(), face_h[:count].copy()


@njit(cache=True)
def _add_row(regions, membrane, z, y, width, region_s, region_h):
    """Add the voxels of a row to the sums of their regions; those of one region in a row stay in registers."""
    lower = (1 << LOWER_BITS) - 1
    x = 0
    while x < width:
        a, start = regions[z, y, x], x
        u1, u2, u3, u4, l1, l2, l3, l4 = 0, 0, 0, 0, 0, 0, 0, 0
        while x < width and regions[z, y, x] == a:
            if a >= 0:
                value = np.float64(membrane[z, y, x])
                region_h[a, min(int(value * BINS), BINS - 1)] += 1
                one = np.int64(value * UNIT)
                second = value * value
                two = np.int64(second * UNIT)
                third = second * value
                three = np.int64(third * UNIT)
                four = np.int64(third * value * UNIT)
                u1 += one >> LOWER_BITS
                l1 += one & lower
                u2 += two >> LOWER_BITS
                l2 += two & lower
                u3 += three >> LOWER_BITS
                l3 += three & lower
                u4 += four >> LOWER_BITS
                l4 += four & lower
            x += 1
        if a >= 0:
            region_s[a, 0] += x - start
            region_s[a, 1] += u1
            region_s[a, 2] += l1
            region_s[a, 3] += u2
            region_s[a, 4] += l2
            region_s[a, 5] += u3
            region_s[a, 6] += l3
            region_s[a, 7] += u4
            region_s[a, 8] += l4
