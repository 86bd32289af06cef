"""How good detected synapses are: matched one to one with the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cc3d
import fastremap
import numpy as np
import pandas as pd

from spinome.cuboids import cuboids
from spinome.gaps import labels_at_gaps
from spinome.io.units import VoxelSize
from spinome.io.volumes import Volume, require_same_grid
from spinome.scores.intervals import evaluation_row, evaluation_table
from spinome.scores.objects import (
    Matched,
    average_precision,
    average_precision_interval,
    intervals,
    leave_out,
    match_one_to_one,
    outcome,
    partners,
    pool,
    precision_recall_f1,
    published_counts,
)
from spinome.scores.overlap import object_overlaps
from spinome.synapses.objects.judge import Judge
from spinome.synapses.objects.merge import merge_parts
from spinome.synapses.objects.patches import load_parts, paint_parts

# of the table of all candidates
CANDIDATE_COLUMNS = ["volume", "rank", "true"]


@dataclass(frozen=True)
class Compared:
    """Found and true objects of one volume.

    What became of each, their overlaps, the sections of each true one, and for each found one the true one that it is
    matched with, counted from 0, or -1; and how many true ones touch a gap, and are not asked for.
    """

    result: Matched
    shared: pd.DataFrame
    sections: np.ndarray
    partner: np.ndarray
    unknown: int = 0

    def thick(self) -> Matched:
        """The outcome without true objects of a single section and the found ones that are matched with them."""
        return leave_out(self.result, self.partner, self.sections == 1)


def known_objects(
    truth: Volume, found: Volume, objects: pd.DataFrame, gaps: pd.DataFrame | None
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, int]:
    """True objects, numbered from 1, and found ones without those that touch a gap, and how many true ones do.

    Parameters
    ----------
    truth, found, objects, gaps : as `compare` takes them
    """
    true, labels = cc3d.connected_components(truth[:], connectivity=18), found[:]
    if gaps is None or gaps.empty:
        return true, labels, objects, 0
    cut = [labels_at_gaps(array, gaps) for array in (true, labels)]
    true, labels = (np.where(np.isin(array, ids), 0, array) for array, ids in zip((true, labels), cut))
    # an object whose voxels were never written is not seen to touch a gap
    kept = objects[objects["synapse"].isin(fastremap.unique(labels))]
    return cc3d.connected_components(true, connectivity=18), labels, kept, len(cut[0])


def rank(objects: pd.DataFrame) -> np.ndarray:
    """What objects are ranked by, (N,): their probability where a judge gave one, else their expected volume in um3.

    The expected volume is that of the choice of an operating point without a judge: a mean probability favours specks.
    """
    expected_um3 = (objects["score"] * objects["volume_um3"]).to_numpy(float)
    judged = objects["probability"].to_numpy(float)
    return np.where(np.isnan(judged), expected_um3, judged)


def compare(truth: Volume, found: Volume, objects: pd.DataFrame, gaps: pd.DataFrame | None = None) -> Compared:
    """Match the objects of a volume with its truth, both read whole; those that touch a gap are left out.

    Parameters
    ----------
    truth, found : label volumes of one grid; true objects are what is connected (18 neighbours) and of one label
    objects : `synapse score volume_um3 probability` of the found objects, which say how they `rank`
    gaps : of the volume (`spinome.gaps.gap_table`)
    """
    require_same_grid([truth, found])
    true, labels, objects, unknown = known_objects(truth, found, objects, gaps)
    boxes = cc3d.statistics(true)["bounding_boxes"][1:]
    sections = np.array([box[0].stop - box[0].start for box in boxes if box is not None], np.int64)
    shared = object_overlaps(true, labels)
    ids = np.arange(1, len(sections) + 1)
    matched, found_ids = match_one_to_one(shared), objects["synapse"].to_numpy()
    result = outcome(matched, ids, found_ids, rank(objects))
    return Compared(result, shared, sections, partners(matched, ids, found_ids), unknown)


def candidates(
    files: Mapping[str, str | Path],
    shape: tuple[int, int, int],
    voxel_nm: VoxelSize,
    cuboid: tuple[int, int, int],
    connectivity: int = 18,
    judge: Judge | None = None,
) -> tuple[pd.DataFrame, Volume]:
    """All objects above the threshold of a volume, whatever the rules keep of them.

    Parameters
    ----------
    files : the parts of each cuboid by its name, from `save_parts`; those of failed cuboids are absent
    judge : of the model, if it has one

    Returns
    -------
    objects, labels : as `compare` takes them
    """
    pieces = [piece for piece in cuboids(shape, cuboid) if piece.name in files]
    objects, ids = merge_parts([files[piece.name] for piece in pieces], shape, voxel_nm, connectivity, judge=judge)
    labels = np.zeros(shape, np.uint64)
    for piece, found in zip(pieces, ids):
        labels[piece.core] = paint_parts(load_parts(files[piece.name]), found.astype(np.uint64))
    return objects, Volume(labels, voxel_nm, "candidates")


def evaluate(compared: list[Compared], ranked: Sequence[Matched], seed: int = 0) -> pd.DataFrame:
    """The table of the evaluation, pooled over volumes, with bootstrap intervals over objects.

    Parameters
    ----------
    compared : the objects that the rules keep, of each volume
    ranked : what became of all `candidates` of each volume; average precision is theirs, since it asks for the order
        of all and not for where the rules cut it short
    """
    result = pool([one.result for one in compared])
    truths, founds = len(result.truth_found), len(result.found_true)
    names = ("precision", "recall", "f1")
    rows = [
        evaluation_row(name, value, truths if name == "recall" else founds, "objects", interval)
        for name, value, interval in zip(names, precision_recall_f1(result), intervals(result, seed))
    ]
    whole = pool(list(ranked))
    at = average_precision_interval(whole, seed)
    rows.append(evaluation_row("average_precision", average_precision(whole), len(whole.found_true), "candidates", at))
    thick = pool([one.thick() for one in compared])
    held = len(thick.truth_found), len(thick.found_true)
    for name, value, number, interval in zip(
        names, precision_recall_f1(thick), (held[1], held[0], held[1]), intervals(thick, seed)
    ):
        rows.append(evaluation_row(f"{name}_of_two_sections_or_more", value, number, "objects", interval))
    counts = [published_counts(one.shared, len(one.result.truth_found), len(one.result.found_true)) for one in compared]
    true, found, hit, truth = np.sum(counts, axis=0)
    for name, hits, total in (("published_precision", true, found), ("published_recall", hit, truth)):
        rows.append(evaluation_row(name, hits / total if total else float("nan"), total, "objects"))
    if unknown := sum(one.unknown for one in compared):
        rows.append(evaluation_row("not_known", unknown, truths + unknown, "true objects"))
    return evaluation_table(rows)
