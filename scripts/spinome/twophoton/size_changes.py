"""How the sizes of spines change between sessions, with intervals over dendrites as in `spinome.twophoton.dynamics`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd

from spinome.scores.intervals import bootstrap
from spinome.twophoton.dynamics import PAIR, each_series

SIZE_COLUMNS = [
    *(
        *PAIR,
        "spines",
        "shaft_saturated",
        "median_log2",
        "median_low",
        "median_high",
        "spread_log2",
        "spread_low",
        "spread_high",
    ),
    *("slope", "slope_low", "slope_high", "dendrites", "interval_over"),
]
# from a quarter to three quarters of a normal distribution, in standard deviations
QUARTILES = 1.349


def size_changes(spines: pd.DataFrame, timepoints: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """How the head volumes of spines change from each session in which they are seen to the next.

    The change is the binary logarithm of the ratio of the two volumes. Its spread (the distance of its quartiles as
    a standard deviation) holds the error of measuring; its slope on the logarithm of the geometric mean of both volumes
    says whether large spines grow (above 0) or shrink, without the regression to the mean that a slope on the first
    volume has (Oldham 1962).

    Parameters
    ----------
    spines : frame `specimen field timepoint spine dendrite head_volume_um3 saturated shaft_saturated low_signal`; of
        saturated and of dim heads no change is taken, nor of those beside no dendrite; how many lie beside a saturated
        shaft, whose brightness is the yardstick, is counted
    timepoints, seed : see `dynamics.turnover`

    Returns
    -------
    frame with `SIZE_COLUMNS`, one row per pair of sessions that follow each other
    """
    rows = []
    for leading, ours, sessions in each_series(spines, timepoints):
        sized = measured_spines(ours)
        # a spine's dendrite is that of its first session
        sized = sized.assign(dendrite=sized.groupby("spine")["dendrite"].transform("first"))
        for before, after in pairwise(sessions.itertuples()):
            changes = changes_between(sized, before.timepoint, after.timepoint)
            groups, over = _groups(changes["dendrite"].to_numpy())
            values = changes[["mean_log2", "change_log2"]].to_numpy()
            found = [
                value for statistic in (_median, _spread, _slope) for value in _of_rows(values, groups, statistic, seed)
            ]
            names = [*leading, before.timepoint, after.timepoint, after.day - before.day]
            rows.append(
                [
                    *names,
                    len(changes),
                    int(changes["shaft_saturated"].sum()),
                    *found,
                    changes["dendrite"].nunique(),
                    over,
                ]
            )
    return pd.DataFrame(rows, columns=SIZE_COLUMNS)


def measured_spines(spines: pd.DataFrame) -> pd.DataFrame:
    """Spines beside a dendrite with the volume of a head that is neither saturated nor dim."""
    flagged = spines["saturated"].astype(bool) | spines["low_signal"].astype(bool)
    return spines[(spines["dendrite"] >= 0) & (spines["head_volume_um3"] > 0) & ~flagged]


def changes_between(spines: pd.DataFrame, timepoint: str, next_timepoint: str) -> pd.DataFrame:
    """Spines of one series measured in both sessions: `spine dendrite shaft_saturated mean_log2 change_log2`.

    The logarithms are those of volumes in um3.
    """
    columns = ["dendrite", "shaft_saturated", "head_volume_um3"]
    first, second = (
        spines[spines["timepoint"] == name].set_index("spine")[columns] for name in (timepoint, next_timepoint)
    )
    both = first.join(second.drop(columns="dendrite"), rsuffix="_next", how="inner").reset_index()
    one, other = (np.log2(both[name].astype(float)) for name in ("head_volume_um3", "head_volume_um3_next"))
    both["shaft_saturated"] |= both["shaft_saturated_next"]
    kept = both[["spine", "dendrite", "shaft_saturated"]]
    return kept.assign(mean_log2=(one + other) / 2, change_log2=other - one)


def _groups(dendrite: np.ndarray) -> tuple[list[np.ndarray], str]:
    """Row numbers of what is resampled, and what that is: dendrites, or spines of a single one."""
    if len(np.unique(dendrite)) < 2:
        return list(np.arange(len(dendrite))[:, None]), "spines"
    return [np.flatnonzero(dendrite == one) for one in np.unique(dendrite)], "dendrites"


def _median(values: np.ndarray) -> float:
    return float(np.median(values[:, 1])) if len(values) else float("nan")


def _spread(values: np.ndarray) -> float:
    return float(np.subtract(*np.percentile(values[:, 1], [75, 25])) / QUARTILES) if len(values) > 1 else float("nan")


def _slope(values: np.ndarray) -> float:
    if len(values) < 3 or np.ptp(values[:, 0]) == 0:
        return float("nan")
    return float(np.polyfit(*values.T, 1)[0])


def _of_rows(
    values: np.ndarray, groups: list[np.ndarray], statistic: Callable[[np.ndarray], float], seed: int
) -> tuple[float, float, float]:
    """A statistic of rows with its interval over groups of rows."""

    def resampled(index: np.ndarray) -> float:
        return statistic(values[np.concatenate([groups[number] for number in index])])

    return statistic(values), *bootstrap(resampled, len(groups), repeats=500, seed=seed)
