"""The region graph of a labelled volume: which regions touch, and what lies in and between them.

Every statistic is a sum (power sums and a histogram), so that those of merged regions are sums of their parts'.
"""

from __future__ import annotations

from dataclasses import dataclass

import fastremap
import numpy as np
from numba import njit

from spinome.labels import compact

BINS = 25
EMPTY = -1


@dataclass(frozen=True)
class RegionGraph:
    """Regions 0..N-1 and the E pairs of them that share a face.

    Attributes
    ----------
    labels : (N,) the label of each region in the volume
    pairs : (E, 2) int64, regions in contact, lower number first, sorted
    region_moments : (N, 5) float64, sums of p**0..p**4 of the membrane probability p over the region's voxels
    region_histogram : (N, BINS) float64, voxels by membrane probability
    edge_moments, edge_histogram : (E, 5) and (E, BINS) float64, the same over the contact's faces, weighted by their
        area in um2; the value of a face is the higher probability of its two voxels
    voxel_um3 : volume of a voxel
    """

    labels: np.ndarray
    pairs: np.ndarray
    region_moments: np.ndarray
    region_histogram: np.ndarray
    edge_moments: np.ndarray
    edge_histogram: np.ndarray
    voxel_um3: float


def region_graph(labels: np.ndarray, membrane: np.ndarray, voxel_nm: tuple[float, float, float]) -> RegionGraph:
    """Build the region graph of a labelled volume from its face contacts.

    Parameters
    ----------
    labels : (Z, Y, X) int, 0 is no region and has no contact
    membrane : (Z, Y, X) float in [0, 1]
    voxel_nm : size of a voxel (z, y, x)

    Raises
    ------
    ValueError: if the shapes differ or there is no region.
    """
    if labels.shape != membrane.shape:
        raise ValueError(f"labels have shape {labels.shape} and membranes {membrane.shape}; they must be the same")
    ids = fastremap.unique(labels)
    ids = ids[ids != 0]
    if not len(ids):
        raise ValueError("there is no region in the label volume: every voxel is 0")
    # superpixels are 1..N: no second volume is needed to number them
    regions, lowest = (labels, 1) if ids[-1] == len(ids) else (compact(labels, ids), 0)
    pairs, table = contacts(regions, len(ids), lowest)
    count = len(pairs)
    z, y, x = (size / 1000 for size in voxel_nm)
    region_moments = np.zeros((len(ids), 5))
    # float32 would stand still at 2**24 voxels or faces, here and where regions are merged
    region_histogram = np.zeros((len(ids), BINS))
    edge_moments = np.zeros((count, 5))
    edge_histogram = np.zeros((count, BINS))
    face_um2 = np.array([y * x, z * x, z * y])
    _accumulate(
        regions,
        lowest,
        membrane,
        table,
        face_um2,
        region_moments,
        region_histogram,
        edge_moments,
        edge_histogram,
        len(ids),
    )
    return RegionGraph(
        ids,
        pairs,
        region_moments,
        region_histogram,
        edge_moments,
        edge_histogram,
        voxel_um3=float(z * y * x),
    )


def contacts(regions: np.ndarray, n: int, lowest: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which regions share a face.

    Parameters
    ----------
    regions : (Z, Y, X) int, `lowest` for region 0 and so on to n-1, less where there is none

    Returns
    -------
    pairs : (E, 2) int64, lower number first, sorted
    table : hash table in which `find_slot` finds the number of a pair by its key, lower number * n + higher number
    """
    table = _collect_pairs(regions, lowest, np.full((1 << 16, 2), EMPTY, dtype=np.int64), n)
    keys = np.sort(table[table[:, 0] != EMPTY, 0])
    table[_slots(table, keys), 1] = np.arange(len(keys))
    return np.stack([keys // n, keys % n], axis=1), table


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
def _collect_pairs(regions, lowest, table, n):
    depth, height, width = regions.shape
    count = 0
    last = np.full(3, EMPTY, dtype=np.int64)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
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
def _add(moments, histogram, row, value, weight):
    power = weight
    for order in range(5):
        moments[row, order] += power
        power *= value
    histogram[row, min(int(value * BINS), BINS - 1)] += weight


@njit(cache=True)
def _accumulate(regions, lowest, membrane, table, face_um2, region_m, region_h, edge_m, edge_h, n):
    depth, height, width = regions.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                a = np.int64(regions[z, y, x]) - lowest
                if a < 0:
                    continue
                value = float(membrane[z, y, x])
                _add(region_m, region_h, a, value, 1.0)
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
                    _add(edge_m, edge_h, edge, max(value, other), face_um2[axis])
