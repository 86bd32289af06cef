"""How good detected synapses are: matched one to one with the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
import pandas as pd

from spinome.io.volumes import Volume, require_same_grid
from spinome.scores.intervals import bootstrap, evaluation_row, evaluation_table
from spinome.scores.objects import (
    Matched,
    average_precision,
    intervals,
    match_one_to_one,
    outcome,
    overlaps,
    pool,
    precision_recall_f1,
    published_rule,
)


@dataclass(frozen=True)
class Compared:
    """Found and true objects of one volume: what became of each, their overlaps, and the sections of each true one."""

    result: Matched
    shared: pd.DataFrame
    sections: np.ndarray


def compare(truth: Volume, found: Volume, objects: pd.DataFrame) -> Compared:
    """Match the objects of a volume with its truth, both read whole.

    Parameters
    ----------
    truth, found : label volumes of one grid; true objects are what is connected (18 neighbours) and of one label
    objects : `synapse` and `score` of the found objects
    """
    require_same_grid([truth, found])
    true = cc3d.connected_components(truth[:], connectivity=18)
    boxes = cc3d.statistics(true)["bounding_boxes"][1:]
    sections = np.array([box[0].stop - box[0].start for box in boxes if box is not None], np.int64)
    shared = overlaps(true, found[:])
    ids = np.arange(1, len(sections) + 1)
    result = outcome(match_one_to_one(shared), ids, objects["synapse"].to_numpy(), objects["score"].to_numpy())
    return Compared(result, shared, sections)


def evaluate(compared: list[Compared], seed: int = 0) -> pd.DataFrame:
    """The table of the evaluation, pooled over volumes, with bootstrap intervals over objects."""
    result = pool([one.result for one in compared])
    truths, founds = len(result.truth_found), len(result.found_true)
    names = ("precision", "recall", "f1")
    rows = [
        evaluation_row(name, value, truths if name == "recall" else founds, "objects", interval)
        for name, value, interval in zip(names, precision_recall_f1(result), intervals(result, seed))
    ]
    rows.append(evaluation_row("average_precision", average_precision(result), founds, "objects"))
    thick = np.concatenate([one.sections for one in compared]) > 1
    held = result.truth_found[thick]
    low_high = bootstrap(lambda drawn: held[drawn].mean(), len(held), seed=seed)
    recall = held.mean() if len(held) else float("nan")
    rows.append(evaluation_row("recall_of_two_sections_or_more", recall, len(held), "objects", low_high))
    published = [
        published_rule(one.shared, len(one.result.truth_found), len(one.result.found_true)) for one in compared
    ]
    for column, name, sizes in (
        (0, "published_precision", [len(one.result.found_true) for one in compared]),
        (1, "published_recall", [len(one.result.truth_found) for one in compared]),
    ):
        hits = sum(values[column] * size for values, size in zip(published, sizes) if size)
        total = sum(sizes)
        rows.append(evaluation_row(name, hits / total if total else float("nan"), total, "objects"))
    return evaluation_table(rows)
