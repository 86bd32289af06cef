"""Synapses per block, from how many voxels of each object lie in each block."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.io.volumes import VoxelSize

COUNT_COLUMNS = ["synapse", "block", "voxels", "masked"]
BLOCK_COLUMNS = ["block", "z_nm", "y_nm", "x_nm", "synapses", "unmasked_um3", "density_um3"]
SPLIT, MASKED = "no block holds more than half of it", "it touches the mask"


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
    labels: np.ndarray, valid: np.ndarray | None, axes: list[np.ndarray], grid: tuple[int, int, int]
) -> pd.DataFrame:
    """Voxels of each object in each block within one cuboid.

    Parameters
    ----------
    labels : (Z, Y, X) objects, 0 for background
    valid : (Z, Y, X) bool, or None where nothing is masked
    axes : block of each voxel along the three axes, for this cuboid
    grid : blocks along each axis of the volume

    Returns
    -------
    table with `COUNT_COLUMNS`; the rows of `synapse` 0 count all voxels of a block, those of objects included
    """
    block = np.ravel_multi_index(np.meshgrid(*axes, indexing="ij", sparse=True), grid)
    hidden = np.zeros(labels.shape, bool) if valid is None else ~valid
    rows = [_count(np.zeros(labels.size, np.int64), block.ravel(), hidden.ravel())]
    inside = labels > 0
    if inside.any():
        rows.append(_count(labels[inside].astype(np.int64), block[inside], hidden[inside]))
    return pd.concat(rows, ignore_index=True)


def gather_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Add up the counts of all cuboids."""
    return counts.groupby(["synapse", "block"], as_index=False)[["voxels", "masked"]].sum()


def assign_blocks(counts: pd.DataFrame) -> pd.DataFrame:
    """The block of each object: the one with more than half of its voxels, if no voxel of the object is masked.

    Parameters
    ----------
    counts : from `gather_counts`

    Returns
    -------
    `synapse block reason`; block -1 where there is none, with the reason
    """
    objects = counts[counts["synapse"] > 0]
    total = objects.groupby("synapse")[["voxels", "masked"]].sum()
    share = objects.join(total, on="synapse", rsuffix="_total")
    held = share[2 * share["voxels"] > share["voxels_total"]].set_index("synapse")["block"]
    result = pd.DataFrame({"block": held.reindex(total.index).fillna(-1).astype(np.int64)})
    result["reason"] = np.where(result["block"] < 0, SPLIT, "")
    touches = total["masked"] > 0
    result.loc[touches, "block"] = -1
    result.loc[touches, "reason"] = MASKED
    return result.reset_index()


def block_table(
    counts: pd.DataFrame,
    assigned: pd.DataFrame,
    shape: tuple[int, int, int],
    voxel_nm: VoxelSize,
    block_um: tuple[float, float, float],
) -> pd.DataFrame:
    """One row a block: its centre, its synapses, its unmasked volume and its density (empty if all is masked)."""
    axes, grid = block_axes(shape, voxel_nm, block_um)
    blocks = counts[counts["synapse"] == 0].set_index("block").sort_index()
    found = np.unravel_index(blocks.index.to_numpy(), grid)
    table = pd.DataFrame({"block": blocks.index})
    for name, axis, index, voxel in zip("zyx", axes, found, voxel_nm):
        first = np.searchsorted(axis, np.arange(axis[-1] + 1))
        last = np.searchsorted(axis, np.arange(axis[-1] + 1), side="right")
        table[f"{name}_nm"] = ((first + last) / 2 * voxel)[index]
    placed = assigned.loc[assigned["block"] >= 0, "block"].value_counts()
    table["synapses"] = placed.reindex(blocks.index).fillna(0).to_numpy(np.int64)
    table["unmasked_um3"] = ((blocks["voxels"] - blocks["masked"]) * (np.prod(voxel_nm) / 1e9)).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        table["density_um3"] = np.where(table["unmasked_um3"] > 0, table["synapses"] / table["unmasked_um3"], np.nan)
    return table[BLOCK_COLUMNS]


def _count(synapse: np.ndarray, block: np.ndarray, hidden: np.ndarray) -> pd.DataFrame:
    key = np.stack([synapse, block])
    order = np.lexsort(key[::-1])
    key, hidden = key[:, order], hidden[order]
    begins = np.flatnonzero(np.append(True, (key[:, 1:] != key[:, :-1]).any(axis=0)))
    voxels = np.diff(np.append(begins, key.shape[1]))
    masked = np.add.reduceat(hidden.astype(np.int64), begins)
    return pd.DataFrame(dict(zip(COUNT_COLUMNS, [*key[:, begins], voxels, masked])))
