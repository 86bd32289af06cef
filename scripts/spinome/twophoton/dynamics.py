"""Gained, lost and stable spines between sessions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from spinome.scores.intervals import bootstrap

# a spine expected this close to the edge of the other session's stack may have left it
EDGE_UM = 1.0
TURNOVER_COLUMNS = [
    "specimen",
    "field",
    "timepoint",
    "next_timepoint",
    "days",
    "spines",
    "next_spines",
    "stable",
    "gained",
    "lost",
    "out_of_field",
    "off_dendrite",
    "turnover_ratio",
    "turnover_low",
    "turnover_high",
    "recall",
    "corrected_ratio",
    "corrected_low",
    "corrected_high",
]


def fates(
    tracks: list[np.ndarray], expected: dict[tuple[int, int], np.ndarray], sizes_um: list[np.ndarray]
) -> list[np.ndarray]:
    """What becomes of each spine by the next session.

    Parameters
    ----------
    tracks : for each session the track of each spine
    expected : for sessions (i, j), also j < i, where the spines of i should lie in j (`correspond`)
    sizes_um : extent (z, y, x) of each session's stack

    Returns
    -------
    for each session `stable`, `lost`, `out of field` (the next session does not show where it was), `hidden` (seen
    again in a later session) or, in the last session, `last`
    """
    out = []
    for session, ids in enumerate(tracks):
        if session + 1 == len(tracks):
            out.append(np.full(len(ids), "last", object))
            continue
        later = np.concatenate([*tracks[session + 2 :], np.zeros(0, int)])
        fate = np.where(np.isin(ids, later), "hidden", "lost").astype(object)
        fate[outside(expected[session, session + 1], sizes_um[session + 1])] = "out of field"
        fate[np.isin(ids, tracks[session + 1])] = "stable"
        out.append(fate)
    return out


def outside(points_um: np.ndarray, size_um: np.ndarray) -> np.ndarray:
    """Which points (N, 3) lie outside of a stack or within `EDGE_UM` of its edge."""
    return ((points_um < EDGE_UM) | (points_um > np.asarray(size_um) - EDGE_UM)).any(axis=1).reshape(-1)


def turnover(spines: pd.DataFrame, timepoints: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Turnover between each session and the next: (gained + lost) over (spines before + spines after).

    A spine that was or would be out of the other session's field counts for neither session, a hidden one (missed
    but seen again later) counts as stable, and what lies beside no dendrite counts nowhere.

    A spine that is there and was missed counts as lost or gained all the same. The corrected ratio takes that off:
    of the spines that were there in both sessions the share `recall` of the second was seen, which is estimated
    from spines seen before and after a session (Jolly 1965), so three sessions are needed and spines must be let go
    missing (`gap_sessions`). What is no spine and was taken for one still counts, so the corrected ratio is too high
    rather than too low. Its interval holds the uncertainty of the recall.

    Parameters
    ----------
    spines : frame `specimen field timepoint spine fate origin dendrite`, `dendrite` -1 where there is none
    timepoints : the sessions `specimen field timepoint day`, those without a spine included
    seed : of the bootstrap over spines

    Returns
    -------
    frame with `TURNOVER_COLUMNS`, one row a pair of sessions
    """
    rows = []
    for (specimen, field), sessions in timepoints.groupby(["specimen", "field"], sort=True):
        ours = spines[(spines["specimen"] == specimen) & (spines["field"] == field)]
        beside = ours[ours["dendrite"] >= 0]
        sessions = sessions.sort_values("day")
        names = list(sessions["timepoint"])
        recalled = _recalled(beside, names)
        for before, after in zip(sessions.itertuples(), list(sessions.itertuples())[1:]):
            first = beside[(beside["timepoint"] == before.timepoint) & (beside["fate"] != "out of field")]
            second = beside[(beside["timepoint"] == after.timepoint) & (beside["origin"] != "out of field")]
            lost = (first["fate"] == "lost").to_numpy()
            gained = (second["origin"] == "gained").to_numpy()
            pair = _spines_of_pair(first, second, recalled)
            ratio, low, high = _with_interval(pair, _ratio, seed)
            corrected = _with_interval(pair, _corrected, seed)
            recall = float(recalled["seen"].sum() / len(recalled)) if len(recalled) else float("nan")
            gone = int(((beside["timepoint"] == before.timepoint) & (beside["fate"] == "out of field")).sum())
            off = int((ours["timepoint"].isin([before.timepoint, after.timepoint]) & (ours["dendrite"] < 0)).sum())
            counts = [len(first), len(second), int((~lost).sum()), int(gained.sum()), int(lost.sum()), gone, off]
            days = after.day - before.day
            leading = [specimen, field, before.timepoint, after.timepoint, days]
            rows.append([*leading, *counts, ratio, low, high, recall, *corrected])
    return pd.DataFrame(rows, columns=TURNOVER_COLUMNS)


def _recalled(spines: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """For each spine seen in the sessions before and after one: `spine seen`, whether it was seen in that one."""
    own = [set(spines.loc[spines["timepoint"] == name, "spine"]) for name in names]
    rows = [(spine, spine in now) for before, now, after in zip(own, own[1:], own[2:]) for spine in before & after]
    return pd.DataFrame(rows, columns=["spine", "seen"])


def _spines_of_pair(first: pd.DataFrame, second: pd.DataFrame, recalled: pd.DataFrame) -> np.ndarray:
    """For each spine (rows) how often it is before, after, changed, in both, was recalled, and could have been."""
    columns = [
        first["spine"].value_counts(),
        second["spine"].value_counts(),
        pd.concat(
            [first.loc[first["fate"] == "lost", "spine"], second.loc[second["origin"] == "gained", "spine"]]
        ).value_counts(),
        second.loc[second["spine"].isin(first["spine"]), "spine"].value_counts(),
        recalled.loc[recalled["seen"].astype(bool), "spine"].value_counts(),
        recalled["spine"].value_counts(),
    ]
    return pd.concat(columns, axis=1).fillna(0).to_numpy(float).reshape(-1, len(columns))


def _ratio(sums: np.ndarray) -> float:
    before, after, changed, *_ = sums
    return float(changed / (before + after)) if before + after else float("nan")


def _corrected(sums: np.ndarray) -> float:
    before, after, _, both, seen, could = sums
    if not (seen and before + after):
        return float("nan")
    there = both * could / seen
    return float((max(before - there, 0) + max(after - there, 0)) / (before + after))


def _with_interval(pair: np.ndarray, statistic: Callable[[np.ndarray], float], seed: int) -> tuple[float, float, float]:
    """A statistic of column sums with its interval over rows."""
    value = statistic(pair.sum(axis=0)) if len(pair) else float("nan")
    return value, *bootstrap(lambda index: statistic(pair[index].sum(axis=0)), len(pair), seed=seed)
