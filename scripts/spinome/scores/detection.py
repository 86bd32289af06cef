"""Scores of detected boxes and points against true ones: matched boxes, precision, recall, F1, average precision."""

from __future__ import annotations

import numpy as np


def match_boxes(
    found: np.ndarray, scores: np.ndarray, true: np.ndarray, least_iou: float, near: np.ndarray | None = None
) -> np.ndarray:
    """Which boxes hit: best score first, each takes the free true box that it overlaps most (COCO, Lin et al. 2014).

    Parameters
    ----------
    found, true : (N, 4) and (M, 4), x_min, y_min, x_max, y_max
    scores : (N,) of the boxes found
    least_iou : intersection over union from which two boxes may be paired
    near : (N, M) bool, which boxes may be paired at all, all by default

    Returns
    -------
    (N,) bool
    """
    hit = np.zeros(len(found), bool)
    if not len(found) or not len(true):
        return hit
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, 2:], true[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (found, true)]
    overlap = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-12)
    if near is not None:
        overlap[~near] = -1.0
    for row in np.argsort(-scores, kind="stable"):
        column = int(np.argmax(overlap[row]))
        if overlap[row, column] >= least_iou:
            hit[row] = True
            overlap[:, column] = -1.0
    return hit


def precision_recall(hits: int, false: int, missed: int) -> tuple[float, float, float]:
    """Precision, recall and F1; a ratio of nothing to nothing is NaN, F1 is 0 without a hit."""
    precision = hits / (hits + false) if hits + false else float("nan")
    recall = hits / (hits + missed) if hits + missed else float("nan")
    f1 = 2 * hits / (2 * hits + false + missed) if hits + false + missed else float("nan")
    return precision, recall, f1


def precision_recall_curve(scores: np.ndarray, hit: np.ndarray, truths: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall as the score's threshold falls, one value per detection, highest score first."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(hit[order])
    return hits / np.arange(1, len(hits) + 1), hits / max(truths, 1)


def average_precision(scores: np.ndarray, hit: np.ndarray, truths: int) -> float:
    """Area under the precision-recall curve, precision made monotonic from the right.

    So does Pascal VOC (Everingham et al. 2010). Recall that is never reached counts as zero precision.

    Parameters
    ----------
    scores, hit : (N,) score of each detection, and whether it is paired with a truth
    truths : number of true objects
    """
    if truths == 0:
        return float("nan")
    precision, recall = _monotonic_curve(scores, hit, truths)
    return float(np.sum(precision * np.diff(recall, prepend=0.0)))


def coco_average_precision(scores: np.ndarray, hit: np.ndarray, truths: int) -> float:
    """Mean, over 101 recalls from 0 to 1, of the highest precision at that recall or beyond (COCO).

    Parameters
    ----------
    scores, hit : (N,) score of each detection, and whether it is paired with a truth
    truths : number of true objects
    """
    if truths == 0:
        return float("nan")
    precision, recall = _monotonic_curve(scores, hit, truths)
    reached = np.searchsorted(recall, np.linspace(0, 1, 101) - 1e-12)
    return float(np.append(precision, 0.0)[reached].mean())


def _monotonic_curve(scores: np.ndarray, hit: np.ndarray, truths: int) -> tuple[np.ndarray, np.ndarray]:
    """For each detection the highest precision at its recall or beyond, and the recall."""
    precision, recall = precision_recall_curve(scores, hit, truths)
    return np.maximum.accumulate(precision[::-1])[::-1], recall
