"""Synapses per block, from how many voxels of each object lie in each block."""

from __future__ import annotations

from collections.abc import Collection

import numba
import numpy as np
import pandas as pd

from spinome.gaps import boxes_at_gaps, gap_boxes
from spinome.io.units import VoxelSize

COUNT_COLUMNS = ["synapse", "block", "voxels", "masked"]
BLOCK_COLUMNS = ["block", "z_nm", "y_nm", "x_nm", "synapses", "unmasked_um3", "density_um3", "known"]
SPLIT, MASKED = "no block holds more than half of it", "it touches the mask"
CUT = "it touches a cuboid that failed"


def block_axes(
    shape: tuple[int, int, int], voxel_nm: VoxelSize, block_um: tuple[float, float, float]
) -> tuple[list[np.ndarray], tuple[int, int, int]]:
    """Which block along an axis each voxel lies in, by its centre, and how many blocks there are along each axis.

    Raises
    ------
    ValueError: if a block is smaller than a voxel.
    """
    if any(block * 1000 < voxel for block, voxel in zip(block_um, voxel_nm)):
        raise ValueError(f"blocks of {block_um} um are smaller than voxels of {voxel_nm} nm; enlarge density.block_um")
    axes = [
        np.floor((np.arange(length) + 0.5) * voxel / (1000 * block)).astype(np.int64)
        for length, voxel, block in zip(shape, voxel_nm, block_um)
    ]
    return axes, tuple(int(axis[-1]) + 1 for axis in axes)


def count_voxels(
    runs: np.ndarray, synapse: np.ndarray, valid: np.ndarray | None, axes: list[np.ndarray], grid: tuple[int, int, int]
) -> pd.DataFrame:
    """Voxels of each object in each block within one cuboid.

    Parameters
    ----------
    runs : (R, 4 or more) of the cuboid's objects: z, y, first and last x; see `spinome.synapses.objects.run_labelling`
    synapse : (R,) object of each run, 0 where it is none
    valid : (Z, Y, X) bool, or None where nothing is masked
    axes : block of each voxel along the three axes, for this cuboid
    grid : blocks along each axis of the volume

    Returns
    -------
    table with `COUNT_COLUMNS`; the rows of `synapse` 0 count all voxels of a block, those of objects included
    """
    shown = np.ones((1, 1, 1), bool) if valid is None else valid
    rows = _split_runs(runs, synapse, shown, valid is not None, *axes, np.array(grid))
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    begins = np.flatnonzero(np.append(True, (rows[1:, :2] != rows[:-1, :2]).any(axis=1))) if len(rows) else []
    objects = np.column_stack([rows[begins, :2], np.add.reduceat(rows[:, 2:], begins)]) if len(rows) else rows
    return pd.DataFrame(np.concatenate([_count_blocks(valid, axes, grid), objects]), columns=COUNT_COLUMNS)


def gather_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Add up the counts of all cuboids (table with `COUNT_COLUMNS`)."""
    return counts.groupby(["synapse", "block"], as_index=False)[["voxels", "masked"]].sum()


def assign_blocks(counts: pd.DataFrame, synapses: Collection[int] = ()) -> pd.DataFrame:
    """The block of each object: the one with more than half of its voxels, if no voxel of the object is masked.

    Parameters
    ----------
    counts : what `gather_counts` returns
    synapses : all objects, where some may have no counted voxel

    Returns
    -------
    `synapse block reason`; block -1 where there is none, with the reason
    """
    objects = counts[counts["synapse"] > 0]
    total = objects.groupby("synapse")[["voxels", "masked"]].sum()
    share = objects.join(total, on="synapse", rsuffix="_total")
    held = share[2 * share["voxels"] > share["voxels_total"]].set_index("synapse")["block"]
    every = total.index.union(pd.Index(synapses, dtype=np.int64)).rename("synapse")
    result = pd.DataFrame({"block": held.reindex(every).fillna(-1).astype(np.int64)})
    result["reason"] = np.where(result["block"] < 0, SPLIT, "")
    touches = (total["masked"] > 0).reindex(every, fill_value=False)
    result.loc[touches, "block"] = -1
    result.loc[touches, "reason"] = MASKED
    return result.reset_index()


def count_unplaced(objects: pd.DataFrame) -> dict[str, int]:
    """How many objects belong to no block, by the reason; of a table with `block reason` from `assign_blocks`."""
    return objects.loc[objects["block"] < 0, "reason"].value_counts().to_dict()


def cut_objects(assigned: pd.DataFrame, objects: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Objects that touch a gap belong to no block, since the rest of them may lie in it.

    Parameters
    ----------
    assigned : from `assign_blocks`
    objects : `synapse z0 z1 y0 y1 x0 x1`, first and last voxels
    gaps : from `spinome.gaps.gap_table`

    Returns
    -------
    `assigned`, with block -1 and the reason of those that touch a gap
    """
    low, high = (objects[[f"{axis}{end}" for axis in "zyx"]].to_numpy(np.int64) for end in (0, 1))
    cut = assigned["synapse"].isin(objects.loc[boxes_at_gaps(low, high, gaps), "synapse"])
    return assigned.assign(block=assigned["block"].mask(cut, -1), reason=assigned["reason"].mask(cut, CUT))


