"""The shape of segments in numbers: size, thickness, course, surface, and the heat kernel signature of their mesh."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.io.units import VoxelSize
from spinome.labels import compact
from spinome.linking.measure import DEEPER, DEPTHS_NM, FACES, PAIRS, SECOND
from spinome.linking.meshes import segment_meshes
from spinome.mesh.hks import log_hks
from spinome.mesh.surface import Mesh

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
    """Describe the shape of measured segments of a volume that fits into memory.

    Parameters
    ----------
    labels : (Z, Y, X) int
    segments : rows of `typing.measure_segments` of these labels, not thinned further
    voxel_nm : size of a voxel (z, y, x)

    Returns
    -------
    Table of `segment` and FEATURES, one row each of `segments`, by `voxel_features` and `signature`
    """
    meshed = np.sort(segments.loc[is_meshed(segments), "segment"].to_numpy())
    rows = {
        int(meshed[number - 1]): signature(mesh)
        for number, mesh in segment_meshes(compact(labels, meshed) + 1, voxel_nm, MESH_ERROR_NM)
    }
    return with_signatures(voxel_features(segments, voxel_nm), rows)


def voxel_features(segments: pd.DataFrame, voxel_nm: VoxelSize) -> pd.DataFrame:
    """What the voxels of measured segments say of their shape.

    Parameters
    ----------
    segments : rows of `measure.join_measured`
    voxel_nm : size of a thinned voxel (z, y, x)

    Returns
    -------
    Table of `segment` and VOXEL_FEATURES, by segment: logarithms of volume and extent; radius and largest depth; shares
    of voxels deeper than DEPTHS_NM; ratios of the principal lengths; surface in nm2 to volume in nm3, and how much more
    surface it has than a ball; share of the bounding box that it fills; extent by principal length; whether the
    volume's edge cuts it
    """
    size = np.asarray(voxel_nm, dtype=np.float64)
    frame = segments.sort_values("segment", ignore_index=True)
    volume = frame["volume_um3"].to_numpy() * 1e9
    voxels = np.rint(volume / np.prod(size))
    first = [
        (frame[f"{axis}_nm"].to_numpy() / length - 0.5 - frame[f"{axis}0"].to_numpy()) * voxels
        for axis, length in zip("zyx", size)
    ]
    second = np.empty((len(frame), 3, 3))
    for name, (a, b) in zip(SECOND, PAIRS):
        central = (frame[name].to_numpy() - first[a] * first[b] / voxels) / voxels * size[a] * size[b]
        second[:, a, b] = second[:, b, a] = central
    lengths = np.sqrt(np.linalg.eigvalsh(second)[:, ::-1].clip(min=size.min() ** 2 / 12))
    surface = frame[FACES].to_numpy() @ (np.prod(size) / size)
    box = np.stack([(frame[f"{a}1"] - frame[f"{a}0"]) * s for a, s in zip("zyx", size)])
    table = pd.DataFrame({"segment": frame["segment"], "log_volume": np.log(volume)})
    table["log_extent"] = np.log(frame["extent_nm"])
    table[["radius_nm", "thickest_nm"]] = frame[["radius_nm", "thickest_nm"]]
    for name, limit in zip(DEEPER, DEPTHS_NM):
        table[f"deeper_{limit:.0f}"] = frame[name] / voxels
    table["length_to_width"] = lengths[:, 0] / lengths[:, 1]
    table["width_to_height"] = lengths[:, 1] / lengths[:, 2]
    table["surface_to_volume"] = surface / volume
    table["compactness"] = surface / (4.836 * volume ** (2 / 3))
    table["box_fill"] = volume / box.prod(axis=0)
    table["pieces_apart"] = frame["extent_nm"] / lengths[:, 0]
    table["on_edge"] = frame["on_edge"].astype(float)
    return table


def is_meshed(segments: pd.DataFrame) -> np.ndarray:
    """Whether the mesh of each measured segment can have few enough vertices for a signature."""
    # one vertex a face before it is simplified, and no less than about an eighth of them after
    return segments[FACES].sum(axis=1).to_numpy() <= 10 * MOST_VERTICES


def signature(mesh: Mesh) -> np.ndarray:
    """The mesh's log heat kernel signature at TIMES_NM2, less that of a flat surface: HKS_FEATURES.

    They are mean and 10th and 90th percentile over the surface, nan where a segment is too small or too large.
    """
    if not FEWEST_VERTICES <= len(mesh.vertices) <= MOST_VERTICES:
        return np.full(len(HKS_FEATURES), np.nan)
    # on a plane the signature is 1 / (4 pi t)
    values = log_hks(mesh.vertices, mesh.faces, TIMES_NM2) + np.log(4 * np.pi * TIMES_NM2)
    low, high = np.percentile(values, [10, 90], axis=0)
    return np.stack([values.mean(axis=0), low, high], axis=1).ravel()


def with_signatures(features: pd.DataFrame, signatures: dict[int, np.ndarray]) -> pd.DataFrame:
    """The table of `voxel_features` with the HKS_FEATURES of segments, nan where there are none."""
    none = np.full(len(HKS_FEATURES), np.nan)
    rows = [signatures.get(int(segment), none) for segment in features["segment"]]
    return features.assign(**dict(zip(HKS_FEATURES, np.reshape(rows, (-1, len(HKS_FEATURES))).T)))
