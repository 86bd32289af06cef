"""Figures of the comparisons: every animal's point, and each effect with its intervals."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from spinome.colours import COLOURS
from spinome.io.tables import write_table
from spinome.report.style import save_figure

# width of the band in which the points of a group lie beside one another
BAND = 0.5
NO_EFFECT = {"difference": 0.0, "ratio": 1.0, "rate ratio": 1.0, "odds ratio": 1.0}


def draw_all(folder: Path, comparisons: pd.DataFrame, points: pd.DataFrame) -> None:
    """Draw each comparison that has points, as PNG and SVG, with the table of its points as CSV.

    Parameters
    ----------
    comparisons, points : `compare/comparisons.parquet` and `compare/points.parquet`
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, own in comparisons.groupby("comparison", sort=False):
        shown = points[points["comparison"] == name]
        if shown.empty:
            continue
        figure = draw_comparison(own, shown)
        figure.savefig(folder / f"{name}.svg")
        write_table(shown, folder / f"{name}.csv")
        save_figure(figure, folder, str(name), f"{name}: {own['formula'].iloc[0]}", _caption(own))


def draw_comparison(effects: pd.DataFrame, points: pd.DataFrame) -> plt.Figure:
    """Every unit's point by group, with the mean of the group, and beside them the effects with their intervals."""
    known = effects[effects["effect"].notna()]
    groups = list(dict.fromkeys(_ordered(points["group"])))
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7.5, 1.6 + max(1.8, 0.42 * len(known))), width_ratios=[1, 1.1], layout="constrained"
    )
    numbered = [float(group) for group in groups] if _all_numbers(groups) else list(range(len(groups)))
    step = min(np.diff(sorted(numbered)), default=1.0)
    for place, group in zip(numbered, groups):
        values = points.loc[points["group"] == group, "value"].to_numpy(float)
        left.plot(place + step * _beside(values), values, "o", color=COLOURS["missed"], ms=4.5, alpha=0.75, mew=0)
        left.plot([place - 0.3 * step, place + 0.3 * step], [values.mean()] * 2, color="black", lw=1.4)
    left.set_xticks(numbered, [f"{group}\nn = {(points['group'] == group).sum()}" for group in groups])
    left.set_xlim(min(numbered) - 0.7 * step, max(numbered) + 0.7 * step)
    left.set_ylabel(_label(effects["formula"].iloc[0]))
    left.set_title("One point per animal or cell")
    _draw_effects(right, known)
    return figure


def _draw_effects(axes: plt.Axes, effects: pd.DataFrame) -> None:
    if effects.empty:
        axes.text(0.5, 0.5, "no effect could be told;\nsee the note in the table", ha="center", va="center")
        axes.set_axis_off()
        return
    kind = effects["effect_kind"].iloc[0]
    axes.axvline(NO_EFFECT[kind], color=COLOURS["grey"], lw=0.8, ls=":")
    for row, effect in enumerate(effects.itertuples()):
        for offset, colour, middle, low, high in (
            (-0.13, COLOURS["missed"], effect.effect, effect.effect_low, effect.effect_high),
            (0.13, COLOURS["found"], effect.carried_effect, effect.carried_low, effect.carried_high),
        ):
            axes.plot([low, high], [row + offset] * 2, color=colour, lw=1.6)
            axes.plot(middle, row + offset, "o", color=colour, ms=5)
    if kind != "difference":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="x", which="minor", labelsize=7)
    axes.set_yticks(range(len(effects)), effects["term"])
    axes.set_ylim(len(effects) - 0.4, -0.6)
    axes.set_xlabel(kind)
    axes.set_title("Effect with its interval of 95 %")
    if effects["carried_effect"].notna().any():
        labels = {"missed": "as seen", "found": "with the machine's error"}
        handles = [Line2D([], [], marker="o", color=COLOURS[key], label=text) for key, text in labels.items()]
        axes.figure.legend(handles=handles, loc="outside lower right", ncols=2)


def _beside(values: np.ndarray) -> np.ndarray:
    """Places of points beside one another, in the order of a zigzag of their values, so that none hides another."""
    places = np.zeros(len(values))
    places[np.argsort(values)] = BAND * ((np.arange(len(values)) * 0.618) % 1 - 0.5)
    return places if len(values) > 1 else places * 0


def _label(formula: str) -> str:
    """What the points of a comparison are; those of a logarithm are turned back."""
    response = formula.partition("~")[0].strip()
    logarithm = re.fullmatch(r"log\((.*)\)", response)
    return f"{logarithm[1].strip()}, geometric mean" if logarithm else response


def _all_numbers(groups: list[str]) -> bool:
    return all(pd.notna(pd.to_numeric(pd.Series(groups), errors="coerce")))


def _ordered(groups: pd.Series) -> pd.Series:
    return (
        groups.sort_values(key=lambda column: pd.to_numeric(column, errors="coerce").fillna(0))
        if _all_numbers(list(groups.unique()))
        else groups.sort_values()
    )


def _caption(effects: pd.DataFrame) -> str:
    row = effects.iloc[0]
    note = f" {row['note'][:1].upper()}{row['note'][1:]}." if row["note"] else ""
    if not row["model"]:
        return f"Nothing could be compared.{note}"
    return (
        f"Left, a point per unit, and the mean of each group. Right, the effects of a {row['model']} model with their "
        f"intervals of 95 %, of {int(row['rows']):,} rows ({row['units']}).{note}"
    )
