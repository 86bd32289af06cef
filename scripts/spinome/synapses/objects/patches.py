"""The parts of objects in one cuboid: what merging needs to know, without the voxels ever being read again.

A part is a connected patch of one section of one cuboid. Everything an object is, its size, its extent, how many
sections it spans, how large its patches are, follows from its parts and from which of them touch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from spinome.synapses.classify import Evidence
from spinome.synapses.objects.run_labelling import (
    VALUE,
    X0,
    X1,
    Y,
    Z,
    find_runs,
    label_patches,
    paint_runs,
    touching_runs,
)
from spinome.synapses.objects.surround import SURROUND, sum_surround

# probabilities are summed in units of a millionth, since sums of integers do not depend on their order
PROBABILITY_UNIT = 1_000_000
PART_COLUMNS = [
    "value",
    "first",
    "voxels",
    "z",
    "y0",
    "y1",
    "x0",
    "x1",
    "sum_y",
    "sum_x",
    "sum_probability",
    "max_probability",
    "sum_yy",
    "sum_yx",
    "sum_xx",
    "likely",
    "sure",
    *(f"sum_{name}" for name in SURROUND),
]
# voxels of at least these probabilities are counted as likely and as sure
LIKELY, SURE = 0.5, 0.9
# how many columns there are before the sums over the surround
_OWN = len(PART_COLUMNS) - len(SURROUND)


@dataclass(frozen=True)
class Parts:
    """The parts of a cuboid, numbered from 0 in the raster order of their first voxels.

    table : (P, 27) int64 with `PART_COLUMNS`: the value of the part's voxels; the raster index in the volume of its
        first voxel; voxels; section; extent (inclusive) and sums of coordinates in the volume; sum and largest of
        the probabilities in millionths; sums of products of coordinates; voxels that are likely and sure ones; sums
        over the surround (`spinome.synapses.objects.surround`), 0 where the objects are given
    contacts : (N, 3) int64, two parts of equal value that touch within the cuboid, the earlier first, and how they
        touch (1 over a face, 2 an edge, 3 a corner)
    shell : (M, 6) int64, the runs on the surface of the cuboid: z, y, first and last x in the volume, value, part
    runs : (R, 5) int32, all runs: z, y, first and last x in the cuboid, part
    start, shape : (3,) first voxel of the cuboid in the volume, and its voxels (z, y, x)
    """

    table: np.ndarray
    contacts: np.ndarray
    shell: np.ndarray
    runs: np.ndarray
    start: np.ndarray
    shape: np.ndarray


def find_parts(
    values: np.ndarray,
    probability: np.ndarray | None,
    start: tuple[int, int, int],
    shape: tuple[int, int, int],
    evidence: Evidence | None = None,
) -> Parts:
    """Find the parts of a cuboid and describe them.

    Parameters
    ----------
    values : (Z, Y, X) of the cuboid's core: integers, 0 for background; voxels of different values never join
    probability : (Z, Y, X) float in 0..1, or None where the objects are given
    start : first voxel (z, y, x) of the core in the volume
    shape : voxels of the whole volume (z, y, x)
    evidence : the image, where the surround of objects is measured

    Raises
    ------
    ValueError: if the probability of an object's voxel lies outside of 0 to 1.
    """
    runs = find_runs(values)
    patch, count = label_patches(runs)
    given = probability is None
    likely = np.ones((1, 1, 1), np.float32) if given else probability
    table = _measure(runs, patch, count, likely, given, np.array(start), np.array(shape))
    if (table[:, PART_COLUMNS.index("max_probability")] < 0).any():
        raise ValueError("probabilities must lie between 0 and 1")
    around = np.zeros((count, len(SURROUND)), np.int64)
    if evidence is not None:
        z, y, x = (slice(low, low + length) for low, length in zip(start, values.shape))
        around = sum_surround(evidence, (z, y, x), runs, patch, count)
    table = np.column_stack([table, around])
    pairs = touching_runs(runs, 3)
    contacts = nearest_contacts(patch[pairs[:, 0]], patch[pairs[:, 1]], pairs[:, 2])
    ends = np.array(values.shape) - 1
    surface = (runs[:, X0] == 0) | (runs[:, X1] == ends[2])
    for column, last in ((Z, ends[0]), (Y, ends[1])):
        surface |= (runs[:, column] == 0) | (runs[:, column] == last)
    offset = np.array([start[0], start[1], start[2], start[2], 0])
    shell = np.column_stack([runs[surface] + offset, patch[surface]])
    stored = np.column_stack([runs[:, :VALUE], patch]).astype(np.int32)
    return Parts(table, contacts, shell, stored, np.array(start), np.array(values.shape))


def nearest_contacts(first: np.ndarray, second: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Contacts (N, 3) between different parts, each pair once, the lower number first, with its closest contact."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    apart = low != high
    contacts = np.column_stack([low, high, step])[apart]
    contacts = contacts[np.lexsort(contacts.T[::-1])]
    begins = np.ones(len(contacts), bool)
    begins[1:] = (contacts[1:, :2] != contacts[:-1, :2]).any(axis=1)
    return contacts[begins]


def save_parts(path: str | Path, parts: Parts) -> None:
    """Write the parts of a cuboid as NPZ."""
    with Path(path).open("wb") as stream:
        np.savez(stream, **vars(parts))


def load_parts(path: str | Path) -> Parts:
    """Read the parts of a cuboid."""
    with np.load(path) as stored:
        return Parts(**{name: stored[name] for name in Parts.__dataclass_fields__})


def paint_parts(parts: Parts, ids: np.ndarray) -> np.ndarray:
    """Label volume (Z, Y, X) of a cuboid, from the id of each of its parts."""
    return paint_runs(parts.runs, ids[parts.runs[:, VALUE]], tuple(parts.shape))


@numba.njit(cache=True)
def _measure(runs, patch, count, likely, given, start, shape):
    table = np.zeros((count, _OWN), np.int64)
    for index in range(len(runs)):
        z, y, low, high = runs[index, 0], runs[index, 1], runs[index, 2], runs[index, 3]
        row = table[patch[index]]
        at_y, length = y + start[1], high - low + 1
        first, last = low + start[2], high + start[2]
        if row[2] == 0:
            row[0] = runs[index, 4]
            row[1] = ((z + start[0]) * shape[1] + at_y) * shape[2] + first
            row[3] = z + start[0]
            row[4] = at_y
            row[6] = first
        row[2] += length
        row[5] = at_y
        row[6], row[7] = min(row[6], first), max(row[7], last)
        row[8] += at_y * length
        row[9] += (first + last) * length // 2
        row[12] += at_y * at_y * length
        row[13] += at_y * ((first + last) * length // 2)
        # the sum of squares up to a number n is n (n + 1) (2 n + 1) / 6
        row[14] += last * (last + 1) * (2 * last + 1) // 6 - (first - 1) * first * (2 * first - 1) // 6
        if given:
            row[10] += 1_000_000 * length
            row[11] = 1_000_000
            row[15] += length
            row[16] += length
            continue
        for x in range(low, high + 1):
            chance = likely[z, y, x]
            if not 0 <= chance <= 1:
                # the caller reports it
                row[11] = -1
            whole = np.int64(np.rint(np.float64(chance) * 1_000_000))
            row[10] += whole
            row[15] += chance >= LIKELY
            row[16] += chance >= SURE
            if row[11] >= 0:
                row[11] = max(row[11], whole)
    return table
