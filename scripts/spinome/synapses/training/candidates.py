"""Candidates of training volumes, and the judges that choose them and tell the true ones among them.

Judges are tried on a slab by ones that were trained on the other slabs. The probabilities that candidates are made of
come from voxel classifiers that have not seen their slab, so neither is optimistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cc3d
import numpy as np
import pandas as pd

from spinome.io.volumes import Volume
from spinome.scores.objects import Matched, match_one_to_one, partners
from spinome.scores.overlap import object_overlaps
from spinome.synapses.classify import Evidence
from spinome.synapses.objects.judge import Judge, fit_judge, greatest_expected_f1
from spinome.synapses.objects.merge import merge_parts, nested_objects
from spinome.synapses.objects.patches import find_nested_parts, find_parts, paint_parts
from spinome.synapses.objects.pieces import choose_pieces
from spinome.synapses.training.folds import SLABS, slab_of

# what runs together above the lowest one may come apart above the others
THRESHOLDS = (0.3, 0.6, 0.8)
# voxels that a component shares with a true object that it counts for
SHARED = 10


@dataclass(frozen=True)
class Candidates:
    """Objects in a volume, none within another.

    table : `MEASURES` and other columns of objects
    partner : the true object that each is matched with, counted from 0, or -1
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
    def is_clear(self) -> np.ndarray:
        """Candidates that are a synapse or none: not the second piece of a synapse."""
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


@dataclass(frozen=True)
class Components:
    """All objects above each of `THRESHOLDS` in a volume.

    table : of `spinome.synapses.objects.merge.nested_objects`, measured
    shared : voxels that they share with true objects, of `spinome.scores.overlap.object_overlaps`, `found` is the row
    true : whether each is one true object, as a judge of pieces learns it: matched at its threshold, and with no other
        one in it
    slab : where the object at the lowest threshold lies that each is in
    truth_slab, truth_sections : as `Candidates` has them
    """

    table: pd.DataFrame
    shared: pd.DataFrame
    true: np.ndarray
    slab: np.ndarray
    truth_slab: np.ndarray
    truth_sections: np.ndarray

    def chosen(self, pieces: Judge) -> Candidates:
        """The candidates that a judge of pieces chooses, held against the truth."""
        level, parent = (self.table[name].to_numpy() for name in ("level", "parent"))
        rows = np.flatnonzero(choose_pieces(level, parent, pieces.probability(self.table)))
        return self.candidates_of(rows)

    def candidates_of(self, rows: np.ndarray) -> Candidates:
        """The components of some rows, none within another, held against the truth."""
        shared = self.shared[self.shared["found"].isin(rows)]
        partner = partners(match_one_to_one(shared), np.arange(1, len(self.truth_slab) + 1), rows)
        slab = self.slab[rows]
        slab = np.where(partner >= 0, self.truth_slab[partner] if len(self.truth_slab) else 0, slab)
        touches = np.isin(rows, shared["found"])
        return Candidates(self.table.iloc[rows], partner, touches, slab, self.truth_slab, self.truth_sections)


def find_components(probability: np.ndarray, evidence: Evidence, truth: Volume) -> Components:
    """The objects above each threshold of a volume, held against its truth; 18 neighbours make an object.

    Parameters
    ----------
    probability : (Z, Y, X) float32
    truth : labels, 0 background
    """
    shape = probability.shape
    true, sections, truth_slab = _true_objects(truth)
    parts = find_nested_parts(probability, THRESHOLDS, (0, 0, 0), shape, evidence)
    table, owner, _ = nested_objects([parts], shape, evidence.voxel_nm, measured=True)
    level, parent = table["level"].to_numpy(), table["parent"].to_numpy()
    slab = slab_of(table["x_nm"].to_numpy() / evidence.voxel_nm[2], shape[2])
    matched, shared = np.zeros(len(table), bool), []
    for at in range(len(THRESHOLDS)):
        overlaps = object_overlaps(true, paint_parts(parts, np.where(parts.level == at, owner + 1, 0)))
        shared.append(overlaps.assign(found=overlaps["found"] - 1))
        pairs = match_one_to_one(shared[-1])
        matched[pairs["found"]] = True
        if at == 0:
            slab[pairs["found"]] = truth_slab[pairs["truth"] - 1]
        else:
            # a component is judged by what has seen nothing of the one that it is in
            own = level == at
            slab[own] = slab[parent[own]]
    table_of_shared = pd.concat(shared, ignore_index=True)
    held = np.bincount(table_of_shared.loc[table_of_shared["voxels"] >= SHARED, "found"], minlength=len(table))
    return Components(table, table_of_shared, matched & (held == 1), slab, truth_slab, sections)


