"""Whole objects from the parts of all cuboids, exactly as if the volume had been labelled in one piece.

Contacts over faces, edges and corners of cuboids count as those within a cuboid do, rules on size act on whole
patches and whole objects, and ids follow the order of the first voxels: none of it depends on how the volume was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spinome.io.volumes import VoxelSize
from spinome.synapses.parts import CONNECTIVITIES, PROBABILITY_UNIT, load_table, neighbours

OBJECT_COLUMNS = [
    "synapse",
    "z_nm",
    "y_nm",
    "x_nm",
    "voxels",
    "volume_um3",
    "sections",
    "score",
    "max_score",
    "value",
    "z0",
    "z1",
    "y0",
    "y1",
    "x0",
    "x1",
]


@dataclass(frozen=True)
class Rules:
    """Which patches of a section, and which whole objects, are kept; 0 and None leave a rule out."""

    min_area_um2: float = 0.0
    max_area_um2: float | None = None
    min_volume_um3: float = 0.0
    min_sections: int = 1
    min_peak: float = 0.0


def merge_parts(
    files: Sequence[str | Path],
    shape: tuple[int, int, int],
    voxel_nm: VoxelSize,
    connectivity: int = 18,
    rules: Rules | None = None,
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Join the parts of cuboids into objects.

    Parameters
    ----------
    files : one a cuboid, from `save_parts`
    shape : of the volume
    connectivity : 6, 18 or 26

    Returns
    -------
    objects : one row an object with `OBJECT_COLUMNS`; `synapse` counts from 1 in the raster order of first voxels,
        positions are centres of mass in nm from the corner of the volume, `score` is the mean probability, boxes are
        inclusive, in voxels
    ids : for each file the object of each part, int64, with 0 for the background and for what the rules drop
    """
    rules = rules or Rules()
    parts, contacts, shell, sizes = _gather(files)
    contacts = np.concatenate([contacts, _across(shell, parts["value"].to_numpy(), shape, connectivity)])
    flat = contacts[(contacts[:, 3] == 1) & (contacts[:, 2] == 1)]
    patch = _components(len(parts), flat)
    area = np.bincount(patch, parts["voxels"], minlength=1)[patch] * voxel_nm[1] * voxel_nm[2] / 1e6
    kept = area >= rules.min_area_um2
    if rules.max_area_um2 is not None:
        kept &= area <= rules.max_area_um2
    near = contacts[contacts[:, 2] <= CONNECTIVITIES[connectivity]]
    parts["object"] = _components(len(parts), near[kept[near[:, 0]] & kept[near[:, 1]]])
    objects = _summarise(parts[kept], voxel_nm)
    large = (objects["volume_um3"] >= rules.min_volume_um3) & (objects["sections"] >= rules.min_sections)
    objects = objects[large & (objects["max_score"].fillna(1) >= rules.min_peak)]
    objects = objects.sort_values("first")
    objects.insert(0, "synapse", np.arange(1, len(objects) + 1, dtype=np.int64))
    id_of = objects["synapse"].reindex(parts["object"]).fillna(0).to_numpy(np.int64) * kept
    ends = np.cumsum(sizes)[:-1]
    return (
        objects[OBJECT_COLUMNS].reset_index(drop=True),
        [np.concatenate([[0], part]).astype(np.int64) for part in np.split(id_of, ends)],
    )


def _gather(files: Sequence[str | Path]) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, list[int]]:
    """Number the parts of all files on; contacts (N, 4: two parts, step, flat) and shells (M, 2: raster, part)."""
    tables, contacts, shells, sizes, offset = [], [np.empty((0, 4), np.int64)], [np.empty((0, 2), np.int64)], [], 0
    for file in files:
        table, touching = load_table(file)
        contacts.append(
            np.column_stack([touching["pairs"] + (offset - 1), touching["step"], touching["flat"]]).astype(np.int64)
        )
        shells.append(np.column_stack([touching["shell"], touching["shell_part"] + (offset - 1)]))
        tables.append(table)
        sizes.append(len(table))
        offset += len(table)
    return pd.concat(tables, ignore_index=True), np.concatenate(contacts), np.concatenate(shells), sizes


def _across(shell: np.ndarray, value: np.ndarray, shape: tuple[int, int, int], connectivity: int) -> np.ndarray:
    """Contacts between voxels on the surfaces of cuboids; those within a cuboid are found again, which is harmless."""
    shell = shell[np.argsort(shell[:, 0])]
    raster, part = shell[:, 0], shell[:, 1]
    at = np.stack(np.unravel_index(raster, shape))
    found = []
    for offset in neighbours(connectivity):
        other = at + offset[:, None]
        inside = ((other >= 0) & (other < np.array(shape)[:, None])).all(axis=0)
        target = np.ravel_multi_index(other[:, inside], shape)
        position = np.searchsorted(raster, target)
        position[position == len(raster)] = 0
        hit = raster[position] == target
        first, second = part[inside][hit], part[position[hit]]
        joined = (first != second) & (value[first] == value[second])
        pairs = np.unique(np.column_stack([first[joined], second[joined]]), axis=0)
        found.append(np.column_stack([pairs, np.full((len(pairs), 2), [np.abs(offset).sum(), offset[0] == 0])]))
    return np.concatenate(found).astype(np.int64)


def _components(count: int, pairs: np.ndarray) -> np.ndarray:
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1] if count else np.empty(0, np.int32)


def _summarise(parts: pd.DataFrame, voxel_nm: VoxelSize) -> pd.DataFrame:
    parts = parts.assign(sum_z=parts["z"] * parts["voxels"])
    groups = parts.groupby("object")
    sums = groups[["voxels", "sum_z", "sum_y", "sum_x", "sum_probability"]].sum()
    low = groups[["first", "value", "z", "y0", "x0"]].min()
    high = groups[["z", "y1", "x1", "max_probability"]].max()
    centre = {f"{axis}_nm": (sums[f"sum_{axis}"] / sums["voxels"] + 0.5) * size for axis, size in zip("zyx", voxel_nm)}
    return pd.DataFrame(
        {
            "first": low["first"],
            "value": low["value"],
            **centre,
            "voxels": sums["voxels"],
            "volume_um3": sums["voxels"] * (np.prod(voxel_nm) / 1e9),
            "sections": high["z"] - low["z"] + 1,
            "score": sums["sum_probability"] / PROBABILITY_UNIT / sums["voxels"],
            "max_score": high["max_probability"] / PROBABILITY_UNIT,
            "z0": low["z"],
            "z1": high["z"],
            "y0": low["y0"],
            "y1": high["y1"],
            "x0": low["x0"],
            "x1": high["x1"],
        }
    )
