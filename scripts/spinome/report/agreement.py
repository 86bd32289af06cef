"""Figures of links held against labels: what was found, and the conflicts that are to be looked at first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from spinome.census.agreement import NOT_KNOWN, VERDICTS
from spinome.colours import COLOURS
from spinome.io.meshes import read_mesh
from spinome.mesh.render import Camera, fit_camera, render_mesh
from spinome.mesh.surface import Mesh
from spinome.neurons.spines import read_labelled
from spinome.neurons.units import NeuronUnit
from spinome.report.neurons import PALETTE, crop
from spinome.report.style import save_figure

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
# conflicts that are shown
SHOWN = 4


class Conflict(NamedTuple):
    """A linked mesh with the `label` and the `segment` (V,) of its vertices, and a row of the table of agreements."""

    mesh: Mesh
    label: np.ndarray
    segment: np.ndarray
    row: pd.Series


def draw_all(
    folder: Path, table: pd.DataFrame, neurons: Mapping[tuple[str, int], NeuronUnit], labelled: Mapping[str, Path]
) -> None:
    """Draw how links and labels agree, and the conflicts to look at first, into a folder.

    Parameters
    ----------
    table : `agreement.parquet` of one or several volumes
    neurons : the meshes of linked segments by volume and shaft
    labelled : the labels of each by its unit
    """
    folder.mkdir(parents=True, exist_ok=True)
    if len(table):
        save_figure(
            draw_agreement(table),
            folder,
            "agreement",
            "Two kinds of evidence: links and labels",
            "Left: what the links of orphans and the labels of the linked meshes say together. Right: orphans by the "
            "probability of their link and by how much their surface, or the spine at their way, looks like a spine.",
        )
    on_mesh = table["spine_probability"].notna() & table["verdict"].str.startswith("linked")
    disputed = table[on_mesh & (table["evidence"] == "conflict")].head(SHOWN)
    if disputed.empty:
        return
    conflicts = []
    for _, row in disputed.iterrows():
        neuron = neurons[row["volume"], row["shaft"]]
        mesh, labels = read_mesh(neuron.mesh), read_labelled(labelled[neuron.unit])
        conflicts.append(Conflict(mesh, labels.label, mesh.vertex_data["segment"], row))
    save_figure(
        draw_conflicts(conflicts),
        folder,
        "conflicts",
        "Links that the mesh speaks against",
        "The orphan in the full colour of its label (red spine, yellow shaft, green soma), its dendrite pale, 4 µm "
        "across, the most doubtful first; `census/agreement.parquet` has their places.",
    )


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
