"""Tracks through time as the viewer napari takes them."""

from __future__ import annotations

import pandas as pd

TRACKS = ["track_id", "t", "z_um", "y_um", "x_um"]
PROPERTIES = ["score", "head_volume_um3", "fate", "origin"]


def napari_tracks(spines: pd.DataFrame, timepoints: list[str]) -> pd.DataFrame:
    """The spines of one series as rows of a layer of tracks, by track and time.

    Parameters
    ----------
    spines : what `spinome.twophoton.time_track.track_series` returns
    timepoints : timepoints of the sessions, in order

    Returns
    -------
    frame with `TRACKS`, which are napari's data (id, time, place), `t` counting the sessions, and `PROPERTIES`
    """
    number = {timepoint: index for index, timepoint in enumerate(timepoints)}
    table = spines.assign(track_id=spines["spine"], t=spines["timepoint"].map(number).astype(int))
    return table.sort_values(["track_id", "t"], ignore_index=True)[[*TRACKS, *PROPERTIES]]