def blocks_at_gaps(
    assigned: pd.DataFrame,
    kept: pd.DataFrame,
    gaps: pd.DataFrame,
    shape: tuple[int, int, int],
    voxel_nm: VoxelSize,
    block_um: tuple[float, float, float],
) -> np.ndarray:
    """The blocks of which not all is known: those that a gap touches, and those of objects that one cuts.

    Parameters
    ----------
    assigned, kept : from `assign_blocks`, and the same from `cut_objects`
    gaps : from `spinome.gaps.gap_table`
    """
    axes, grid = block_axes(shape, voxel_nm, block_um)
    lost = assigned.loc[(assigned["block"] >= 0) & (kept["block"] < 0), "block"].unique()
    found = [lost]
    for box in gap_boxes(gaps):
        within = np.meshgrid(*[np.unique(axis[side]) for axis, side in zip(axes, box)], indexing="ij")
        found.append(np.ravel_multi_index(within, grid).ravel())
    return np.unique(np.concatenate(found)).astype(np.int64)


def block_table(
    counts: pd.DataFrame,
    assigned: pd.DataFrame,
    shape: tuple[int, int, int],
    voxel_nm: VoxelSize,
    block_um: tuple[float, float, float],
    unknown: Collection[int] = (),
) -> pd.DataFrame:
    """One row per block: its centre, its synapses, its unmasked volume and its density (empty if all is masked).

    Of the blocks in `unknown` (`blocks_at_gaps`) neither is known: they have empty values and `known` is false.
    """
    axes, grid = block_axes(shape, voxel_nm, block_um)
    blocks = counts[counts["synapse"] == 0].set_index("block")
    blocks = blocks.reindex(blocks.index.union(pd.Index(unknown, dtype="int64"))).rename_axis("block")
    found = np.unravel_index(blocks.index.to_numpy(), grid)
    table = pd.DataFrame({"block": blocks.index})
    for name, axis, index, voxel in zip("zyx", axes, found, voxel_nm):
        first = np.searchsorted(axis, np.arange(axis[-1] + 1))
        last = np.searchsorted(axis, np.arange(axis[-1] + 1), side="right")
        table[f"{name}_nm"] = ((first + last) / 2 * voxel)[index]
    placed = assigned.loc[assigned["block"] >= 0, "block"].value_counts()
    table["synapses"] = placed.reindex(blocks.index).fillna(0).to_numpy(np.int64)
    table["known"] = ~table["block"].isin(unknown)
    table["unmasked_um3"] = ((blocks["voxels"] - blocks["masked"]) * (np.prod(voxel_nm) / 1e9)).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        table["density_um3"] = np.where(table["unmasked_um3"] > 0, table["synapses"] / table["unmasked_um3"], np.nan)
    table["synapses"] = table["synapses"].astype("Int64").where(table["known"])
    measured = ["unmasked_um3", "density_um3"]
    table[measured] = table[measured].where(table["known"], np.nan)
    return table[BLOCK_COLUMNS]


def _count_blocks(valid: np.ndarray | None, axes: list[np.ndarray], grid: tuple[int, int, int]) -> np.ndarray:
    """All voxels, and the masked ones, of the blocks of a cuboid: (B, 4) in the order of `COUNT_COLUMNS`."""
    begins = [np.flatnonzero(np.append(True, axis[1:] != axis[:-1])) for axis in axes]
    lengths = [np.diff(np.append(first, len(axis))) for first, axis in zip(begins, axes)]
    block = np.ravel_multi_index(np.meshgrid(*[axis[first] for first, axis in zip(begins, axes)], indexing="ij"), grid)
    voxels = lengths[0][:, None, None] * lengths[1][:, None] * lengths[2]
    masked = np.zeros_like(voxels)
    if valid is not None:
        kept = _sum_rows(valid.view(np.uint8), begins[2], lengths[2])
        kept = np.add.reduceat(np.add.reduceat(kept, begins[1], axis=1), begins[0], axis=0)
        masked = voxels - kept
    columns = [np.zeros_like(block), block, voxels, masked]
    return np.stack([column.ravel() for column in columns], axis=1).astype(np.int64)


@numba.njit(cache=True)
def _sum_rows(values, begins, lengths):
    """Sums over stretches along x: (Z, Y, X) to (Z, Y, stretches)."""
    depth, height, _ = values.shape
    sums = np.empty((depth, height, len(begins)), np.int64)
    for z in range(depth):
        for y in range(height):
            for index in range(len(begins)):
                total = np.uint32(0)
                for value in values[z, y, begins[index] : begins[index] + lengths[index]]:
                    total += np.uint32(value)
                sums[z, y, index] = total
    return sums


@numba.njit(cache=True)
def _split_runs(runs, synapse, shown, masked, along_z, along_y, along_x, grid):
    """Cut runs at the borders of blocks: (N, 4) in the order of `COUNT_COLUMNS`."""
    size, count = max(64, 2 * len(runs)), 0
    rows = np.empty((size, 4), np.int64)
    for index in range(len(runs)):
        if synapse[index] == 0:
            continue
        z, y, x, last = runs[index, 0], runs[index, 1], runs[index, 2], runs[index, 3]
        row = (along_z[z] * grid[1] + along_y[y]) * grid[2]
        while x <= last:
            if count == size:
                grown = np.empty((2 * size, 4), np.int64)
                grown[:size] = rows
                rows, size = grown, 2 * size
            rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = synapse[index], row + along_x[x], 0, 0
            block = along_x[x]
            while x <= last and along_x[x] == block:
                rows[count, 2] += 1
                if masked and not shown[z, y, x]:
                    rows[count, 3] += 1
                x += 1
            count += 1
    return rows[:count].copy()
