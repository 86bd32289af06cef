"""What each segment may be, by rules on its size, its thickness and the volume's edge.

An orphan is of a spine's size, lies clear of the volume's edge and holds no shaft. A shaft is large, long and thick
enough to be a dendrite. Everything else (axons, glia, fragments) is `other`.
"""

from __future__ import annotations

import edt
import fastremap
import numpy as np
import pandas as pd
from numba import njit
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold

from spinome.io.models import Model
from spinome.io.units import VoxelSize
from spinome.labels import compact
from spinome.linking.shape import FEATURES

KINDS = ("orphan", "shaft", "other")
INSIDE = ("inside_z_nm", "inside_y_nm", "inside_x_nm")
TYPES = ("spine", "shaft", "axon", "soma", "glia", "other")


def measure_segments(segments: np.ndarray, voxel_nm: VoxelSize, stride: tuple[int, int, int]) -> pd.DataFrame:
    """Measure every segment.

    Parameters
    ----------
    segments : (Z, Y, X) int, 0 is none
    voxel_nm : size of a voxel (z, y, x)
    stride : thinning of these segments from the full volume; places are given in voxels of `segments`

    Returns
    -------
    Table of one row per segment: `segment voxels volume_um3 z_nm y_nm x_nm` (centroid), `inside_z_nm` and so on (the
    centre of its voxel nearest to the centroid, which itself may lie outside of a bent segment), `extent_nm` (diagonal
    of the bounding box), `radius_nm` (three times the mean distance to the surface: the radius where it is a cylinder),
    `thickest_nm` (largest distance to the surface), `on_edge`, and the bounding box `z0 z1 y0 y1 x0 x1`
    """
    size = np.asarray(voxel_nm) * stride
    ids = fastremap.unique(segments)
    ids = ids[ids != 0]
    if not len(ids):
        raise ValueError("there is no segment: every voxel is 0")
    regions = compact(segments, ids)
    distance = edt.edt(regions + 1, anisotropy=tuple(size), black_border=False, parallel=1)
    voxels, centre, box, mean, largest = _measure(regions, distance, len(ids))
    shape = np.asarray(segments.shape)
    lengths = (box[:, 1::2] - box[:, ::2]) * size
    frame = pd.DataFrame({"segment": ids.astype(np.int64), "voxels": voxels * int(np.prod(stride))})
    frame["volume_um3"] = voxels * float(np.prod(size)) / 1e9
    for axis, name in enumerate("zyx"):
        frame[f"{name}_nm"] = (centre[:, axis] + 0.5) * size[axis]
    inside = _nearest_voxels(regions, centre, size)
    for axis, name in enumerate(INSIDE):
        # a thinned voxel is the first of those that it stands for
        frame[name] = (inside[:, axis] * stride[axis] + 0.5) * voxel_nm[axis]
    frame["extent_nm"] = np.linalg.norm(lengths, axis=1)
    frame["radius_nm"] = 3 * mean
    frame["thickest_nm"] = largest
    frame["on_edge"] = (box[:, ::2] == 0).any(axis=1) | (box[:, 1::2] == shape).any(axis=1)
    for column, name in enumerate(("z0", "z1", "y0", "y1", "x0", "x1")):
        frame[name] = box[:, column]
    return frame


def type_segments(
    segments: pd.DataFrame,
    *,
    orphan_min_um3: float,
    orphan_max_um3: float,
    orphan_max_extent_nm: float,
    shaft_min_um3: float,
    shaft_min_extent_nm: float,
    shaft_min_radius_nm: float,
    shaft_min_thickest_nm: float,
) -> pd.Series:
    """The kind of each measured segment: `orphan`, `shaft` or `other`."""
    shaft = (
        (segments["volume_um3"] >= shaft_min_um3)
        & (segments["extent_nm"] >= shaft_min_extent_nm)
        & (segments["radius_nm"] >= shaft_min_radius_nm)
        & (segments["thickest_nm"] >= shaft_min_thickest_nm)
    )
    orphan = (
        ~segments["on_edge"]
        & ~shaft
        & segments["volume_um3"].between(orphan_min_um3, orphan_max_um3)
        & (segments["extent_nm"] <= orphan_max_extent_nm)
    )
    kind = np.where(shaft, "shaft", np.where(orphan, "orphan", "other"))
    return pd.Series(kind, index=segments.index, name="kind")


