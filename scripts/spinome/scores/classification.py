"""Scores of classes assigned to things, all from counts by group, so that groups can be resampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from spinome.scores.intervals import bootstrap, evaluation_row

# equal steps of probability that a calibration is counted in
BINS = 10


def confusions(truth: np.ndarray, found: np.ndarray, group: np.ndarray, classes: int) -> np.ndarray:
    """Count true against found classes in each group.

    Parameters
    ----------
    truth : (N,) codes 0 to classes - 1
    found : (N,) codes, -1 where nothing was assigned
    group : (N,) what is resampled together
    classes : number of classes

    Returns
    -------
    (G, classes, classes + 1) counts; the last column counts what was left without a class
    """
    _, number = np.unique(group, return_inverse=True)
    counts = np.zeros((number.max() + 1 if len(number) else 0, classes, classes + 1), int)
    np.add.at(counts, (number, truth, np.where(found < 0, classes, found)), 1)
    return counts


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class (C,), NaN for a class that is neither true nor found anywhere; confusion (C, C + 1)."""
    size = len(confusion)
    hits = np.diag(confusion[:, :size])
    total = confusion.sum(axis=1) + confusion[:, :size].sum(axis=0)
    return np.divide(2 * hits, total, out=np.full(size, np.nan), where=total > 0)


def weighted_f1(confusion: np.ndarray) -> float:
    """Mean F1 of the classes, weighted by how often each is true."""
    support = confusion.sum(axis=1)
    scores = np.nan_to_num(f1_scores(confusion))
    return float(support @ scores / support.sum()) if support.sum() else float("nan")


def accuracy(confusion: np.ndarray) -> float:
    """Fraction with the right class; what was left without one counts as wrong."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def covered(confusion: np.ndarray) -> float:
    """Fraction that was given a class."""
    total = confusion.sum()
    return float(confusion[:, :-1].sum() / total) if total else float("nan")


def classification_rows(counts: np.ndarray, classes: Sequence[str], prefix: str, unit: str) -> list[dict]:
    """Rows of an evaluation with bootstrap intervals over the groups of `confusions`.

    Metrics: `{prefix}_weighted_f1`, `{prefix}_f1_{class}`, `{prefix}_recall_{class}`, `{prefix}_accuracy`,
    `{prefix}_covered`.
    """
    measures: dict[str, Callable[[np.ndarray], float]] = {
        "weighted_f1": weighted_f1,
        "accuracy": accuracy,
        "covered": covered,
    }
    for code, name in enumerate(classes):
        measures[f"f1_{name}"] = lambda confusion, code=code: float(f1_scores(confusion)[code])
        measures[f"recall_{name}"] = lambda confusion, code=code: recall(confusion, code)
    total = counts.sum(axis=0)
    rows = []
    for name, measure in measures.items():
        interval = bootstrap(lambda chosen, measure=measure: measure(counts[chosen].sum(axis=0)), len(counts))
        code = next((code for code, label in enumerate(classes) if name.endswith(f"_{label}")), None)
        n = int(total.sum() if code is None else total[code].sum())
        rows.append(evaluation_row(f"{prefix}_{name}", measure(total), n, unit, interval))
    return rows


def recall(confusion: np.ndarray, code: int) -> float:
    """Fraction of a class that was given it."""
    total = confusion[code].sum()
    return float(confusion[code, code] / total) if total else float("nan")


def calibration(probability: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    """How often a stated probability is right: a row per bin with `stated observed n`, empty bins left out."""
    place = np.clip((probability * BINS).astype(int), 0, BINS - 1)
    table = pd.DataFrame({"bin": place, "stated": probability, "observed": correct.astype(float)}).groupby("bin")
    return table.mean().assign(n=table.size()).reset_index(drop=True)
