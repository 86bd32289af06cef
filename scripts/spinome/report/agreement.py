"""Figures of links held against labels: what was found, and the conflicts that are to be looked at first."""

from __future__ import annotations

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from spinome.census.agreement import NOT_KNOWN, VERDICTS
from spinome.io.meshes import Mesh
from spinome.report.neurons import PALETTE, crop
from spinome.report.render import Camera, fit_camera, render_mesh
from spinome.report.style import COLOURS

EVIDENCE = {
    "agree": COLOURS["truth"],
    "conflict": COLOURS["found"],
    "links alone": COLOURS["grey"],
    "mesh alone": "#c9ced3",
    "not known": "#ffffff",
}
WINDOW_NM, PIXELS = 4_000.0, (520, 520)
# what is no orphan is this much paler than its label
PALE = 0.6


class Conflict(NamedTuple):
    """A linked mesh with the `label` and the `segment` (V,) of its vertices, and a row of the table of agreements."""

    mesh: Mesh
    label: np.ndarray
    segment: np.ndarray
    row: pd.Series


def draw_agreement(table: pd.DataFrame) -> plt.Figure:
    """How often each verdict was found, and the links by both probabilities.

    Parameters
    ----------
    table : `agreement.parquet` of one or several volumes
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.4, 3.6), layout="constrained", gridspec_kw={"width_ratios": [1, 1.15]}
    )
    counts = table["verdict"].value_counts().reindex([*VERDICTS, *NOT_KNOWN]).dropna()[::-1]
    bars = left.barh(
        counts.index, counts, color=[EVIDENCE[(VERDICTS | NOT_KNOWN)[verdict]] for verdict in counts.index]
    )
    for bar, verdict in zip(bars, counts.index):
        if verdict in NOT_KNOWN:
            bar.set(edgecolor=COLOURS["grey"], hatch="///")
    left.bar_label(bars, padding=2)
    left.set(xlabel="orphans and spines", xlim=(0, 1.15 * max(counts.max(), 1)))
    left.tick_params(axis="y", length=0)
    shown = table[table["link_probability"].notna() & table["spine_probability"].notna()]
    for (evidence, known), part in shown.groupby(["evidence", shown["right"].astype(object).fillna("unknown")]):
        marker = {True: "o", False: "X", "unknown": "."}[known]
        truth = {True: ", as the truth has it", False: ", against the truth", "unknown": ""}[known]
        right.scatter(
            part["link_probability"],
            part["spine_probability"],
            s=34,
            marker=marker,
            color=EVIDENCE[evidence],
            edgecolor="white",
            linewidth=0.5,
            label=f"{evidence}{truth} ({len(part)})",
            clip_on=False,
            zorder=2,
        )
    right.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the link", ylabel="spine on the mesh (probability)")
    if len(shown):
        right.legend(fontsize=7, loc="best")
    return figure


def draw_conflicts(conflicts: list[Conflict]) -> plt.Figure:
    """Close-ups of linked meshes, the orphan in the full colour of its label, all else pale."""
    figure, axes = plt.subplots(
        1, len(conflicts), figsize=(3.1 * len(conflicts), 3.5), layout="constrained", squeeze=False
    )
    for axis, (mesh, label, segment, row) in zip(axes[0], conflicts):
        place = row[["x_nm", "y_nm", "z_nm"]].to_numpy(float)
        part, kept = crop(mesh, place, WINDOW_NM / 2)
        colours = PALETTE[label[kept]]
        other = segment[kept] != row["orphan"]
        colours[other] = (1 - PALE) * colours[other] + PALE * np.array(to_rgb("white"))
        camera = Camera(fit_camera(part.vertices, PIXELS).axes, place, WINDOW_NM / PIXELS[0], PIXELS)
        axis.imshow(render_mesh(part.vertices, part.faces, colours, camera=camera))
        axis.set_axis_off()
        axis.set_title(
            f"{row['volume']}: orphan {row['orphan']} on {row['shaft']}\n"
            f"link {row['link_probability']:.2f}, spine {row['spine_probability']:.2f}",
            fontsize=8,
        )
    return figure
