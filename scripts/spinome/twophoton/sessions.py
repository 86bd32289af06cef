"""The sessions of a series: which are usable, how well they lie over each other, and what is odd about them."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

# projections of one field correlate more than this at their shift, and not as much as this unless they are one image
UNLIKE, IDENTICAL = 0.2, 0.98
# a session less sharp than this beside those around it is blurred: the blurrier one of rr30a has 0.93 of theirs
BLURRED = 0.8
# shares by which the traced length of a field and the density on it change from session to session without a note
LENGTH_JUMP, DENSITY_JUMP = 0.15, 0.3
# share of spines beside a saturated shaft that goes without a note
SATURATED = 0.25
SESSION_COLUMNS = ["timepoint", "day", "usable", "spines", "correlation", "z_turned", "note"]


def session_table(
    sessions: list[tuple[str, float]],
    spines: pd.DataFrame,
    shifts: pd.DataFrame,
    failures: dict[str, str],
    dendrites: pd.DataFrame,
) -> pd.DataFrame:
    """One row per session, those that failed included, with a note where a person should look.

    Parameters
    ----------
    sessions : timepoint and day of each, in order
    spines : those of all sessions, `timepoint dendrite shaft_saturated`
    shifts : shifts from `correspond_series`, between sessions that did not fail
    failures : reason by timepoint
    dendrites : what `spinome.twophoton.dendrites.dendrite_table` returns

    Returns
    -------
    frame with `SESSION_COLUMNS`; `correlation` is the best with another session, not a number without one; `spines` is
    null where the session failed
    """
    standing = [(name, day) for name, day in sessions if name not in failures]
    rows = []
    jumps = _jumps(dendrites, [name for name, _ in standing])
    for number, (name, day) in enumerate(standing):
        own, there = shifts[shifts["session"] == number], spines[spines["timepoint"] == name]
        notes = [*jumps.get(name, ()), *_of_spines(there)]
        if len(own) and own["correlation"].max() < UNLIKE:
            notes.append("looks unlike the sessions around it: is it the same field, channel and voxel size?")
        if own.loc[own["correlation"] >= UNLIKE, "sharpness"].median() < BLURRED:
            notes.append("is blurred beside the sessions around it: more of its spines are missed than of theirs")
        same = own.loc[own["correlation"] > IDENTICAL, "other"]
        if len(same):
            notes.append(f"shows the image of {', '.join(standing[other][0] for other in same)}: is it there twice?")
        turned = bool(own["turned"].any())
        if turned:
            notes.append("z runs the other way than in most sessions; depths were turned to follow its spines")
        correlation = float(own["correlation"].max()) if len(own) else float("nan")
        rows.append([name, day, True, len(there), correlation, turned, "; ".join(notes)])
    failed = [(name, day) for name, day in sessions if name in failures]
    rows += [[name, day, False, None, float("nan"), False, failures[name]] for name, day in failed]
    table = pd.DataFrame(rows, columns=SESSION_COLUMNS).sort_values("day", ignore_index=True)
    types = {"timepoint": str, "day": float, "usable": bool, "spines": "Int64", "z_turned": bool, "note": str}
    return table.astype(types)


def _of_spines(spines: pd.DataFrame) -> list[str]:
    """Notes on the spines of a session."""
    if spines.empty:
        return ["no spine was found: is the field empty, saturated or of another channel?"]
    beside = spines[spines["dendrite"] >= 0]
    if beside.empty:
        return [
            "no dendrite was found beside its spines, so that they count in no turnover and no density; give the "
            "traced ones (column `dendrites`)"
        ]
    saturated = int(beside["shaft_saturated"].sum())
    if saturated <= SATURATED * len(beside):
        return []
    return [f"{saturated} of {len(beside)} spines lie beside a saturated shaft: their volumes come out too large"]


def _jumps(dendrites: pd.DataFrame, names: list[str]) -> dict[str, list[str]]:
    """Notes by timepoint where dendrites are longer or denser than in the session before, beyond what is likely."""
    followed = dendrites[dendrites["dendrite"] >= 0].groupby("timepoint")[["length_um", "spines"]].sum()
    notes: dict[str, list[str]] = {}
    for before, after in pairwise([name for name in names if name in followed.index]):
        (length, spines), (next_length, next_spines) = followed.loc[before], followed.loc[after]
        if not (length > 0 and next_length > 0):
            continue
        density, next_density = spines / length, next_spines / next_length
        own = notes.setdefault(after, [])
        if abs(next_length / length - 1) > LENGTH_JUMP:
            own.append(
                f"the traced length of its dendrites is {next_length:.0f} um, and {length:.0f} um in {before}: "
                "dendrites were missed in one of them; trace them by hand (column `dendrites`) where densities matter"
            )
        if density > 0 and abs(next_density / density - 1) > DENSITY_JUMP:
            own.append(
                f"density goes from {density:.2f} in {before} to {next_density:.2f} per um: look at both sessions"
            )
    return notes


def require_usable(table: pd.DataFrame) -> None:
    """Raise a RuntimeError where every session failed, since no table can be made then; it gives the first reason.

    Where only more failed than may, the tables are made, and the last rule ends the run with an error.
    """
    if len(table) and not table["usable"].any():
        raise RuntimeError(f"all {len(table)} sessions failed; the first: {table['note'].iloc[0]}")
