"""Candidates of training volumes, and the judge that tells the true ones among them.

A judge is tried on a slab by one that was trained on the candidates of the other slabs. The probabilities that
candidates are made of come from voxel classifiers that have not seen their slab, so neither is optimistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
import pandas as pd

from spinome.io.volumes import Volume
from spinome.scores.objects import Matched, average_precision, match_one_to_one, partners, pool
from spinome.scores.overlap import object_overlaps
from spinome.synapses.classify import Evidence
from spinome.synapses.objects.judge import Judge, fit_judge, greatest_expected_f1
from spinome.synapses.objects.merge import merge_parts
from spinome.synapses.objects.patches import find_parts, paint_parts
from spinome.synapses.training.folds import SLABS, slab_of

# of a candidate's voxels; the one is taken that ranks candidates best
THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class Candidates:
    """All objects above a threshold in a volume.

    table : `OBJECT_COLUMNS` and `MEASURES`
    partner : the true object that each is matched with, counted from 0, or -1
    touches : whether each shares voxels with a true object
    slab, truth_slab : where each candidate and each true object lies; a matched candidate lies where its true one does
    truth_sections : how many sections each true object spans
    """

    table: pd.DataFrame
    partner: np.ndarray
    touches: np.ndarray
    slab: np.ndarray
    truth_slab: np.ndarray
    truth_sections: np.ndarray

    @property
    def teaches(self) -> np.ndarray:
        """Candidates that a judge learns from: what is neither true nor false, a second piece of a synapse, is none."""
        return (self.partner >= 0) | ~self.touches

    def outcome(self, probability: np.ndarray, kept: np.ndarray, slab: int | None = None) -> Matched:
        """What became of the kept candidates (N,) bool and of the true objects, of one slab or of all.

        The matching is that of the kept ones.
        """
        inside = kept if slab is None else kept & (self.slab == slab)
        asked = np.ones(len(self.truth_slab), bool) if slab is None else self.truth_slab == slab
        found = np.zeros(len(self.truth_slab), bool)
        found[self.partner[inside & (self.partner >= 0)]] = True
        return Matched(probability[inside], self.partner[inside] >= 0, found[asked])


def find_candidates(
    probability: np.ndarray, evidence: Evidence, truth: Volume, thresholds: Sequence[float] = THRESHOLDS
) -> dict[float, Candidates]:
    """The candidates of a volume by the threshold, held against its truth; 18 neighbours make an object.

    Parameters
    ----------
    probability : (Z, Y, X) float32
    truth : labels, 0 background
    """
    shape = probability.shape
    true = cc3d.connected_components(truth[:], connectivity=18)
    statistics = cc3d.statistics(true)
    sections = np.array([box[0].stop - box[0].start for box in statistics["bounding_boxes"][1:]], np.int64)
    truth_slab = slab_of(statistics["centroids"][1:, 2], shape[2])
    truths, found = np.arange(1, len(sections) + 1), {}
    for threshold in thresholds:
        inside = (probability >= threshold).astype(np.uint8)
        parts = find_parts(inside, probability, (0, 0, 0), shape, evidence)
        table, (ids,) = merge_parts([parts], shape, evidence.voxel_nm, measured=True)
        shared = object_overlaps(true, paint_parts(parts, ids))
        partner = partners(match_one_to_one(shared), truths, table["synapse"].to_numpy())
        touches = np.isin(table["synapse"], shared["found"])
        slab = slab_of(table["x_nm"].to_numpy() / evidence.voxel_nm[2], shape[2])
        slab = np.where(partner >= 0, truth_slab[partner] if len(truth_slab) else 0, slab)
        found[threshold] = Candidates(table, partner, touches, slab, truth_slab, sections)
    return found


def train_judge(volumes: Sequence[Candidates], without: Sequence[int] = ()) -> Judge | None:
    """Learn from the candidates of all volumes but those of some slabs; None where there are too few."""
    chosen = [one.teaches & ~np.isin(one.slab, without) for one in volumes]
    table = pd.concat([one.table[rows] for one, rows in zip(volumes, chosen)])
    return fit_judge(table, np.concatenate([one.partner[rows] >= 0 for one, rows in zip(volumes, chosen)]))


def judge_left_out(volumes: Sequence[Candidates], nor: Sequence[int] = ()) -> list[np.ndarray] | None:
    """The probability of each candidate by a judge that has seen neither its slab nor those of `nor`.

    An array for each volume, 0 in slabs of `nor`; None where a judge has too little to learn from.
    """
    results = [np.zeros(len(one.table)) for one in volumes]
    for slab in set(range(SLABS)) - set(nor):
        judge = train_judge(volumes, [slab, *nor])
        if judge is None:
            return None
        for one, result in zip(volumes, results):
            rows = one.slab == slab
            result[rows] = judge.probability(one.table[rows])
    return results


@dataclass(frozen=True)
class Operation:
    """A judge and where it operates: the voxels' threshold, and the least probability of a candidate."""

    judge: Judge
    threshold: float
    min_probability: float


def choose_operation(
    volumes: Sequence[dict[float, Candidates]], nor: Sequence[int] = ()
) -> tuple[Operation, list[np.ndarray]] | None:
    """The threshold that ranks candidates best, and the least probability with the greatest expected F1 there.

    Both by judges that have not seen the slab of a candidate; nothing of the slabs of `nor` is used.

    Returns
    -------
    the operation, and for each volume the probability of each candidate by such a judge; None where there are too few
    candidates to learn from
    """
    best: tuple[float, Operation, list[np.ndarray]] | None = None
    for threshold in volumes[0]:
        every = [one[threshold] for one in volumes]
        probabilities, judge = judge_left_out(every, nor), train_judge(every, nor)
        if probabilities is None or judge is None:
            continue
        asked = [~np.isin(one.slab, nor) for one in every]
        truths = [~np.isin(one.truth_slab, nor) for one in every]
        results = [one.outcome(p, rows) for one, p, rows in zip(every, probabilities, asked)]
        pooled = pool([Matched(r.found_score, r.found_true, r.truth_found[rows]) for r, rows in zip(results, truths)])
        ranking = average_precision(pooled)
        if best is None or ranking > best[0]:
            least, _ = greatest_expected_f1(pooled.found_score, len(pooled.truth_found))
            best = ranking, Operation(judge, threshold, least), probabilities
    return best and (best[1], best[2])
