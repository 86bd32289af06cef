"""Scores of tracks against true tracks: link F1, IDF1, MOTA and HOTA.

All take one frame of matched and unmatched points: `time` (int), `track` (found id or -1 where the truth was missed)
and `true` (true id or -1 where the detection is false).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment


def links(time: np.ndarray, track: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of row numbers that follow each other in a track."""
    order = np.lexsort((time, track))
    return {(int(a), int(b)) for a, b in pairwise(order) if track[a] == track[b] and track[a] >= 0}


def link_counts(points: pd.DataFrame) -> tuple[int, int, int]:
    """Right, wrong and missed links; a link is right where its two points are neighbours in one true track."""
    time = points["time"].to_numpy()
    found, true = (links(time, points[column].to_numpy()) for column in ("track", "true"))
    right = len(found & true)
    return right, len(found) - right, len(true) - right


def link_f1(points: pd.DataFrame) -> float:
    """F1 of the links between points that follow each other in a track."""
    right, wrong, missed = link_counts(points)
    return 2 * right / (2 * right + wrong + missed) if right + wrong + missed else float("nan")


def identity_counts(points: pd.DataFrame) -> tuple[int, int, int]:
    """Points on the right track under the best one-to-one pairing of whole tracks, found points, true points."""
    both = points[(points["track"] >= 0) & (points["true"] >= 0)]
    shared = pd.crosstab(both["track"], both["true"]).to_numpy()
    rows, columns = linear_sum_assignment(-shared)
    return int(shared[rows, columns].sum()), int((points["track"] >= 0).sum()), int((points["true"] >= 0).sum())


def idf1(points: pd.DataFrame) -> float:
    """F1 of points under the best one-to-one pairing of whole tracks (Ristani et al. 2016)."""
    shared, found, true = identity_counts(points)
    return 2 * shared / (found + true) if found + true else float("nan")


def error_counts(points: pd.DataFrame) -> tuple[int, int]:
    """Misses, false alarms and changes of identity together, and true points."""
    true = points["true"] >= 0
    missed = (true & (points["track"] < 0)).sum()
    hits = points[true & (points["track"] >= 0)].sort_values(["true", "time"])
    same = hits["true"].to_numpy()[1:] == hits["true"].to_numpy()[:-1]
    switches = (same & (hits["track"].to_numpy()[1:] != hits["track"].to_numpy()[:-1])).sum()
    return int(missed + (~true).sum() + switches), int(true.sum())


def mota(points: pd.DataFrame) -> float:
    """1 less misses, false alarms and changes of identity, over the true points (Bernardin and Stiefelhagen 2008)."""
    errors, true = error_counts(points)
    return 1 - errors / true if true else float("nan")


def association_counts(points: pd.DataFrame) -> tuple[float, int]:
    """Sum over the hits of how far their two tracks agree, and hits, misses and false alarms together.

    Two tracks agree by the points that they share over the points that either has (Jaccard index).
    """
    hits = points[(points["track"] >= 0) & (points["true"] >= 0)]
    shared = hits.groupby(["track", "true"]).size()
    lengths = [points.loc[points[name] >= 0, name].value_counts() for name in ("track", "true")]
    found, true = (own[shared.index.get_level_values(own.index.name)].to_numpy() for own in lengths)
    either = found + true - shared.to_numpy()
    return float((shared.to_numpy() ** 2 / either).sum()), len(points)


def hota(points: pd.DataFrame) -> float:
    """Higher order tracking accuracy (Luiten et al. 2021) at the one reach by which the points were paired.

    The root of the product of the detection accuracy, hits over all points, and of the mean over the hits of how far
    their tracks agree.
    """
    agreement, whole = association_counts(points)
    return float(np.sqrt(agreement / whole)) if whole else float("nan")
