"""Linked segments as meshes with their synapses, ready for the `neurons` branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import fastremap
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from spinome.cuboids import Box, Cuboid, Shape, and_next, cuboids
from spinome.io.units import VoxelSize
from spinome.labels import compact
from spinome.linking.pieces import Pieces, find_pieces, simplified, weld_pieces
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
    segments: np.ndarray,
    bridges: pd.DataFrame,
    shafts: np.ndarray,
    voxel_nm: VoxelSize,
    bridge_nm: float,
    start: Shape = (0, 0, 0),
) -> np.ndarray:
    """Give linked orphans the label of their shaft, with a neck where the two do not touch; keep shafts alone.

    Parameters
    ----------
    segments : (Z, Y, X) int, a volume or a box of one
    bridges : a row per linked orphan: `orphan shaft` and the ends `from_*`, `to_*` of its way to the shaft in nm
    shafts : labels to keep
    voxel_nm : size of a voxel (z, y, x)
    bridge_nm : radius of the neck
    start : first voxel of the box

    Returns
    -------
    (Z, Y, X) uint32, 0 for all else; shaft s has the number of its place in `shafts` plus 1
    """
    ids = fastremap.unique(segments)
    number = np.zeros(len(ids), dtype=np.uint32)
    # signed and unsigned ids together would become floats, and large ids one another
    shafts, orphans, parents = (
        np.asarray(labels).astype(ids.dtype) for labels in (shafts, bridges["orphan"], bridges["shaft"])
    )
    own = np.isin(ids, shafts)
    number[own] = np.searchsorted(shafts, ids[own]) + 1
    order = np.argsort(orphans, kind="stable")
    linked = np.isin(ids, orphans)
    # of an orphan that is named twice the last shaft counts
    last = np.searchsorted(orphans[order], ids[linked], side="right") - 1
    number[linked] = np.searchsorted(shafts, parents[order][last]) + 1
    joined = number[compact(segments, ids)]
    ends = bridges[[f"{end}_{axis}_nm" for end in ("from", "to") for axis in "zyx"]].to_numpy(float).reshape(-1, 2, 3)
    # most necks are far from the box; the others are painted in the order of the table
    low, high = ends.min(axis=1) - bridge_nm, ends.max(axis=1) + bridge_nm
    first, size = np.array(start) * voxel_nm, np.array(segments.shape) * voxel_nm
    near = ((high >= first) & (low <= first + size)).all(axis=1)
    for row in np.flatnonzero(near):
        of_shaft = np.searchsorted(shafts, parents[row]) + 1
        _paint_tube(joined, *ends[row], bridge_nm, voxel_nm, of_shaft, np.array(start))
    return joined


def meshed_dendrites(segments: pd.DataFrame, bridges: pd.DataFrame, min_thickest_nm: float) -> np.ndarray:
    """Labels, sorted, of the shafts that are meshed: the thick ones, and those with a linked orphan.

    Parameters
    ----------
    segments : `segment kind thickest_nm`; bridges : `shaft` of each linked orphan
    """
    thick = segments["thickest_nm"] >= min_thickest_nm
    chosen = (segments["kind"] == "shaft") & (thick | segments["segment"].isin(bridges["shaft"]))
    return segments.loc[chosen, "segment"].sort_values().to_numpy()


def segment_meshes(labels: np.ndarray, voxel_nm: VoxelSize, error_nm: float) -> Iterator[tuple[int, Mesh]]:
    """Mesh each label of a volume that fits into memory (marching cubes, then `pieces.simplified`).

    Vertices are x y z in nm, the first voxel's corner at 0; a segment that the volume cuts is closed there.
    """
    (whole,) = cuboids(labels.shape, labels.shape)
    pieces = find_pieces(lambda box: labels[box], whole, labels.shape)
    for label in pieces.labels.tolist():
        yield label, simplified(*weld_pieces([pieces.of(label)])[:2], voxel_nm, error_nm)


def dendrite_pieces(
    read: Callable[[Box], np.ndarray],
    cuboid: Cuboid,
    shape: Shape,
    bridges: pd.DataFrame,
    shafts: np.ndarray,
    voxel_nm: VoxelSize,
    bridge_nm: float,
) -> tuple[Pieces, np.ndarray]:
    """The surfaces of linked dendrites in a cuboid, and the segment on which each of their vertices lies.

    Parameters
    ----------
    read : segments (Z, Y, X) of a box
    cuboid : its core counts; shape : of the volume
    bridges, shafts, voxel_nm, bridge_nm : see `join_orphans`

    Returns
    -------
    pieces, the labels of which are those of `join_orphans`; and (V,) uint64: the shaft, an orphan, or 0 on a neck drawn
    between
    """
    box = and_next(cuboid, shape)
    segments = read(box)
    joined = join_orphans(segments, bridges, shafts, voxel_nm, bridge_nm, cuboid.start)
    pieces = find_pieces(lambda _: joined, cuboid, shape)
    number = np.repeat(pieces.labels, np.diff(pieces.vertex_ends, prepend=0))
    # a vertex lies half way between two voxels, one of which has its label
    halves = pieces.vertices[:, ::-1].astype(np.int64) - 2 * np.array(cuboid.start)
    found = np.zeros(len(number), np.uint64)
    for voxel in (halves >> 1, (halves + 1) >> 1):
        inside = ((voxel >= 0) & (voxel < joined.shape)).all(axis=1)
        z, y, x = voxel[inside].T
        own = joined[z, y, x] == number[inside]
        found[np.flatnonzero(inside)[own]] = segments[z[own], y[own], x[own]]
    return pieces, found


def dendrite_mesh(
    parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], voxel_nm: VoxelSize, error_nm: float
) -> Mesh:
    """The mesh of a linked dendrite; its vertex data `segment` says on which segment the surface lies.

    Parameters
    ----------
    parts : its vertices, faces and the segments of its vertices in each cuboid
    voxel_nm : size of a voxel (z, y, x)
    error_nm : see `pieces.simplified`
    """
    vertices, faces, rows = weld_pieces([(vertices, faces) for vertices, faces, _ in parts])
    mesh = simplified(vertices, faces, voxel_nm, error_nm)
    places = (vertices / 2 + 0.5) * np.array(voxel_nm[::-1])
    nearest = cKDTree(places).query(mesh.vertices)[1]
    segments = np.concatenate([segments for _, _, segments in parts])[rows]
    return Mesh(mesh.vertices, mesh.faces, {"segment": segments[nearest]})


def linked_meshes(
    segments: np.ndarray,
    bridges: pd.DataFrame,
    shafts: np.ndarray,
    voxel_nm: VoxelSize,
    bridge_nm: float,
    error_nm: float,
) -> Iterator[tuple[int, Mesh]]:
    """The meshes of linked dendrites of a volume that fits into memory, by the place of a shaft in `shafts` plus 1."""
    (whole,) = cuboids(segments.shape, segments.shape)
    pieces, origin = dendrite_pieces(
        lambda box: segments[box], whole, segments.shape, bridges, shafts, voxel_nm, bridge_nm
    )
    for label, own in zip(pieces.labels.tolist(), np.split(origin, pieces.vertex_ends[:-1])):
        yield label, dendrite_mesh([(*pieces.of(label), own)], voxel_nm, error_nm)


def synapse_tables(neurites: pd.DataFrame, dendrites: np.ndarray) -> dict[int, pd.DataFrame]:
    """The input synapses of each dendrite in the columns of a CAVE export.

    The postsynaptic side is the neurite that is a dendrite; where both are, the synapse is in both tables. The
    presynaptic neurite is empty where none was found.

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
                    "pre_pt_root_id": side[pre].convert_dtypes().where(side[pre] != 0),
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
    labels: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    radius: float,
    voxel_nm: VoxelSize,
    number: int,
    corner: np.ndarray,
) -> None:
    """Set voxels within a radius of a line to a label, except those of another label; of a box with a first voxel."""
    size = np.asarray(voxel_nm, dtype=float)
    low = np.maximum(((np.minimum(start, stop) - radius) / size).astype(int), corner)
    high = np.minimum(((np.maximum(start, stop) + radius) / size).astype(int) + 2, corner + labels.shape)
    if (low >= high).any():
        return
    places = (np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high)], indexing="ij"), -1) + 0.5) * size
    course = stop - start
    along = ((places - start) @ course / max(course @ course, 1e-9)).clip(0, 1)
    near = ((places - start - along[..., None] * course) ** 2).sum(axis=-1) <= radius**2
    patch = labels[tuple(slice(a, b) for a, b in zip(low - corner, high - corner))]
    patch[near & (patch == 0)] = number
