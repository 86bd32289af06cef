"""The published choice of an operating point, for comparison alone.

VESICLE (Roncal et al. 2015) tries every combination of thresholds and size rules and counts a true object as found if
10 of its voxels are, and a found one as true if 10 of its voxels are. That can be gamed: one object made of all
membranes finds every synapse and is true, F1 1.0. So each combination is also matched one to one, which is what counts.
Sizes are those of the published program in um2 and um3 at its 8 x 8 x 45 nm.
"""

from __future__ import annotations

from itertools import product

import cc3d
import numpy as np
import pandas as pd

from spinome.io.units import VoxelSize
from spinome.scores.objects import match_one_to_one, outcome, pool, precision_recall_f1, published_counts
from spinome.scores.overlap import object_overlaps

PIXEL_UM2, VOXEL_UM3 = 6.4e-5, 2.88e-6
THRESHOLDS = (0.5, 0.6, *(round(0.7 + 0.025 * step, 3) for step in range(13)))
MIN_AREAS_UM2 = tuple(size * PIXEL_UM2 for size in (0, 50, 200))
MAX_AREAS_UM2 = tuple(size * PIXEL_UM2 for size in (2500, 5000, 10000))
MIN_VOLUMES_UM3 = tuple(size * VOXEL_UM3 for size in (100, 500, 1000, 2000))
MIN_SECTIONS = (1, 3, 5)
RULES = ["threshold", "min_area_um2", "max_area_um2", "min_volume_um3", "min_sections"]
Combination = tuple[float, float, float, float, int]


def try_combinations(
    probability: np.ndarray, truth: np.ndarray, voxel_nm: VoxelSize
) -> dict[Combination, tuple[tuple[int, int, int, int], object]]:
    """Score every combination of rules on one volume, rules on whole patches and whole objects.

    Parameters
    ----------
    probability : (Z, Y, X) float32
    truth : (Z, Y, X), 0 background

    Returns
    -------
    for each combination the counts of `published_counts` and the outcome of one-to-one matching
    """
    true = cc3d.connected_components(truth, connectivity=18)
    truths = np.arange(1, int(true.max()) + 1)
    pixel_um2, voxel_um3 = voxel_nm[1] * voxel_nm[2] / 1e6, np.prod(voxel_nm) / 1e9
    results = {}
    for threshold in THRESHOLDS:
        patches, areas = _patches(probability >= threshold)
        for low, high in product(MIN_AREAS_UM2, MAX_AREAS_UM2):
            kept = (areas * pixel_um2 >= low) & (areas * pixel_um2 <= high)
            kept[0] = False
            found = cc3d.connected_components(kept[patches], connectivity=18)
            statistics = cc3d.statistics(found, no_slice_conversion=True)
            volumes = statistics["voxel_counts"][1:] * voxel_um3
            boxes = statistics["bounding_boxes"][1:]
            sections = boxes[:, 1].astype(int) - boxes[:, 0] + 1
            shared = object_overlaps(true, found)
            for least, thinnest in product(MIN_VOLUMES_UM3, MIN_SECTIONS):
                ids = np.flatnonzero((volumes >= least) & (sections >= thinnest)) + 1
                pairs = shared[shared["found"].isin(ids)]
                matched = outcome(match_one_to_one(pairs), truths, ids, np.zeros(len(ids)))
                results[threshold, low, high, least, thinnest] = published_counts(pairs, len(truths), len(ids)), matched
    return results


def _patches(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """4-connected patches of each section numbered through the volume, and how many pixels each has."""
    patches, offset = np.zeros(mask.shape, np.uint32), 0
    for section, own in zip(mask, patches):
        labels, count = cc3d.connected_components(section, connectivity=4, return_N=True)
        own[:] = np.where(labels > 0, labels + np.uint32(offset), 0)
        offset += count
    return patches, np.bincount(patches.ravel(), minlength=offset + 1)


def operating_curve(volumes: list[dict[Combination, tuple]]) -> pd.DataFrame:
    """Pool volumes, and mark the published operating curve and point.

    Returns
    -------
    one row per combination: `RULES`, `published_precision`, `published_recall`, `published_f1`, `precision`, `recall`
    and `f1` matched one to one; `on_curve` where no combination has more of both published scores, and `chosen` at the
    best published F1 (the first of equals)
    """
    rows = []
    for combination in volumes[0]:
        counts = np.sum([one[combination][0] for one in volumes], axis=0)
        true, found, hit, truths = counts
        published = true / found if found else np.nan, hit / truths if truths else np.nan
        both = published[0] + published[1]
        published_f1 = 2 * published[0] * published[1] / both if both > 0 else 0.0
        matched = precision_recall_f1(pool([one[combination][1] for one in volumes]))
        rows.append([*combination, *published, published_f1, *matched])
    names = ["published_precision", "published_recall", "published_f1", "precision", "recall", "f1"]
    table = pd.DataFrame(rows, columns=[*RULES, *names])
    order = table.sort_values(["published_recall", "published_precision"], ascending=False)
    best_before = order["published_precision"].cummax().shift(fill_value=-1.0)
    table["on_curve"] = (order["published_precision"] > best_before).reindex(table.index)
    table["chosen"] = table.index == table["published_f1"].idxmax()
    return table
