"""Gained, lost, stable and recurrent spines, and how many survive and form.

Intervals are by bootstrap over dendrites, which are about independent of each other, as spines of one dendrite are not;
where a series has one dendrite only they are over its spines, too narrow to speak for other dendrites, and the column
`interval_over` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from spinome.scores.intervals import bootstrap
from spinome.twophoton.presence import presence, with_presence

SERIES = ["specimen", "field"]
PAIR = [*SERIES, "timepoint", "next_timepoint", "days"]
TURNOVER_COLUMNS = [
    *PAIR,
    *("spines", "next_spines", "stable", "gained", "recurrent", "lost", "out_of_field", "off_dendrite"),
    *("turnover_ratio", "turnover_low", "turnover_high", "recall", "lost_missed", "gained_missed"),
    *("corrected_ratio", "corrected_low", "corrected_high", "dendrites", "interval_over"),
]
SURVIVAL_COLUMNS = [
    *(*SERIES, "timepoint", "day", "days", "spines", "at_risk", "survival", "survival_low", "survival_high"),
    *("formed", "formation", "formation_low", "formation_high", "dendrites", "interval_over"),
]


def turnover(spines: pd.DataFrame, timepoints: pd.DataFrame, gap_sessions: int, seed: int = 0) -> pd.DataFrame:
    """Turnover between each session and the next: (gained + lost) over (spines before + spines after).

    A spine that was or would be out of the other session's field counts for neither session, a hidden one (missed
    but seen again later) counts as stable, one that was seen before and is back after a session without it is
    `recurrent`, and what lies beside no dendrite counts nowhere.

    A spine that is there and was missed counts as lost or gained all the same. The corrected ratio is that of a model
    of gain, loss and detection (`spinome.twophoton.presence`), which needs three sessions. Its interval is that of the
    model and holds what is uncertain of detection; the other is by bootstrap.

    Parameters
    ----------
    spines : frame `specimen field timepoint spine fate origin dendrite`, `dendrite` -1 where there is none, and what
        else the model takes where it is known
    timepoints : the sessions `specimen field timepoint day`, those without a spine included
    gap_sessions : sessions that a spine may be missed in and keep its id
    seed : seed of the bootstrap and of the model's draws

    Returns
    -------
    frame with `TURNOVER_COLUMNS`, one row per pair of sessions; `recall` is the share of the spines there that was
    seen, mean of both sessions, and `lost_missed` and `gained_missed` how many of those lost and gained were there and
    only missed in the other session, as the model has it
    """
    rows = []
    for leading, ours, sessions in each_series(spines, timepoints):
        beside = ours[ours["dendrite"] >= 0]
        names = list(sessions["timepoint"])
        model = presence(beside, names, gap_sessions, seed)
        told = with_presence(beside, names, gap_sessions, model)
        for number, (before, after) in enumerate(pairwise(sessions.itertuples())):
            first = beside[(beside["timepoint"] == before.timepoint) & (beside["fate"] != "out of field")]
            second = beside[(beside["timepoint"] == after.timepoint) & (beside["origin"] != "out of field")]
            lost = (first["fate"] == "lost").to_numpy()
            gained = (second["origin"] == "gained").to_numpy()
            recurrent = int((second["origin"] == "hidden").sum())
            pair, over = _by_dendrite(_spines_of_pair(first, second), beside)
            ratio = _with_interval(pair, _ratio, seed)
            recall, *corrected = [float("nan")] * 4
            missed = [float("nan")] * 2
            if model is not None:
                recall = float(model.seen[number : number + 2].mean())
                corrected = [float(values[number]) for values in (model.ratio, model.low, model.high)]
                ends = (("lost", before.timepoint), ("gained", after.timepoint))
                own = [told.loc[told["timepoint"] == at, f"{end}_probability"].dropna() for end, at in ends]
                missed = [float((1 - values).sum()) for values in own]
            gone = int(((beside["timepoint"] == before.timepoint) & (beside["fate"] == "out of field")).sum())
            off = int((ours["timepoint"].isin([before.timepoint, after.timepoint]) & (ours["dendrite"] < 0)).sum())
            counts = [len(first), len(second), int((~lost).sum()), int(gained.sum()), recurrent, int(lost.sum())]
            place = [*leading, before.timepoint, after.timepoint, after.day - before.day]
            estimated = [*ratio, recall, *missed, *corrected]
            rows.append([*place, *counts, gone, off, *estimated, beside["dendrite"].nunique(), over])
    return pd.DataFrame(rows, columns=TURNOVER_COLUMNS)


def survival(spines: pd.DataFrame, timepoints: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Survival of the spines of the first session, and spines formed since, at each session.

    Survival is the product-limit estimate (Kaplan and Meier 1958): the product over sessions of the share of the spines
    at risk that was not lost, where a spine is at risk as long as the field shows where it is; one that was hidden in
    between and is seen again was never lost. Formation is the number of spines gained up to a session over the
    number of the first session.

    Parameters
    ----------
    spines, timepoints, seed : see `turnover`

    Returns
    -------
    frame with `SURVIVAL_COLUMNS`, one row per session; `at_risk` counts the spines of the first session that were there
        and in the field up to the session before
    """
    rows = []
    for leading, ours, sessions in each_series(spines, timepoints):
        beside = ours[ours["dendrite"] >= 0]
        names = list(sessions["timepoint"])
        number = beside["timepoint"].map({name: index for index, name in enumerate(names)})
        last = beside.assign(number=number).sort_values("number").groupby("spine").tail(1).set_index("spine")
        cohort = last.loc[beside.loc[beside["timepoint"] == names[0], "spine"]]
        born = beside.assign(number=number)[beside["origin"] == "gained"]
        # for each spine: whether it is of the cohort, then for each step whether it was at risk, lost and formed
        columns = [pd.Series(1, cohort.index)]
        for step in range(1, len(names)):
            risk = (cohort["number"] >= step) | ((cohort["number"] == step - 1) & (cohort["fate"] == "lost"))
            gone = (cohort["number"] == step - 1) & (cohort["fate"] == "lost")
            columns += [risk.astype(int), gone.astype(int), born.loc[born["number"] == step, "spine"].value_counts()]
        table, over = _by_dendrite(pd.concat(columns, axis=1, keys=range(len(columns))).fillna(0), beside)
        first = sessions.iloc[0].day
        for step, session in enumerate(sessions.itertuples()):
            sums = table.sum(axis=0)
            alive = _with_interval(table, lambda own, step=step: _survived(own, step), seed)
            made = _with_interval(table, lambda own, step=step: _formed(own, step), seed)
            risk, formed = (
                (int(sums[3 * step - 2]), int(sums[3 : 3 * step + 1 : 3].sum())) if step else (len(cohort), 0)
            )
            place = [*leading, session.timepoint, session.day, session.day - first, len(cohort), risk]
            rows.append([*place, *alive, formed, *made, beside["dendrite"].nunique(), over])
    return pd.DataFrame(rows, columns=SURVIVAL_COLUMNS)