def _true_objects(truth: Volume) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The true objects, counted from 1, and of each how many sections it spans and its slab."""
    true = cc3d.connected_components(truth[:], connectivity=18)
    statistics = cc3d.statistics(true)
    sections = np.array([box[0].stop - box[0].start for box in statistics["bounding_boxes"][1:]], np.int64)
    return true, sections, slab_of(statistics["centroids"][1:, 2], truth.shape[2])


def find_candidates(probability: np.ndarray, evidence: Evidence, truth: Volume, threshold: float) -> Candidates:
    """The objects above a single threshold; parameters as of `find_components`."""
    shape = probability.shape
    true, sections, truth_slab = _true_objects(truth)
    parts = find_parts((probability >= threshold).astype(np.uint8), probability, (0, 0, 0), shape, evidence)
    table, (ids,) = merge_parts([parts], shape, evidence.voxel_nm, measured=True)
    shared = object_overlaps(true, paint_parts(parts, ids))
    partner = partners(match_one_to_one(shared), np.arange(1, len(sections) + 1), table["synapse"].to_numpy())
    slab = slab_of(table["x_nm"].to_numpy() / evidence.voxel_nm[2], shape[2])
    slab = np.where(partner >= 0, truth_slab[partner] if len(truth_slab) else 0, slab)
    return Candidates(table, partner, np.isin(table["synapse"], shared["found"]), slab, truth_slab, sections)


@dataclass(frozen=True)
class Operation:
    """A judge, with the one of pieces, and the least probability of a candidate."""

    judge: Judge
    min_probability: float


def train_judge(volumes: Sequence[Components], without: Sequence[int] = ()) -> tuple[Judge, list[Candidates]] | None:
    """Learn from all volumes but some of their slabs which pieces to take, and then which of the pieces are synapses.

    A second piece of a synapse is none, so that one is not taken for two.

    Returns
    -------
    the judge, with that of pieces, and the candidates that the latter chooses; None where there is too little to learn
    from
    """
    used = [~np.isin(one.slab, without) for one in volumes]
    table = pd.concat([one.table[rows] for one, rows in zip(volumes, used)])
    pieces = fit_judge(table, np.concatenate([one.true[rows] for one, rows in zip(volumes, used)]))
    if pieces is None:
        return None
    chosen = [one.chosen(pieces) for one in volumes]
    used = [~np.isin(one.slab, without) for one in chosen]
    table = pd.concat([one.table[rows] for one, rows in zip(chosen, used)])
    judge = fit_judge(table, np.concatenate([one.partner[rows] >= 0 for one, rows in zip(chosen, used)]))
    return (replace(judge, pieces=pieces), chosen) if judge else None


def judge_left_out(
    volumes: Sequence[Components], nor: Sequence[int] = ()
) -> tuple[list[Candidates], list[np.ndarray]] | None:
    """Candidates and their probabilities by judges that have seen neither their slab nor those of `nor`.

    Returns
    -------
    for each volume, those outside of the slabs of `nor`; None where a judge has too little to learn from
    """
    rows: list[list[np.ndarray]] = [[] for _ in volumes]
    likely: list[list[np.ndarray]] = [[] for _ in volumes]
    for slab in set(range(SLABS)) - set(nor):
        taught = train_judge(volumes, [slab, *nor])
        if taught is None:
            return None
        judge, chosen = taught
        for one, candidates, found, probability in zip(volumes, chosen, rows, likely):
            # by the object at the lowest threshold, so that each of these is there once
            table = candidates.table[one.slab[candidates.table.index] == slab]
            found.append(table.index.to_numpy())
            probability.append(judge.probability(table))
    results = []
    for one, found, probability in zip(volumes, rows, likely):
        place = np.concatenate(found)
        order = np.argsort(place)
        results.append((one.candidates_of(place[order]), np.concatenate(probability)[order]))
    return [one for one, _ in results], [probability for _, probability in results]


def choose_operation(
    volumes: Sequence[Components], nor: Sequence[int] = ()
) -> tuple[Operation, list[Candidates], list[np.ndarray]] | None:
    """A judge, and the least probability of a candidate that gives the greatest expected F1.

    The latter by judges that have not seen the slab of a candidate; nothing of the slabs of `nor` is used.

    Returns
    -------
    the operation, and what `judge_left_out` returns; None where there are too few candidates to learn from
    """
    left, taught = judge_left_out(volumes, nor), train_judge(volumes, nor)
    if left is None or taught is None:
        return None
    truths = sum(int((~np.isin(one.truth_slab, nor)).sum()) for one in volumes)
    least, _ = greatest_expected_f1(np.concatenate(left[1]), truths)
    return Operation(taught[0], least), *left
