"""What a person says about spines and links, found again by place, and how much of it could be followed.

A correction names a spine by timepoint and position, not by a number: numbers change when a detector or a key does.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.columns import POSITION
from spinome.twophoton.correspond import weighted_distance

# a spine that a correction names lies this near to the place it gives; nearer than this a missed spine is one found
REACH_UM, FOUND_UM = 1.0, 0.5
# side of the box of a spine that a person gave, um
BOX_UM = 1.1
PLACES = ["timepoint", *POSITION, "next_timepoint", *(f"next_{axis}" for axis in POSITION)]
CORRECTION_COLUMNS = ["specimen", "field", "decision", *PLACES]
OUTCOME_COLUMNS = [*CORRECTION_COLUMNS, "applied", "reason"]
OF_SPINES, OF_LINKS = ("no spine", "missed spine"), ("same", "different")


def correct_spines(
    candidates: pd.DataFrame, corrections: pd.DataFrame, slice_um: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take out what a person calls no spine and put in what they say was missed.

    Parameters
    ----------
    candidates : judged candidates of one stack (`SPINE_COLUMNS` of `depth_track`, and `accepted`)
    corrections : `CORRECTION_COLUMNS` of this stack, decisions "no spine" and "missed spine"; of a missed spine the
        candidate below the threshold is taken where there is one within `FOUND_UM`
    slice_um : distance of slices

    Returns
    -------
    candidates with the column `corrected` (given by a person), and `OUTCOME_COLUMNS`
    """
    out = candidates.reset_index(drop=True).assign(corrected=False)
    reasons = []
    for row in corrections.itertuples():
        place = np.array([row.z_um, row.y_um, row.x_um], float)
        missed = row.decision == "missed spine"
        known = _nearest(out[out["accepted"]], place, FOUND_UM if missed else REACH_UM)
        reasons.append("")
        if missed and known is None:
            below = _nearest(out[~out["accepted"]], place, FOUND_UM)
            if below is None:
                below = len(out)
                given = _given(out, place, slice_um)
                out = pd.concat([out, given], ignore_index=True) if below else given
            out.loc[below, "score"] = 1.0
            out.loc[below, ["accepted", "corrected"]] = True
        elif not missed and known is None:
            reasons[-1] = f"no spine was found within {REACH_UM:g} um of this place"
        elif not missed:
            out.loc[known, "accepted"] = False
    return out, _outcomes(corrections, reasons)


def correct_links(
    corrections: pd.DataFrame, timepoints: list[str], places: list[np.ndarray]
) -> tuple[list[list[int]], list[tuple[int, int]], pd.DataFrame]:
    """Spines that a person calls the same, and pairs that they call different, in the order of the table.

    A row that contradicts one above it is not followed, and its outcome says so.

    Parameters
    ----------
    corrections : `CORRECTION_COLUMNS` of this series, decisions "same" and "different"
    timepoints, places : name and spines (N, 3) z y x in um of each session, in order

    Returns
    -------
    groups of spines that are one, pairs that are not, both numbered through all sessions; and `OUTCOME_COLUMNS`
    """
    offset = np.cumsum([0, *(len(place) for place in places)])
    session_of = np.repeat(np.arange(len(places)), [len(place) for place in places])
    groups: dict[int, set[int]] = {}
    different: list[tuple[int, int]] = []
    reasons = []
    for row in corrections.itertuples():
        ends, reason = [], ""
        for timepoint, place in (
            (row.timepoint, [row.z_um, row.y_um, row.x_um]),
            (row.next_timepoint, [row.next_z_um, row.next_y_um, row.next_x_um]),
        ):
            if timepoint not in timepoints:
                reason = f"session {timepoint} failed"
                break
            session = timepoints.index(timepoint)
            near = _nearest(pd.DataFrame(places[session], columns=POSITION), np.array(place, float), REACH_UM)
            if near is None:
                reason = f"no spine of {timepoint} was found within {REACH_UM:g} um of its place"
                break
            ends.append(int(offset[session]) + near)
        if not reason:
            one, other = (groups.get(end, {end}) for end in ends)
            both = one | other
            if row.decision == "different" and ends[1] in one:
                reason = "a row above says that they are the same"
            elif row.decision == "different":
                different.append((ends[0], ends[1]))
            elif any({a, b} <= both for a, b in different):
                reason = "a row above says that they are different"
            elif len(set(session_of[list(both)])) < len(both):
                reason = "with the rows above, two spines of one session would be one"
            else:
                groups |= dict.fromkeys(both, both)
        reasons.append(reason)
    same = [list(group) for group in dict.fromkeys(tuple(sorted(group)) for group in groups.values())]
    return same, different, _outcomes(corrections, reasons)


def table_of(rows: list[dict]) -> pd.DataFrame:
    """Corrections as a table, for those that a rule is given as plain values."""
    return pd.DataFrame(rows, columns=CORRECTION_COLUMNS)


def _nearest(spines: pd.DataFrame, place: np.ndarray, reach_um: float) -> int | None:
    """Index of the spine nearest to a place (3,) within reach, z counting less."""
    if spines.empty:
        return None
    distance = weighted_distance(place[None], spines[POSITION].to_numpy(float))[0]
    best = int(np.argmin(distance))
    return int(spines.index[best]) if distance[best] <= reach_um else None


def _given(candidates: pd.DataFrame, place: np.ndarray, slice_um: float) -> pd.DataFrame:
    """One candidate at a place (3,), under a number that none has yet."""
    depth = round(float(place[0]) / slice_um)
    values = dict(zip(POSITION, place)) | {
        "candidate": int(candidates["candidate"].max()) + 1 if len(candidates) else 0,
        "z_slice": place[0] / slice_um,
        "side_um": BOX_UM,
        "first_slice": depth,
        "last_slice": depth,
        "slices": 1,
        "accepted": True,
        "corrected": True,
        "given": True,
    }
    return pd.DataFrame([values]).reindex(columns=candidates.columns).astype(candidates.dtypes)


def _outcomes(corrections: pd.DataFrame, reasons: list[str]) -> pd.DataFrame:
    out = corrections[CORRECTION_COLUMNS].reset_index(drop=True)
    out["applied"], out["reason"] = [not reason for reason in reasons], reasons
    numbers = [name for name in PLACES if name.endswith("_um")]
    text = [name for name in OUTCOME_COLUMNS if name not in (*numbers, "applied")]
    return out.astype(dict.fromkeys(numbers, float) | dict.fromkeys(text, "string") | {"applied": bool})