def each_series(
    spines: pd.DataFrame, timepoints: pd.DataFrame
) -> Iterator[tuple[list[str], pd.DataFrame, pd.DataFrame]]:
    """Name, spines and sessions of each series, the sessions in order."""
    for name, sessions in timepoints.groupby(SERIES, sort=True):
        ours = spines[(spines[SERIES] == list(name)).all(axis=1)]
        yield list(name), ours, sessions.sort_values("day")


def _spines_of_pair(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """For each spine (index) how often it is before, after and changed."""
    columns = [
        first["spine"].value_counts(),
        second["spine"].value_counts(),
        pd.concat(
            [first.loc[first["fate"] == "lost", "spine"], second.loc[second["origin"] == "gained", "spine"]]
        ).value_counts(),
    ]
    return pd.concat(columns, axis=1, keys=range(len(columns))).fillna(0)


def _by_dendrite(table: pd.DataFrame, spines: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Sums of counts of spines (index) over what is resampled, and what that is: dendrites, or the spines of one."""
    owner = spines.groupby("spine")["dendrite"].first().reindex(table.index)
    if owner.nunique() < 2:
        return table.to_numpy(float), "spines"
    return table.groupby(owner.to_numpy()).sum().to_numpy(float), "dendrites"


def _ratio(sums: np.ndarray) -> float:
    before, after, changed = sums
    return float(changed / (before + after)) if before + after else float("nan")


def _survived(sums: np.ndarray, step: int) -> float:
    risk, lost = sums[1 : 3 * step : 3], sums[2 : 3 * step : 3]
    if not sums[0] or not (risk > 0).all():
        return float("nan")
    return float(np.prod(1 - lost / risk))


def _formed(sums: np.ndarray, step: int) -> float:
    return float(sums[3 : 3 * step + 1 : 3].sum() / sums[0]) if sums[0] else float("nan")


def _with_interval(pair: np.ndarray, statistic: Callable[[np.ndarray], float], seed: int) -> tuple[float, float, float]:
    """A statistic of column sums with its interval over rows."""
    value = statistic(pair.sum(axis=0)) if len(pair) else float("nan")
    return value, *bootstrap(lambda index: statistic(pair[index].sum(axis=0)), len(pair), seed=seed)
