"""Gained, lost and stable spines between sessions."""

from __future__ import annotations

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
    "turnover_ratio",
    "turnover_low",
    "turnover_high",
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

    A spine that was or would be out of the other session's field counts for neither session, and a hidden one (missed
    but seen again later) counts as stable.

    Parameters
    ----------
    spines : frame `specimen field timepoint spine fate origin`
    timepoints : the sessions `specimen field timepoint day`, those without a spine included
    seed : of the bootstrap over spines

    Returns
    -------
    frame with `TURNOVER_COLUMNS`, one row a pair of sessions
    """
    rows = []
    for (specimen, field), sessions in timepoints.groupby(["specimen", "field"], sort=True):
        ours = spines[(spines["specimen"] == specimen) & (spines["field"] == field)]
        sessions = sessions.sort_values("day")
        for before, after in zip(sessions.itertuples(), list(sessions.itertuples())[1:]):
            first = ours[(ours["timepoint"] == before.timepoint) & (ours["fate"] != "out of field")]
            second = ours[(ours["timepoint"] == after.timepoint) & (ours["origin"] != "out of field")]
            lost = (first["fate"] == "lost").to_numpy()
            gained = (second["origin"] == "gained").to_numpy()
            changed = np.concatenate([lost, gained])
            low, high = bootstrap(lambda index, values=changed: values[index].mean(), len(changed), seed=seed)
            ratio = float(changed.mean()) if len(changed) else float("nan")
            gone = int(((ours["timepoint"] == before.timepoint) & (ours["fate"] == "out of field")).sum())
            counts = [len(first), len(second), int((~lost).sum()), int(gained.sum()), int(lost.sum()), gone]
            days = after.day - before.day
            rows.append([specimen, field, before.timepoint, after.timepoint, days, *counts, ratio, low, high])
    return pd.DataFrame(rows, columns=TURNOVER_COLUMNS)
