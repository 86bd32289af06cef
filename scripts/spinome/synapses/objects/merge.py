"""Whole objects from the parts of all cuboids, exactly as if the volume had been labelled in one piece.

Contacts over faces, edges and corners of cuboids count as those within a cuboid do, rules on size act on whole
patches and whole objects, and ids follow the order of the first voxels: none of it depends on how the volume was cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spinome.io.units import VoxelSize
from spinome.synapses.objects.judge import Judge
from spinome.synapses.objects.measures import MEASURES, measure_candidates
from spinome.synapses.objects.patches import PART_COLUMNS, PROBABILITY_UNIT, Parts, load_parts, nearest_contacts
from spinome.synapses.objects.run_labelling import X0, Y, Z, touching_runs

# how far apart joined voxels may be: over a face, an edge, a corner
REACH = {6: 1, 18: 2, 26: 3}

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
    "probability",
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
    min_probability: float = 0.0

    @classmethod
    def of(cls, settings: Mapping[str, Any], card: Mapping[str, Any]) -> Rules:
        """Rules by the settings of a study; what these leave open is as the card of a model says.

        Parameters
        ----------
        settings : by the names of the rules, None for open
        """
        tuned = {name: card.get(name, 0.0) for name in ("min_volume_um3", "min_peak", "min_probability")}
        return cls(
            **{name: tuned[name] if name in tuned and value is None else value for name, value in settings.items()}
        )


def merge_parts(
    files: Sequence[str | Path | Parts],
    shape: tuple[int, int, int],
    voxel_nm: VoxelSize,
    connectivity: int = 18,
    rules: Rules | None = None,
    judge: Judge | None = None,
    measured: bool = False,
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Join the parts of cuboids into the objects that the rules keep.

    Parameters
    ----------
    files : one per cuboid, from `save_parts`, in the raster order of the cuboids; or the parts themselves
    shape : voxels of the volume (z, y, x)
    connectivity : 6, 18 or 26
    judge : says how likely each object is to be a synapse, where a model has one
    measured : whether the `MEASURES` that a judge goes by are wanted

    Returns
    -------
    objects : one row per object with `OBJECT_COLUMNS`, and `MEASURES` where these are wanted; `synapse` counts from 1
        in the raster order of first voxels, `value` is that of its voxels, positions are centres of mass in nm from the
        corner of the volume, `score` is the mean probability of its voxels, `probability` that of the whole by the
        judge, else NaN, boxes are inclusive, in voxels
    ids : for each file the object of each part, int64, with 0 for what the rules drop

    Raises
    ------
    ValueError: if the connectivity is none of 6, 18 and 26, or a cuboid comes after one that starts in a later section.
    """
    candidates, ids = merge_candidates(files, shape, voxel_nm, connectivity, rules, judge, measured)
    return candidates[candidates["synapse"] > 0].reset_index(drop=True), ids


