"""The parts of objects in one cuboid: what merging needs to know, without the voxels ever being read again.

A part is a connected patch of one section of one cuboid. Everything an object is, its size, its extent, how many
sections it spans, how large its patches are, follows from its parts and from which of them touch.
"""

from __future__ import annotations

from pathlib import Path

import cc3d
import numba
import numpy as np
import pandas as pd

# probabilities are summed in units of a millionth, since sums of integers do not depend on their order
PROBABILITY_UNIT = 1_000_000
CONNECTIVITIES = {6: 1, 18: 2, 26: 3}


def neighbours(connectivity: int) -> np.ndarray:
    """Half of the neighbours of a voxel, those later in raster order: (3, 9 or 13, 3) offsets (z, y, x).

    Raises
    ------
    ValueError: if the connectivity is none of 6, 18 and 26.
    """
    if connectivity not in CONNECTIVITIES:
        raise ValueError(f"objects are connected over 6, 18 or 26 neighbours, not {connectivity}")
    grid = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    return grid[14:][np.abs(grid[14:]).sum(axis=1) <= CONNECTIVITIES[connectivity]]


def find_parts(
    values: np.ndarray, probability: np.ndarray | None, start: tuple[int, int, int], shape: tuple[int, int, int]
) -> dict[str, np.ndarray]:
    """Label the parts of a cuboid and describe them.

    Parameters
    ----------
    values : (Z, Y, X) of the cuboid's core: integers, 0 for background; voxels of different values never join
    probability : (Z, Y, X) float in 0..1, or None where the objects are given
    start : first voxel (z, y, x) of the core in the volume
    shape : of the whole volume

    Returns
    -------
    `labels` (Z, Y, X) uint32, parts numbered from 1; for each part `value`, `first` (raster index in the volume of
    its first voxel), `voxels`, `z`, `y0 y1 x0 x1` (inclusive), `sum_y sum_x` (of coordinates in the volume),
    `sum_probability max_probability` (in millionths), all int64; `pairs` (N, 2) of parts that touch within the
    cuboid, with `step` (N,) how they touch (1 over a face, 2 an edge, 3 a corner) and `flat` (N,) whether within a
    section; `shell` (M,) raster indices of the object voxels on the surface of the core and `shell_part` their parts.

    Raises
    ------
    ValueError: if a probability lies outside of 0 to 1.
    """
    labels = np.zeros(values.shape, np.uint32)
    count = 0
    for z, section in enumerate(values):
        if section.any():
            patches, found = cc3d.connected_components(np.ascontiguousarray(section), connectivity=4, return_N=True)
            labels[z] = np.where(patches > 0, patches + count, 0)
            count += found
    if probability is None:
        likely = np.full((1, 1, 1), PROBABILITY_UNIT, np.int64)
    else:
        if not ((probability >= 0) & (probability <= 1)).all():
            raise ValueError("probabilities must lie between 0 and 1")
        likely = np.rint(probability.astype(np.float64) * PROBABILITY_UNIT).astype(np.int64)
    table = _measure(labels, values, likely, np.array(start), np.array(shape), count)
    parts = {name: table[:, column] for column, name in enumerate(PART_COLUMNS)}
    pairs, step, flat = _touching(labels, values, neighbours(26))
    shell, shell_part = _shell(labels, start, shape)
    return {
        "labels": labels,
        **parts,
        "pairs": pairs,
        "step": step,
        "flat": flat,
        "shell": shell,
        "shell_part": shell_part,
    }


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
]


def save_parts(path: str | Path, parts: dict[str, np.ndarray]) -> None:
    """Write the parts of a cuboid as a compressed NPZ."""
    with Path(path).open("wb") as stream:
        np.savez_compressed(stream, **parts)


def load_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Read the table of parts and the contacts of a cuboid, without its labels."""
    with np.load(path) as stored:
        table = pd.DataFrame({name: stored[name] for name in PART_COLUMNS})
        return table, {name: stored[name] for name in ("pairs", "step", "flat", "shell", "shell_part")}


def load_labels(path: str | Path) -> np.ndarray:
    """Read the labels of a cuboid."""
    with np.load(path) as stored:
        return stored["labels"]


def _touching(labels: np.ndarray, values: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of parts of equal value that touch, each with its closest contact."""
    if not labels.any():
        return np.empty((0, 2), np.int64), np.empty(0, np.int64), np.empty(0, bool)
    found = _contacts(labels, values, offsets)
    frame = pd.DataFrame(found, columns=["first", "second", "step", "flat"])
    frame = frame.sort_values(["first", "second", "step"]).drop_duplicates(["first", "second"])
    return frame[["first", "second"]].to_numpy(), frame["step"].to_numpy(), frame["flat"].to_numpy() > 0


def _shell(labels: np.ndarray, start: tuple, shape: tuple) -> tuple[np.ndarray, np.ndarray]:
    surface = labels.copy()
    surface[1:-1, 1:-1, 1:-1] = 0
    at = np.nonzero(surface)
    raster = np.ravel_multi_index([axis + first for axis, first in zip(at, start)], shape)
    return raster.astype(np.int64), surface[at].astype(np.int64)


@numba.njit(cache=True)
def _measure(labels, values, likely, start, shape, count):
    table = np.zeros((count, 12), np.int64)
    depth, height, width = labels.shape
    given = likely.size == 1
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                label = labels[z, y, x]
                if label == 0:
                    continue
                row = table[np.int64(label) - 1]
                at_y, at_x = y + start[1], x + start[2]
                chance = likely[0, 0, 0] if given else likely[z, y, x]
                if row[2] == 0:
                    row[0] = values[z, y, x]
                    row[1] = ((z + start[0]) * shape[1] + at_y) * shape[2] + at_x
                    row[3] = z + start[0]
                    row[4], row[6] = at_y, at_x
                    row[5], row[7] = at_y, at_x
                row[2] += 1
                row[5] = at_y
                row[6], row[7] = min(row[6], at_x), max(row[7], at_x)
                row[8] += at_y
                row[9] += at_x
                row[10] += chance
                row[11] = max(row[11], chance)
    return table


@numba.njit(cache=True)
def _contacts(labels, values, offsets):
    depth, height, width = labels.shape
    size, count = 1024, 0
    found = np.empty((size, 4), np.int64)
    last = np.zeros((len(offsets), 2), np.int64)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                label = np.int64(labels[z, y, x])
                if label == 0:
                    continue
                for index in range(len(offsets)):
                    other_z, other_y, other_x = z + offsets[index, 0], y + offsets[index, 1], x + offsets[index, 2]
                    if other_z >= depth or not (0 <= other_y < height and 0 <= other_x < width):
                        continue
                    other = np.int64(labels[other_z, other_y, other_x])
                    if other == 0 or other == label or values[other_z, other_y, other_x] != values[z, y, x]:
                        continue
                    low, high = min(label, other), max(label, other)
                    # runs of voxels repeat a contact
                    if last[index, 0] == low and last[index, 1] == high:
                        continue
                    last[index, 0], last[index, 1] = low, high
                    if count == size:
                        grown = np.empty((2 * size, 4), np.int64)
                        grown[:size] = found
                        found, size = grown, 2 * size
                    found[count, 0], found[count, 1] = low, high
                    found[count, 2] = np.abs(offsets[index]).sum()
                    found[count, 3] = offsets[index, 0] == 0
                    count += 1
    return found[:count]