def train_types(
    shapes: pd.DataFrame, types: np.ndarray, specimens: np.ndarray, seed: int
) -> tuple[ExtraTreesClassifier, np.ndarray]:
    """Train a forest that types segments by their shape.

    Parameters
    ----------
    shapes : table with `shape.FEATURES`; types : (N,) of TYPES
    specimens : (N,) rows of one specimen are kept in one fold

    Returns
    -------
    the forest on all rows, and for each row the type (N,) that a forest gives it which did not see its specimen

    Raises
    ------
    ValueError: for a type that is none of TYPES, or if there are fewer than two specimens.
    """
    unknown = sorted(set(types) - set(TYPES))
    if unknown:
        raise ValueError(f"types {', '.join(unknown)} are none of {', '.join(TYPES)}; correct the table of types")
    folds = min(5, len(np.unique(specimens)))
    if folds < 2:
        raise ValueError("types of one specimen alone; label segments of several")
    features = shapes[FEATURES].to_numpy(np.float32)
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(features, types, specimens)
    found = np.empty(len(types), dtype=object)
    for seen, unseen in splits:
        found[unseen] = _type_forest(seed).fit(features[seen], types[seen]).predict(features[unseen])
    return _type_forest(seed).fit(features, types), found


def type_probabilities(model: Model, shapes: pd.DataFrame) -> pd.DataFrame:
    """Types of segments by a trained forest: `segment type` and a column `p_<type>` for each that it knows.

    Parameters
    ----------
    model : forest of `train_types`; shapes : table of `shape.shape_features`
    """
    known = [str(name) for name in model.estimator.classes_]
    probability = model.probabilities(shapes[FEATURES].to_numpy(np.float32))
    table = pd.DataFrame(probability, columns=[f"p_{name}" for name in known])
    table.insert(0, "type", [known[best] for best in probability.argmax(axis=1)])
    table.insert(0, "segment", shapes["segment"].to_numpy())
    return table


def kinds_of_types(segments: pd.DataFrame) -> pd.Series:
    """`orphan` for a spine clear of the volume's edge, `shaft` for a shaft, else `other`; of `type on_edge`."""
    orphan = (segments["type"] == "spine") & ~segments["on_edge"]
    kind = np.where(segments["type"] == "shaft", "shaft", np.where(orphan, "orphan", "other"))
    return pd.Series(kind, index=segments.index, name="kind")


def _type_forest(seed: int) -> ExtraTreesClassifier:
    return ExtraTreesClassifier(300, class_weight="balanced", min_samples_leaf=2, random_state=seed, n_jobs=1)


@njit(cache=True)
def _measure(regions, distance, n):
    voxels = np.zeros(n, dtype=np.int64)
    centre = np.zeros((n, 3))
    box = np.zeros((n, 6), dtype=np.int64)
    mean = np.zeros(n)
    largest = np.zeros(n)
    for z in range(regions.shape[0]):
        for y in range(regions.shape[1]):
            for x in range(regions.shape[2]):
                region = regions[z, y, x]
                if region < 0:
                    continue
                if voxels[region] == 0:
                    box[region] = (z, z + 1, y, y + 1, x, x + 1)
                voxels[region] += 1
                centre[region, 0] += z
                centre[region, 1] += y
                centre[region, 2] += x
                box[region, 1] = z + 1
                box[region, 2] = min(box[region, 2], y)
                box[region, 3] = max(box[region, 3], y + 1)
                box[region, 4] = min(box[region, 4], x)
                box[region, 5] = max(box[region, 5], x + 1)
                mean[region] += distance[z, y, x]
                largest[region] = max(largest[region], distance[z, y, x])
    for region in range(n):
        centre[region] /= voxels[region]
        mean[region] /= voxels[region]
    return voxels, centre, box, mean, largest


@njit(cache=True)
def _nearest_voxels(regions, centre, size):
    """Voxel (N, 3) of each region that is nearest to its centroid, the first of several."""
    least = np.full(len(centre), np.inf)
    nearest = np.zeros((len(centre), 3), dtype=np.int64)
    for z in range(regions.shape[0]):
        for y in range(regions.shape[1]):
            for x in range(regions.shape[2]):
                region = regions[z, y, x]
                if region < 0:
                    continue
                away = ((z - centre[region, 0]) * size[0]) ** 2
                away += ((y - centre[region, 1]) * size[1]) ** 2 + ((x - centre[region, 2]) * size[2]) ** 2
                if away < least[region]:
                    least[region] = away
                    nearest[region] = z, y, x
    return nearest
