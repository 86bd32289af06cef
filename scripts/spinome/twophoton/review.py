"""What a person should look at first, as a table of corrections to fill in: unsure links, what came and what went."""

from __future__ import annotations

import pandas as pd

from spinome.columns import POSITION
from spinome.twophoton.corrections import CORRECTION_COLUMNS, OF_LINKS, OF_SPINES

# links at least this probable are not asked about
SURE = 0.7
NEXT = {axis: f"next_{axis}" for axis in POSITION}
REVIEW_COLUMNS = [*CORRECTION_COLUMNS, "spine", "probability", "question"]


def review_form(
    spines: pd.DataFrame, links: pd.DataFrame, expected: pd.DataFrame, timepoints: list[str]
) -> pd.DataFrame:
    """The questions of one series, links first, the least probable first; `decision` is empty.

    Nothing is asked about spines beside no dendrite, which count nowhere.

    Parameters
    ----------
    spines, links : tables of `track_series` with `specimen field`
    expected : what `correspond_series` returns
    timepoints : timepoints of the sessions, in order

    Returns
    -------
    frame with `REVIEW_COLUMNS`, one row per link less probable than `SURE` that nobody decided, a lost spine (at the
    place and in the session where it is expected) or a gained one; `probability` is the link's, or the score of the
    spine
    """
    beside = spines[spines["dendrite"] >= 0]
    there = beside[["specimen", "field", "timepoint", "spine", *POSITION]]
    unsure = links[(links["probability"] < SURE) & ~links["corrected"]].sort_values("probability").merge(there)
    after = there.rename(columns={"timepoint": "next_timepoint"} | NEXT)
    asked = unsure.merge(after).assign(question=f"{OF_LINKS[0]} or {OF_LINKS[1]}?")
    named = spines.assign(row=spines.groupby("timepoint").cumcount())
    order = {name: number for number, name in enumerate(timepoints)}
    lost = named[(named["fate"] == "lost") & (named["dendrite"] >= 0)]
    # a column of names that is empty stays one of text when it is mapped
    lost = lost.assign(session=lost["timepoint"].map(order).astype(int))
    lost["other"] = lost["session"] + 1
    lost = lost.drop(columns=POSITION).merge(expected, on=["session", "other", "row"])
    lost["timepoint"] = lost["other"].map(dict(enumerate(timepoints)))
    lost["question"] = f"{OF_SPINES[1]}? lost from here on"
    gained = beside[beside["origin"] == "gained"].assign(question=f"{OF_SPINES[0]}? gained here")
    once = pd.concat([lost, gained]).sort_values("score", ascending=False).rename(columns={"score": "probability"})
    form = pd.concat([asked, once]).reindex(columns=REVIEW_COLUMNS).reset_index(drop=True).round(3)
    return form.assign(decision="")
