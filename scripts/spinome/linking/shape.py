"""The shape of segments in numbers: size, thickness, course, surface, and the heat kernel signature of their mesh."""

from __future__ import annotations

import edt
import numpy as np
import pandas as pd
from numba import njit

from spinome.io.units import VoxelSize
from spinome.labels import compact
from spinome.linking.meshes import segment_meshes
from spinome.mesh.hks import log_hks

DEPTHS_NM = (60.0, 120.0, 200.0, 300.0)
# heat spreads over about sqrt(4 t), here 0.2 to 4 um
TIMES_NM2 = np.geomspace(1e4, 4e6, 6)
MESH_ERROR_NM, FEWEST_VERTICES, MOST_VERTICES = 40.0, 12, 40_000
VOXEL_FEATURES = [
    "log_volume",
    "log_extent",
    "radius_nm",
    "thickest_nm",
    *[f"deeper_{depth:.0f}" for depth in DEPTHS_NM],
    "length_to_width",
    "width_to_height",
    "surface_to_volume",
    "compactness",
    "box_fill",
    "pieces_apart",
    "on_edge",
]
HKS_FEATURES = [
    name
    for number in range(len(TIMES_NM2))
    for name in (f"hks_{number}_mean", f"hks_{number}_low", f"hks_{number}_high")
]
FEATURES = [*VOXEL_FEATURES, *HKS_FEATURES]


def shape_features(labels: np.ndarray, segments: pd.DataFrame, voxel_nm: VoxelSize) -> pd.DataFrame:
    """Describe the shape of measured segments.

    Parameters
    ----------
    labels : (Z, Y, X) int
    segments : rows of `typing.measure_segments` of these labels, not thinned further
    voxel_nm : size of a voxel (z, y, x)

    Returns
    -------
    Table of `segment` and FEATURES, one row each of `segments`: logarithms of volume and extent; radius and largest
    depth; shares of voxels deeper than DEPTHS_NM; ratios of the principal lengths; surface in nm2 to volume in nm3,
    and how much more surface it has than a ball; share of the bounding box that it fills; extent by principal length;
    whether the volume's edge cuts it;
    and of the mesh's log heat kernel signature at TIMES_NM2, less that of a flat surface, mean and 10th and 90th
    percentile over the surface (nan where a segment is too small or too large for a mesh)
    """
    size = np.asarray(voxel_nm, dtype=np.float64)
    ids = segments["segment"].to_numpy()
    order = np.argsort(ids)
    regions = compact(labels, ids[order])
    depth = edt.edt(regions + 1, anisotropy=tuple(size), black_border=False, parallel=1)
    second, deeper, surface = _accumulate(regions, depth, len(ids), size, np.array(DEPTHS_NM))
    frame = segments.iloc[order].reset_index(drop=True)
    lengths = np.sqrt(np.linalg.eigvalsh(second)[:, ::-1].clip(min=size.min() ** 2 / 12))
    volume = frame["volume_um3"].to_numpy() * 1e9
    box = np.stack([(frame[f"{a}1"] - frame[f"{a}0"]) * s for a, s in zip("zyx", size)])
    table = pd.DataFrame({"segment": frame["segment"], "log_volume": np.log(volume)})
    table["log_extent"] = np.log(frame["extent_nm"])
    table[["radius_nm", "thickest_nm"]] = frame[["radius_nm", "thickest_nm"]]
    for number, limit in enumerate(DEPTHS_NM):
        table[f"deeper_{limit:.0f}"] = deeper[:, number] / frame["voxels"]
    table["length_to_width"] = lengths[:, 0] / lengths[:, 1]
    table["width_to_height"] = lengths[:, 1] / lengths[:, 2]
    table["surface_to_volume"] = surface / volume
    table["compactness"] = surface / (4.836 * volume ** (2 / 3))
    table["box_fill"] = volume / box.prod(axis=0)
    table["pieces_apart"] = frame["extent_nm"] / lengths[:, 0]
    table["on_edge"] = frame["on_edge"].astype(float)
    signatures = np.full((len(ids), len(HKS_FEATURES)), np.nan)
    for number, mesh in segment_meshes((regions + 1).astype(np.uint32), voxel_nm, MESH_ERROR_NM):
        if FEWEST_VERTICES <= len(mesh.vertices) <= MOST_VERTICES:
            signatures[number - 1] = _signature(mesh.vertices, mesh.faces)
    table[HKS_FEATURES] = signatures
    return table


def _signature(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    # on a plane the signature is 1 / (4 pi t)
    values = log_hks(vertices, faces, TIMES_NM2) + np.log(4 * np.pi * TIMES_NM2)
    low, high = np.percentile(values, [10, 90], axis=0)
    return np.stack([values.mean(axis=0), low, high], axis=1).ravel()


@njit(cache=True)
def _accumulate(regions, depth, n, size, depths):
    """Central second moments (n, 3, 3) in nm2, voxels deeper than each depth (n, D), and surface (n,) in nm2."""
    count = np.zeros(n)
    first, second = np.zeros((n, 3)), np.zeros((n, 3, 3))
    deeper, surface = np.zeros((n, len(depths))), np.zeros(n)
    face = (size[1] * size[2], size[0] * size[2], size[0] * size[1])
    shape = regions.shape
    place = np.zeros(3)
    for z in range(shape[0]):
        for y in range(shape[1]):
            for x in range(shape[2]):
                mine = regions[z, y, x]
                if mine < 0:
                    continue
                place[0], place[1], place[2] = z * size[0], y * size[1], x * size[2]
                count[mine] += 1
                for a in range(3):
                    first[mine, a] += place[a]
                    for b in range(3):
                        second[mine, a, b] += place[a] * place[b]
                for number in range(len(depths)):
                    deeper[mine, number] += depth[z, y, x] > depths[number]
                # the volume's edge is no surface
                if z + 1 < shape[0] and regions[z + 1, y, x] != mine:
                    surface[mine] += face[0]
                if z > 0 and regions[z - 1, y, x] != mine:
                    surface[mine] += face[0]
                if y + 1 < shape[1] and regions[z, y + 1, x] != mine:
                    surface[mine] += face[1]
                if y > 0 and regions[z, y - 1, x] != mine:
                    surface[mine] += face[1]
                if x + 1 < shape[2] and regions[z, y, x + 1] != mine:
                    surface[mine] += face[2]
                if x > 0 and regions[z, y, x - 1] != mine:
                    surface[mine] += face[2]
    for mine in range(n):
        for a in range(3):
            for b in range(3):
                mean = first[mine, a] * first[mine, b] / count[mine]
                second[mine, a, b] = (second[mine, a, b] - mean) / count[mine]
    return second, deeper, surface
