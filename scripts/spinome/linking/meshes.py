"""Linked segments as meshes with their synapses, ready for the `neurons` branch."""

from __future__ import annotations

from collections.abc import Iterator

import fastremap
import numpy as np
import pandas as pd

from spinome.cuboids import cuboids
from spinome.io.units import VoxelSize
from spinome.labels import compact
from spinome.linking.pieces import find_pieces, simplified, weld_pieces
from spinome.mesh.surface import Mesh

SYNAPSE_COLUMNS = [
    "id",
    "size",
    "pre_pt_root_id",
    "post_pt_root_id",
    "ctr_pt_position_x",
    "ctr_pt_position_y",
    "ctr_pt_position_z",
]


def join_orphans(
    segments: np.ndarray, bridges: pd.DataFrame, shafts: np.ndarray, voxel_nm: VoxelSize, bridge_nm: float
) -> np.ndarray:
    """Give linked orphans the label of their shaft, with a neck where the two do not touch; keep shafts alone.

    Parameters
    ----------
    segments : (Z, Y, X) int
    bridges : a row per linked orphan: `orphan shaft` and the ends `from_*`, `to_*` of its way to the shaft in nm
    shafts : labels to keep
    voxel_nm : size of a voxel (z, y, x)
    bridge_nm : radius of the neck

    Returns
    -------
    (Z, Y, X) uint32, 0 for all else; shaft s has the number of its place in `shafts` plus 1
    """
    ids = fastremap.unique(segments)
    number = np.zeros(len(ids), dtype=np.uint32)
    # signed and unsigned ids together would become floats, and large ids one another
    shafts = np.asarray(shafts).astype(ids.dtype)
    known, places = np.isin(ids, shafts), np.searchsorted(shafts, ids)
    number[known] = places[known] + 1
    parent = dict(zip(bridges["orphan"].tolist(), bridges["shaft"].tolist()))
    linked = np.array([parent.get(int(label), 0) for label in ids], dtype=ids.dtype)
    number[linked != 0] = np.searchsorted(shafts, linked[linked != 0]) + 1
    joined = number[compact(segments, ids)]
    for row in bridges.itertuples(index=False):
        start = np.array([row.from_z_nm, row.from_y_nm, row.from_x_nm])
        stop = np.array([row.to_z_nm, row.to_y_nm, row.to_x_nm])
        if np.isfinite([start, stop]).all():
            _paint_tube(joined, start, stop, bridge_nm, voxel_nm, np.searchsorted(shafts, row.shaft) + 1)
    return joined


def segment_meshes(labels: np.ndarray, voxel_nm: VoxelSize, error_nm: float) -> Iterator[tuple[int, Mesh]]:
    """Mesh each label of a volume that fits into memory (marching cubes, then `pieces.simplified`).

    Vertices are x y z in nm, the first voxel's corner at 0; a segment that the volume cuts is closed there.
    """
    (whole,) = cuboids(labels.shape, labels.shape)
    pieces = find_pieces(lambda box: labels[box], whole, labels.shape)
    for label in pieces.labels.tolist():
        yield label, simplified(*weld_pieces([pieces.of(label)]), voxel_nm, error_nm)


def vertex_segments(
    vertices: np.ndarray, segments: np.ndarray, joined: np.ndarray, number: int, voxel_nm: VoxelSize
) -> np.ndarray:
    """The segment (V,) on which each vertex of a linked mesh lies: the shaft, an orphan, or 0 on a neck drawn between.

    A vertex lies on the border of a voxel of its label: the nearest such voxel among the 27 around it tells. It is 0
    also where there is none, as after a simplification by more than a voxel.

    Parameters
    ----------
    vertices : (V, 3) x y z in nm, from `segment_meshes`
    segments, joined : (Z, Y, X) labels before and after `join_orphans`
    number : label of the mesh in `joined`
    voxel_nm : size of a voxel (z, y, x)
    """
    places = vertices[:, ::-1] / np.asarray(voxel_nm)
    inside = np.array(joined.shape) - 1
    found = np.zeros(len(vertices), dtype=segments.dtype)
    nearest = np.full(len(vertices), np.inf)
    for offset in np.ndindex(3, 3, 3):
        voxel = (places.astype(np.int64) + offset - 1).clip(0, inside)
        away = (((voxel + 0.5 - places) * voxel_nm) ** 2).sum(axis=1)
        z, y, x = voxel.T
        better = (joined[z, y, x] == number) & (away < nearest)
        nearest[better] = away[better]
        found[better] = segments[z[better], y[better], x[better]]
    return found


def synapse_tables(neurites: pd.DataFrame, dendrites: np.ndarray) -> dict[int, pd.DataFrame]:
    """The input synapses of each dendrite in the columns of a CAVE export.

    The postsynaptic side is the neurite that is a dendrite; where both are, the synapse is in both tables.

    Parameters
    ----------
    neurites : `synapse voxels z_nm y_nm x_nm neurite_a neurite_b`, orphans already renamed to their shafts
    dendrites : labels of the dendrites
    """
    sides = []
    for post, pre in (("neurite_a", "neurite_b"), ("neurite_b", "neurite_a")):
        side = neurites[neurites[post].isin(dendrites)]
        sides.append(
            pd.DataFrame(
                {
                    "id": side["synapse"],
                    "size": side["voxels"],
                    "pre_pt_root_id": side[pre],
                    "post_pt_root_id": side[post],
                    **{f"ctr_pt_position_{axis}": side[f"{axis}_nm"] for axis in "xyz"},
                }
            )
        )
    table = pd.concat(sides).drop_duplicates(["id", "post_pt_root_id"]).sort_values("id")
    return {
        int(dendrite): table[table["post_pt_root_id"] == dendrite][SYNAPSE_COLUMNS].reset_index(drop=True)
        for dendrite in dendrites
    }


def _paint_tube(
    labels: np.ndarray, start: np.ndarray, stop: np.ndarray, radius: float, voxel_nm: VoxelSize, number: int
) -> None:
    """Set voxels within a radius of a line to a label, except those of another label."""
    size = np.asarray(voxel_nm, dtype=float)
    low = np.maximum(((np.minimum(start, stop) - radius) / size).astype(int), 0)
    high = np.minimum(((np.maximum(start, stop) + radius) / size).astype(int) + 2, labels.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high))
    places = (np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high)], indexing="ij"), -1) + 0.5) * size
    course = stop - start
    along = ((places - start) @ course / max(course @ course, 1e-9)).clip(0, 1)
    near = ((places - start - along[..., None] * course) ** 2).sum(axis=-1) <= radius**2
    patch = labels[box]
    patch[near & (patch == 0)] = number
