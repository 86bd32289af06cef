"""The census against simulated specimens, whose spines are known: what each view found, and what the chain lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from spinome.census.matches import distance_to_spines, match_distances, positions_um
from spinome.scores.intervals import bootstrap, evaluation_row

# views of one specimen, in the order of the data's way
VIEWS = ("twophoton", "linking", "chain", "neurons")


def seen(spines: pd.DataFrame, truth: pd.DataFrame, tolerance_um: float) -> pd.DataFrame:
    """Match found spines with the true ones of one specimen, one to one.

    A true spine is the straight line from its base to its head; a found position, be it a head or a centroid, is
    matched where it lies within the tolerance of that line.

    Parameters
    ----------
    spines : rows of the joint table of one specimen and one view, with positions in the truth's frame
    truth : `spine` and `head_{z,y,x}_um base_{z,y,x}_um`
    tolerance_um : largest distance from the line

    Returns
    -------
    `truth` with the columns `found` (id in the joint table, null where it was missed) and `found_volume_um3`
    """
    head, base = (truth[[f"{end}_{axis}_um" for axis in "zyx"]].to_numpy(float) for end in ("head", "base"))
    rows, columns, _ = match_distances(distance_to_spines(positions_um(spines), base, head), tolerance_um)
    found = pd.Series(None, truth.index, dtype=object)
    volume = pd.Series(np.nan, truth.index)
    found.iloc[columns] = spines["spine"].iloc[rows].astype(object).to_numpy()
    volume.iloc[columns] = spines["volume_um3"].iloc[rows].to_numpy(float, na_value=np.nan)
    return truth.assign(found=found, found_volume_um3=volume)


def evaluate(seen_by: dict[str, pd.DataFrame], found_count: dict[str, int]) -> pd.DataFrame:
    """Scores of each view, pooled over specimens.

    Parameters
    ----------
    seen_by : by view, the true spines that could be seen, from `seen`, with `specimen`, `dendrite` and `volume_um3`
    found_count : by view, how many spines it reported in those specimens

    Returns
    -------
    Table `metric value ci_low ci_high n unit`; intervals are bootstraps over dendrites
    """
    rows = []
    for name in [view for view in VIEWS if view in seen_by]:
        truth = seen_by[name]
        hit = truth["found"].notna().to_numpy()
        rows.append(evaluation_row(f"{name}_found", hit.mean(), len(truth), "true spines", _interval(truth, hit)))
        if found_count[name]:
            # the false alarms belong to no dendrite, so this interval is over spines
            right = np.arange(found_count[name]) < hit.sum()
            interval = bootstrap(lambda chosen, right=right: right[chosen].mean(), len(right))
            rows.append(evaluation_row(f"{name}_right", right.mean(), len(right), "reported spines", interval))
        sized = truth[hit & truth["found_volume_um3"].notna()]
        if len(sized) > 2:
            both = sized[["volume_um3", "found_volume_um3"]].to_numpy()
            interval = bootstrap(lambda chosen, both=both: _spearman(both[chosen]), len(both))
            rows.append(evaluation_row(f"{name}_volume_spearman", _spearman(both), len(both), "spines found", interval))
            ratio = both[:, 1] / both[:, 0]
            interval = bootstrap(lambda chosen, ratio=ratio: np.median(ratio[chosen]), len(ratio))
            rows.append(evaluation_row(f"{name}_volume_ratio", np.median(ratio), len(ratio), "spines found", interval))
    return pd.DataFrame(rows, columns=list(evaluation_row("", 0, 0, "")))


def _interval(truth: pd.DataFrame, hit: np.ndarray) -> tuple[float, float]:
    groups = list(truth.groupby(["specimen", "dendrite"]).indices.values())
    hits = np.array([hit[group].sum() for group in groups])
    sizes = np.array([len(group) for group in groups])
    return bootstrap(lambda chosen: hits[chosen].sum() / sizes[chosen].sum(), len(groups))


def _spearman(pairs: np.ndarray) -> float:
    if (pairs == pairs[0]).all(axis=0).any():
        return float("nan")
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
