"""Graph f1: how well the line graph of detected synapses agrees with that of the true ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class GraphScore(NamedTuple):
    """Precision, recall and f1 over pairs of synapses, and how many pairs there are."""

    precision: float
    recall: float
    f1: float
    detected: int
    true: int


def match_synapses(pairs: np.ndarray, counts: np.ndarray) -> dict[int, int]:
    """Match detected to true synapses by overlap, each at most once, the largest overlap first.

    Parameters
    ----------
    pairs : (P, 2) int, detected and true label that share voxels, 0 is none
    counts : (P,) voxels they share

    Returns
    -------
    The true synapse of each matched detection
    """
    match: dict[int, int] = {}
    taken = set()
    for row in np.lexsort((pairs[:, 1], pairs[:, 0], -counts)):
        detected, true = int(pairs[row, 0]), int(pairs[row, 1])
        if detected and true and detected not in match and true not in taken:
            match[detected] = true
            taken.add(true)
    return match


def score_graphs(detected: np.ndarray, truth: np.ndarray, match: dict[int, int]) -> GraphScore:
    """Score pairs of synapses that share a neurite (Gray Roncal et al. 2015), by sorted keys, without a matrix.

    Parameters
    ----------
    detected, truth : (P, 2) int, pairs of synapses that share a neurite, each pair once
    match : the true synapse of a detected one; an unmatched detection keeps a vertex of its own
    """
    # detections without a match get numbers that no true synapse has
    names = np.unique(detected)
    new = np.array([match.get(int(name), -1 - number) for number, name in enumerate(names)], dtype=np.int64)
    renamed = new[np.searchsorted(names, detected)] if len(names) else detected
    found, known = _keys(renamed), _keys(truth)
    right = len(found & known)
    precision = right / len(found) if found else float("nan")
    recall = right / len(known) if known else float("nan")
    f1 = 2 * right / (len(found) + len(known)) if found or known else float("nan")
    return GraphScore(precision, recall, f1, len(found), len(known))


def _keys(pairs: np.ndarray) -> set[tuple[int, int]]:
    return set(map(tuple, np.sort(pairs, axis=1).tolist()))