def merge_candidates(
    files: Sequence[str | Path | Parts],
    shape: tuple[int, int, int],
    voxel_nm: VoxelSize,
    connectivity: int = 18,
    rules: Rules | None = None,
    judge: Judge | None = None,
    measured: bool = False,
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Join the parts of cuboids into candidates: all objects, whether or not the rules on whole objects keep them.

    Takes and raises what `merge_parts` does, and returns the same, with a row more for each object that these rules
    drop: `synapse` is 0 there.
    """
    if connectivity not in REACH:
        raise ValueError(f"objects are connected over 6, 18 or 26 neighbours, not {connectivity}")
    rules = rules or Rules()
    parts, contacts, sizes = _gather(files)
    first, second, step = contacts.T
    section = parts["z"].to_numpy()
    flat = contacts[(section[first] == section[second]) & (step == 1)]
    patch = _components(len(parts), flat)
    area = np.bincount(patch, parts["voxels"], minlength=1)[patch] * voxel_nm[1] * voxel_nm[2] / 1e6
    kept = area >= rules.min_area_um2
    if rules.max_area_um2 is not None:
        kept &= area <= rules.max_area_um2
    parts["object"] = _components(len(parts), contacts[(step <= REACH[connectivity]) & kept[first] & kept[second]])
    objects = _summarise(parts[kept], voxel_nm).sort_values("first")
    if measured or judge is not None:
        objects = objects.join(measure_candidates(parts[kept], voxel_nm))
    large = (objects["volume_um3"] >= rules.min_volume_um3) & (objects["sections"] >= rules.min_sections)
    found = large & (objects["max_score"].fillna(1) >= rules.min_peak)
    if judge is not None:
        objects = objects.assign(probability=judge.probability(objects))
        found &= objects["probability"] >= rules.min_probability
    objects.insert(0, "synapse", np.where(found, np.cumsum(found), 0).astype(np.int64))
    id_of = objects["synapse"].reindex(parts["object"]).fillna(0).to_numpy(np.int64) * kept
    columns = [*OBJECT_COLUMNS, *MEASURES] if measured else OBJECT_COLUMNS
    return objects[columns].reset_index(drop=True), np.split(id_of, np.cumsum(sizes))[:-1]


def _gather(files: Sequence[str | Path | Parts]) -> tuple[pd.DataFrame, np.ndarray, list[int]]:
    """Number the parts of all files on, and find which touch, within cuboids and across; (N, 3: two parts, step).

    Only the surfaces of one layer of cuboids, and of the last section before it, are held at a time. A layer ends where
    a cuboid starts in a later section, whatever the cuboids hold: their objects may begin in any section or be none.
    """
    tables, contacts, sizes = [np.empty((0, len(PART_COLUMNS)), np.int64)], [np.empty((0, 3), np.int64)], []
    layer, before, section, offset = [], np.empty((0, 6), np.int64), 0, 0
    for file in files:
        parts = file if isinstance(file, Parts) else load_parts(file)
        if parts.start[Z] < section:
            raise ValueError(
                f"{file}: starts in section {parts.start[Z]}, after one that starts in {section}; sort the cuboids"
            )
        if parts.start[Z] > section:
            before = _close_layer(contacts, before, layer)
            layer, section = [], parts.start[Z]
        layer.append(parts.shell + np.array([0, 0, 0, 0, 0, offset]))
        contacts.append(parts.contacts + np.array([offset, offset, 0]))
        tables.append(parts.table)
        sizes.append(len(parts.table))
        offset += len(parts.table)
    _close_layer(contacts, before, layer)
    return pd.DataFrame(np.concatenate(tables), columns=PART_COLUMNS), np.concatenate(contacts), sizes


def _close_layer(contacts: list[np.ndarray], before: np.ndarray, layer: list[np.ndarray]) -> np.ndarray:
    """Add the contacts on the surfaces of a layer of cuboids; returns the runs that the next layer may touch.

    Contacts within a cuboid are found again, which is harmless.
    """
    runs = np.concatenate([before, *layer])
    runs = runs[np.lexsort((runs[:, X0], runs[:, Y], runs[:, Z]))]
    pairs = touching_runs(runs, max(REACH.values()))
    contacts.append(nearest_contacts(runs[pairs[:, 0], -1], runs[pairs[:, 1], -1], pairs[:, 2]))
    return runs[runs[:, Z] == runs[-1, Z]] if len(runs) else before


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
            # labels have 64 bits without a sign
            "value": low["value"].to_numpy().view(np.uint64),
            **centre,
            "voxels": sums["voxels"],
            "volume_um3": sums["voxels"] * (np.prod(voxel_nm) / 1e9),
            "sections": high["z"] - low["z"] + 1,
            "score": sums["sum_probability"] / PROBABILITY_UNIT / sums["voxels"],
            "max_score": high["max_probability"] / PROBABILITY_UNIT,
            "probability": np.nan,
            "z0": low["z"],
            "z1": high["z"],
            "y0": low["y0"],
            "y1": high["y1"],
            "x0": low["x0"],
            "x1": high["x1"],
        }
    )
