"""What each segment may be, by rules on its size, its thickness and the volume's edge.

An orphan is of a spine's size, lies clear of the volume's edge and holds no shaft. A shaft is large, long and thick
enough to be a dendrite, and a forest on its shape does not take it for an axon or glia. Everything else (axons, glia,
fragments) is `other`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold

from spinome.cuboids import cuboids
from spinome.io.models import Model
from spinome.io.tables import read_table
from spinome.io.units import VoxelSize
from spinome.linking.measure import centroids, join_measured, measure, nearest_voxels, with_inside
from spinome.linking.shape import FEATURES

KINDS = ("orphan", "shaft", "other")
TYPES = ("spine", "shaft", "axon", "soma", "glia", "other")
TYPE_COLUMNS = ("segment", "type")


def measure_segments(segments: np.ndarray, voxel_nm: VoxelSize, stride: tuple[int, int, int]) -> pd.DataFrame:
    """Measure every segment of a volume that fits into memory.

    Parameters
    ----------
    segments : (Z, Y, X) int, 0 is none
    voxel_nm : size of a voxel (z, y, x)
    stride : thinning of these segments from the full volume; places are given in voxels of `segments`

    Returns
    -------
    Table of `measure.join_measured`, and of `measure.INSIDE`: the centre of the voxel of a segment that is nearest to
    its centroid, which itself may lie outside of a bent segment
    """
    if not segments.any():
        raise ValueError("there is no segment: every voxel is 0")
    segments = segments.view(np.uint8) if segments.dtype == bool else segments
    shape = segments.shape
    z, y, x = (size * step for size, step in zip(voxel_nm, stride))
    (whole,) = cuboids(shape, shape)
    part = measure(lambda box: segments[box], whole, shape, (z, y, x))
    frame = join_measured(lambda: [part], shape, voxel_nm, stride)
    _, nearest = nearest_voxels(segments, whole, part.labels, centroids(frame, (z, y, x)), (z, y, x))
    return with_inside(frame, nearest, voxel_nm, stride)


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


def require_types(source: str, table: pd.DataFrame) -> None:
    """Raise a ValueError, naming the file and the remedy, where a table of TYPE_COLUMNS cannot be learned from."""
    types = table["type"].astype(str)
    if unknown := sorted(set(types) - set(TYPES)):
        raise ValueError(f"{source}: types {', '.join(unknown)} are none of {', '.join(TYPES)}; correct the rows")
    if not (types == "shaft").any():
        raise ValueError(f"{source}: no segment is a shaft, so that none could be told from others; add some that are")
    if (twice := table["segment"].duplicated()).any():
        raise ValueError(f"{source}: segment {table.loc[twice, 'segment'].iloc[0]} has two rows; keep one of them")


def read_types(source: str) -> pd.DataFrame:
    """The table `segment type` of a volume's segments; raises as `read_table` and `require_types`."""
    types = read_table(source, TYPE_COLUMNS, integers=["segment"])[[*TYPE_COLUMNS]]
    require_types(source, types)
    return types.astype({"segment": np.int64, "type": str})


def train_types(
    shapes: pd.DataFrame, types: np.ndarray, specimens: np.ndarray, seed: int
) -> tuple[ExtraTreesClassifier, np.ndarray]:
    """Train a forest that types segments by their shape, and type each by one that did not see its specimen.

    Parameters
    ----------
    shapes : table with `shape.FEATURES`; types : (N,) of TYPES
    specimens : (N,) rows of one specimen are kept in one fold

    Returns
    -------
    the forest on all rows, and of each row the probabilities (N, types in the order of its classes) that a forest gives
    which did not see its specimen

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
    forest = _type_forest(seed).fit(features, types)
    found = np.zeros((len(types), len(forest.classes_)))
    for seen, unseen in splits:
        part = _type_forest(seed).fit(features[seen], types[seen])
        # of a type with a single specimen a fold may know nothing
        columns = np.searchsorted(forest.classes_, part.classes_)
        found[np.ix_(unseen, columns)] = part.predict_proba(features[unseen])
    return forest, found


def type_probabilities(model: Model, shapes: pd.DataFrame) -> pd.DataFrame:
    """Types of segments by a trained forest: `segment type` and a column `p_<type>` for each that it knows.

    Parameters
    ----------
    model : forest of `train_types`; shapes : table of `shape.shape_features`
    """
    probability = model.probabilities(shapes[FEATURES].to_numpy(np.float32))
    return _as_table(shapes["segment"].to_numpy(), model.estimator.classes_, probability)


def unseen_probabilities(forest: ExtraTreesClassifier, lesson: pd.DataFrame, unseen: np.ndarray) -> pd.DataFrame:
    """What `train_types` returns of each segment by a forest that did not see its specimen, as `with_unseen` takes it.

    Parameters
    ----------
    lesson : table with `volume segment` of the rows that were learned
    unseen : (N, types) probabilities of these rows

    Returns
    -------
    Table of `volume`, and the columns of `type_probabilities`
    """
    table = _as_table(lesson["segment"].to_numpy(), forest.classes_, unseen)
    table.insert(0, "volume", lesson["volume"].to_numpy())
    return table


def _as_table(segments: np.ndarray, classes: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    known = [str(name) for name in classes]
    table = pd.DataFrame(probability, columns=[f"p_{name}" for name in known])
    table.insert(0, "type", [known[best] for best in probability.argmax(axis=1)])
    table.insert(0, "segment", segments)
    return table


def with_unseen(typed: pd.DataFrame, unseen: pd.DataFrame) -> pd.DataFrame:
    """Types of segments, of those that the forest learned from by one that did not see them.

    A forest is surer of what it has learned than of anything that it meets later, and links would learn to trust that.

    Parameters
    ----------
    typed : table of `type_probabilities`; unseen : rows of the same columns that take the place of theirs
    """
    others = typed[~typed["segment"].isin(unseen["segment"])]
    return pd.concat([others, unseen[typed.columns]]).sort_values("segment", ignore_index=True)


def without_axons(segments: pd.DataFrame, least: float) -> pd.Series:
    """The kinds of `type_segments` without the shafts that are hardly dendrites by their shape.

    A shaft whose `p_shaft` of `type_probabilities` stays below `least` becomes `other`; one of which it is not known
    stays. Returns the column `kind`.
    """
    return segments["kind"].where((segments["kind"] != "shaft") | ~(segments["p_shaft"] < least), "other")


def kinds_of_types(segments: pd.DataFrame) -> pd.Series:
    """`orphan` for a spine clear of the volume's edge, `shaft` for a shaft, else `other`; of `type on_edge`."""
    orphan = (segments["type"] == "spine") & ~segments["on_edge"]
    kind = np.where(segments["type"] == "shaft", "shaft", np.where(orphan, "orphan", "other"))
    return pd.Series(kind, index=segments.index, name="kind")


def _type_forest(seed: int) -> ExtraTreesClassifier:
    return ExtraTreesClassifier(300, class_weight="balanced", min_samples_leaf=2, random_state=seed, n_jobs=1)
