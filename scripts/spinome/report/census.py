"""Figures of the census: where the input arrives, how big the spines are, and what each view saw of a specimen."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from spinome.census.matches import view
from spinome.census.tables import HANDFUL, SPINES_OF_A_FRACTION
from spinome.colours import COLOURS
from spinome.report.style import save_figure, tell_sample

VIEWS = {
    "twophoton": ("two-photon", "#7d5ba6"),
    "linking": ("EM, linked orphans", "#edae49"),
    "chain": ("EM, meshed segments", "#d1495b"),
    "neurons": ("mesh", "#30638e"),
}
# linked orphans are the spines that were cut off; the others were never lost, and the view does not look for them
WORDS = {"linking": ("true spines are among them", "linked", "on its dendrite, or missed")}
USUAL_WORDS = ("true spines found", "found", "missed")
# the places of a synapse, and how far from the middle of a class's row they are drawn
TAG_OFFSETS = {"spine": -0.2, "shaft": 0.0, "soma": 0.2}
SIZES = {
    "volume_um3": ("volume (µm³)", 1e-3, 3.0),
    "head_diameter_um": ("head diameter (µm)", 0.1, 2.0),
    "neck_length_um": ("neck length (µm)", 0.03, 5.0),
}


def draw_all(
    folder: Path,
    spines: pd.DataFrame,
    seen: pd.DataFrame | None = None,
    classes: pd.DataFrame | None = None,
    counts: pd.DataFrame | None = None,
    rows: int | None = None,
) -> None:
    """Draw every figure of the census into a folder.

    Parameters
    ----------
    spines : the joint table
    seen : of `census_evaluate`, where a simulated specimen is shown
    classes, counts : as `draw_classes` takes them, where there are neurons
    rows : of the joint table, where `spines` is a sample of it
    """
    folder.mkdir(parents=True, exist_ok=True)
    if seen is not None:
        for specimen in sorted(set(seen["specimen"])):
            save_figure(
                draw_specimen(seen, specimen),
                folder,
                f"specimen_{specimen}",
                f"One simulated specimen, seen by every branch: {specimen}",
                "Each true spine is a line from its base to its head and a ball of its volume: filled where the branch "
                "reported it, open where it missed it. Each view shows what it can see: the whole neuron as a "
                "mesh, the cutout in EM, the field in the two-photon stack.",
            )
        save_figure(
            draw_volumes(seen),
            folder,
            "volumes",
            "Measured and true volume",
            "Spines that were found, one point each; on the grey line the volume is right. In two-photon stacks the "
            "volume is that of the head.",
        )
    if classes is not None and counts is not None:
        lost = counts.loc[counts["whole"].isna(), "cell"].nunique()
        save_figure(
            draw_classes(classes, counts),
            folder,
            "classes",
            "Inputs and outputs by cell class",
            "Points with 95 % intervals (bootstrap over cells), where there are at least "
            f"{HANDFUL} cells on both sides. Open diamonds are published values of mouse visual cortex (Pedigo et al. "
            "2026): other cells, for orientation."
            + (f" Of {lost} cells something is not known, since they failed; they are left out." if lost else ""),
        )
        if (classes["partner_class"] != "").any():
            save_figure(
                draw_partners(classes),
                folder,
                "partners",
                "Synapses on spines by the class of both cells",
                "Fraction of the synapses of each pair of classes that are on spines, and their number. Partners of no "
                "known class are left out.",
            )
    if len(spines):
        save_figure(
            draw_sizes(spines),
            folder,
            "sizes",
            "Size of spines by the way they were seen",
            "Histograms on logarithmic axes; dotted lines are medians. A spine that was tracked through time counts "
            "once, by its median; sizes beyond an axis, as the neck of a stubby spine, are in its outermost bin."
            + tell_sample(len(spines), rows),
        )


def draw_classes(classes: pd.DataFrame, counts: pd.DataFrame) -> plt.Figure:
    """Where inputs and outputs arrive and how many spines take several inputs, by cell class.

    Intervals are there where the class has enough cells; so are published values. Each cell with at least
    `SPINES_OF_A_FRACTION` innervated spines is a faint point of the multi-input panel.

    Parameters
    ----------
    classes : what `spinome.census.tables.census_by_class` returns
    counts : what `spinome.census.counts.count_by_cell` returns
    """
    overall = classes[classes["partner_class"] == ""]
    measured = overall[overall["reference"] == ""]
    names = sorted(measured["cell_class"].unique())
    outputs = classes[classes["measure"] == "output_on_spine"]
    gives = len(outputs) > 0
    # outputs are compared on one kind of cell, where its kind is known
    onto = "excitatory" if (outputs["partner_class"] == "excitatory").any() else ""
    outputs = outputs[outputs["partner_class"] == onto]
    figure, panels = plt.subplots(
        1, 3 if gives else 2, figsize=(9, 1.6 + 0.62 * max(len(names), 1)), width_ratios=[2, 1, 1] if gives else [2, 1],
        sharey=True, layout="constrained",
    )  # fmt: skip
    left, right = panels[0], panels[-1]
    own = counts[(counts["measure"] == "multi_input") & (counts["whole"] >= SPINES_OF_A_FRACTION)]
    for row, name in enumerate(names):
        ours = own[(own["cell_class"] == name) | (own["broad_class"] == name)]
        right.plot(ours["part"] / ours["whole"], np.full(len(ours), row), "o", color=COLOURS["grey"], ms=3, alpha=0.5)
        for tag, offset in TAG_OFFSETS.items():
            _points(left, overall, name, f"input_on_{tag}", row + offset, COLOURS[tag])
        _points(right, overall, name, "multi_input", row, COLOURS["spine"])
        if gives:
            _points(panels[1], outputs, name, "output_on_spine", row, COLOURS["spine"])
    cells = measured[measured["measure"] == "spines_per_cell"].set_index("cell_class")["cells"]
    left.set_yticks(range(len(names)), [f"{name}\n{_cells(cells.get(name, 0))}" for name in names])
    left.set_ylim(max(len(names), 1) - 0.5, -0.5)
    left.set(xlim=(-0.02, 1.02), xlabel="fraction of input synapses", title="Where the input arrives")
    if gives:
        panels[1].set(xlim=(-0.02, 1.02), xlabel="fraction on spines", title=f"Output onto {onto or 'all'} cells")
    right.set(xlabel="fraction of innervated spines", title="Multi-input spines")
    right.set_xlim(left=-0.005)
    handles = [Line2D([], [], marker="o", ls="", color=COLOURS[tag], label=tag) for tag in TAG_OFFSETS]
    handles.append(Line2D([], [], marker="o", ls="", color=COLOURS["grey"], ms=3, label="one cell"))
    if (classes["reference"] != "").any():
        handles.append(Line2D([], [], marker="D", ls="", mfc="none", mec=COLOURS["truth"], label="published"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def draw_partners(classes: pd.DataFrame) -> plt.Figure:
    """Fraction of synapses on spines by the class of the receiving and of the presynaptic cell.

    `classes` is the table of `spinome.census.tables.census_by_class`, with partners of known class.
    """
    pairs = classes[
        (classes["measure"] == "input_on_spine") & (classes["partner_class"] != "") & (classes["reference"] == "")
    ]
    value = pairs.pivot(index="cell_class", columns="partner_class", values="value")
    number = pairs.pivot(index="cell_class", columns="partner_class", values="n")
    figure, axes = plt.subplots(figsize=(2.2 + 0.75 * len(value.columns), 1.6 + 0.5 * len(value)), layout="constrained")
    image = axes.imshow(value.to_numpy(float), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(value.notna().to_numpy()):
        shown = value.iloc[row, column]
        text = f"{shown:.2f}\n{int(number.iloc[row, column]):,}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if shown > 0.6 else "black")
    axes.set_xticks(range(len(value.columns)), value.columns, rotation=30, ha="right")
    axes.set_yticks(range(len(value)), value.index)
    axes.set(xlabel="presynaptic cell", ylabel="receiving cell", title="Synapses on spines")
    figure.colorbar(image, label="fraction on spines")
    return figure


def draw_sizes(spines: pd.DataFrame) -> plt.Figure:
    """Distributions of volume, head diameter and neck length by view; a tracked spine counts once, by its median."""
    spines = spines.assign(view=view(spines), one=spines["track"].fillna(spines["spine"]))
    figure, panels = plt.subplots(1, 3, figsize=(9, 2.9), layout="constrained")
    for axes, (column, (label, low, high)) in zip(panels, SIZES.items()):
        bins = np.geomspace(low, high, 25)
        for name, (text, colour) in VIEWS.items():
            ours = spines[(spines["view"] == name) & spines[column].notna()]
            values = ours.groupby("one")[column].median().to_numpy(float)
            if len(values):
                weights = np.full(len(values), 1 / len(values))
                line = f"{text} (n = {len(values)})"
                values = values.clip(low, high)
                axes.hist(values, bins, weights=weights, histtype="step", color=colour, lw=1.6, label=line)
                axes.axvline(np.median(values), color=colour, lw=1, ls=":")
        axes.set(xscale="log", xlabel=label)
    panels[0].set_ylabel("fraction of spines")
    panels[0].set_title("Sizes by view")
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def draw_specimen(seen: pd.DataFrame, specimen: str) -> plt.Figure:
    """One simulated specimen: a map of its true spines by view, those that were found and those that were missed.

    `seen` is the table of `census_evaluate`: a row per view and true spine that the view could show.
    """
    ours = seen[seen["specimen"] == specimen]
    names = [name for name in VIEWS if (ours["view"] == name).any()]
    maps = {name: _spine_map(ours[ours["view"] == name]) for name in names}
    extents = [np.ptp(np.concatenate([base, head]), axis=0) + 1.0 for base, head, _ in maps.values()]
    heights = [np.clip(6.8 * height / width, 1.0, 4.5) for width, height in extents]
    figure, panels = plt.subplots(
        len(names), 1, figsize=(9, sum(heights) + 0.7 * len(names)), height_ratios=heights, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axes, (name, (base, head, diameter)) in zip(panels[:, 0], maps.items()):
        text, colour = VIEWS[name]
        hit = ours.loc[ours["view"] == name, "found"].notna().to_numpy()
        for these, edge, face in ((~hit, COLOURS["false"], "none"), (hit, colour, colour)):
            axes.add_collection(LineCollection(np.stack([base, head], axis=1)[these], color=edge, lw=1.0))
            circles = [Circle(centre, size / 2) for centre, size in zip(head[these], diameter[these])]
            axes.add_collection(PatchCollection(circles, facecolor=face, edgecolor=edge, lw=1.2, zorder=3))
        axes.set_aspect("equal")
        axes.autoscale_view()
        told, seen_as, missed_as = WORDS.get(name, USUAL_WORDS)
        axes.set_title(f"{text}: {hit.sum()} of {len(hit)} {told}")
        axes.set_ylabel("µm")
        handles = [
            Line2D([], [], marker="o", ls="", color=colour, label=f"{seen_as} ({hit.sum()})"),
            Line2D([], [], marker="o", ls="", mfc="none", mec=COLOURS["false"], label=f"{missed_as} ({(~hit).sum()})"),
        ]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1))
    panels[-1, 0].set_xlabel("µm")
    return figure


def _spine_map(truth: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bases and heads (N, 2) in um, the longer axis first, and the diameters of balls of the spines' volumes."""
    base, head = (truth[[f"{end}_x_um", f"{end}_y_um"]].to_numpy(float) for end in ("base", "head"))
    if np.ptp(head[:, 1]) > np.ptp(head[:, 0]):
        base, head = base[:, ::-1], head[:, ::-1]
    return base, head, np.cbrt(6 * truth["volume_um3"].to_numpy(float) / np.pi)


