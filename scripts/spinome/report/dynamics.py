"""Figures of how spines come, stay and go, and of how their sizes change."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from spinome.colours import COLOURS
from spinome.twophoton.dynamics import SERIES, each_series
from spinome.twophoton.size_changes import changes_between, measured_spines


def draw_turnover(turnover: pd.DataFrame) -> plt.Figure:
    """Counts of stable, gained, recurrent and lost spines, and the turnover ratio, between sessions."""
    series = list(turnover.groupby(["specimen", "field"]))
    figure, axes = plt.subplots(
        len(series), 2, figsize=(8, 2.5 * len(series) + 0.3), squeeze=False, layout="constrained", width_ratios=(3, 2)
    )
    for (name, own), (counts, ratio) in zip(series, axes):
        place = np.arange(len(own))
        labels = [f"{a} to {b}" for a, b in zip(own["timepoint"], own["next_timepoint"])]
        counts.bar(place, own["stable"], color="0.8", label="stable")
        counts.bar(place, own["gained"], bottom=own["stable"], color=COLOURS["soma"], label="gained")
        above = own["stable"] + own["gained"]
        counts.bar(place, own["recurrent"], bottom=above, color=COLOURS["shaft"], label="back again")
        counts.bar(place, -own["lost"], color=COLOURS["spine"], label="lost")
        # those that were likely only missed are washed out
        for missed, bottom in (("gained_missed", above - own["gained_missed"]), ("lost_missed", -own["lost"])):
            counts.bar(place, own[missed].fillna(0), bottom=bottom.fillna(0), color="white", alpha=0.6)
        counts.axhline(0, color="black", lw=0.8)
        counts.set_xticks(place, labels)
        counts.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        counts.set(ylabel="spines", title=".".join(name))
        counts.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=7)
        counts.margins(y=0.25)
        value = own["turnover_ratio"].to_numpy()
        error = np.nan_to_num(np.abs(np.array([value - own["turnover_low"], own["turnover_high"] - value])))
        ratio.errorbar(place - 0.08, value, error, fmt="o", color=COLOURS["truth"], capsize=3, label="as seen")
        mended = own["corrected_ratio"].to_numpy()
        if np.isfinite(mended).any():
            spread = np.abs(np.array([mended - own["corrected_low"], own["corrected_high"] - mended]))
            ratio.errorbar(place + 0.08, mended, spread, fmt="^", color=COLOURS["spine"], capsize=3, label="corrected")
            ratio.legend(fontsize=8)
        ratio.set_xticks(place, labels)
        ratio.set(
            ylabel="turnover ratio", ylim=(0, max(0.5, float(np.nanmax(value + error[1])) * 1.1 if len(value) else 1))
        )
        ratio.margins(x=0.2)
    return figure


def draw_survival(survival: pd.DataFrame) -> plt.Figure:
    """Share of the first session's spines that is left, and spines formed since, by day, each series in its colour."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    colours = plt.get_cmap("Dark2").colors
    for number, (name, own) in enumerate(survival.groupby(SERIES)):
        colour = colours[number % len(colours)]
        for axis, column in zip(axes, ("survival", "formation")):
            axis.plot(own["days"], own[column], "o-", ms=4, color=colour, label=".".join(name))
            axis.fill_between(own["days"], own[f"{column}_low"], own[f"{column}_high"], color=colour, alpha=0.15, lw=0)
    axes[0].set(xlabel="days", ylabel="spines of the first session left", ylim=(0, 1.03))
    axes[1].set(xlabel="days", ylabel="formed since, over the first session's", ylim=(0, None))
    axes[0].legend(fontsize=7, loc="lower left")
    return figure


def draw_size_changes(spines: pd.DataFrame, timepoints: pd.DataFrame) -> plt.Figure | None:
    """Changes of head volume between sessions that follow each other: their distribution, and against size.

    Parameters
    ----------
    spines : as `size_changes` takes them
    timepoints : `specimen field timepoint day`

    Returns
    -------
    None where fewer than three spines were measured twice
    """
    changes = []
    for _, ours, sessions in each_series(spines, timepoints):
        sized = measured_spines(ours)
        changes += [changes_between(sized, *pair) for pair in pairwise(sessions["timepoint"])]
    table = pd.concat(changes, ignore_index=True) if changes else pd.DataFrame()
    if len(table) < 3:
        return None
    figure, (shares, against) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    change = table["change_log2"].to_numpy()
    shares.hist(np.clip(change, -4, 4), np.linspace(-4, 4, 41), color=COLOURS["spine"], alpha=0.85)
    shares.axvline(np.median(change), color="black", lw=1, ls="--", label=f"median {np.median(change):+.2f}")
    shares.set(xlabel="change of head volume (log2)", ylabel="spines and pairs of sessions")
    shares.legend()
    against.scatter(2 ** table["mean_log2"], change, s=6, color=COLOURS["truth"], alpha=0.4, lw=0)
    against.axhline(0, color="black", lw=0.8)
    against.set(xscale="log", xlabel="mean head volume of both sessions (um³)", ylabel="change (log2)", ylim=(-4, 4))
    against.set_xlim(0.005, 5)
    return figure