def draw_volumes(seen: pd.DataFrame) -> plt.Figure:
    """Measured against true volume of the spines that were found, by view."""
    found = seen[seen["found_volume_um3"].notna()]
    names = [name for name in VIEWS if (found["view"] == name).any()]
    figure, panels = plt.subplots(
        1, max(len(names), 1), figsize=(2.6 * max(len(names), 1) + 0.6, 2.9), squeeze=False, layout="constrained"
    )
    limits = (5e-3, 2.0)
    for axes, name in zip(panels[0], names):
        ours = found[found["view"] == name]
        axes.plot(limits, limits, color=COLOURS["grey"], lw=0.8)
        axes.plot(ours["volume_um3"], ours["found_volume_um3"], "o", color=VIEWS[name][1], ms=4, alpha=0.7, mew=0)
        axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits, title=VIEWS[name][0], xlabel="true volume (µm³)")
        axes.set_aspect("equal")
    panels[0, 0].set_ylabel("measured volume (µm³)")
    return figure


def _points(axes: plt.Axes, classes: pd.DataFrame, name: str, measure: str, height: float, colour: str) -> None:
    """A measure of a class with its interval, and the published value where there is one."""
    for row in classes[(classes["cell_class"] == name) & (classes["measure"] == measure)].itertuples():
        if row.reference:
            axes.plot(row.value, height, "D", mfc="none", mec=COLOURS["truth"], ms=7)
        else:
            axes.plot([row.ci_low, row.ci_high], [height, height], color=colour, lw=1.5)
            axes.plot(row.value, height, "o", color=colour, ms=6)


def _cells(count: int) -> str:
    return "presynaptic" if not count else "1 cell" if count == 1 else f"{int(count):,} cells"
