"""Figures of the neurons branch: labelled meshes, synapses, spines, and the truth beside them."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter
from scipy.spatial import cKDTree

from spinome.colours import COLOURS
from spinome.mesh.render import Camera, fit_camera, render_mesh, visible
from spinome.mesh.surface import Mesh
from spinome.neurons.classes import CLASSES
from spinome.report.scale_bar import scale_bar
from spinome.scores.classification import calibration, f1_scores

PALETTE = np.array([to_rgb(COLOURS[name]) for name in CLASSES])
# neighbours get different colours; none is the shaft's
INSTANCES = np.array([to_rgb(plt.colormaps["tab20"](place)) for place in (0, 4, 8, 6, 18, 1, 5, 9, 7, 19, 10, 12)])
UNKNOWN = np.array([0.82, 0.82, 0.8])
# edge of a close-up, and how deep below what is seen a synapse may lie and still be drawn
CLOSE_UP_NM, SLACK_NM = 12_000.0, 250.0
PIXELS = (760, 1100)
# edge of a stretch in which spines are told apart, and of the picture of one spine
WIDE_NM, GALLERY_NM = 20_000.0, 3_600.0
WIDE_PIXELS = (480, 1100)
CLOSE_PIXELS = (560, 560)
# what `draw_spines` shows
SIZES = ("volume_um3", "head_diameter_nm", "neck_length_nm", "neck_diameter_nm")


def draw_neuron(mesh: Mesh, label: np.ndarray, truth: np.ndarray | None = None) -> plt.Figure:
    """A whole neuron in the colours of its labels, and beside it in those of the truth (codes, -1 unknown)."""
    panels = [("predicted", label)] + ([("truth", truth)] if truth is not None else [])
    camera = fit_camera(mesh.vertices, PIXELS)
    figure, axes = plt.subplots(
        1, len(panels), figsize=(9, 6.4 if len(panels) == 1 else 3.6), layout="constrained", squeeze=False
    )
    for axis, (name, codes) in zip(axes[0], panels):
        show(axis, mesh, codes, camera, name if len(panels) > 1 else "")
    _class_legend(figure, [codes for _, codes in panels], [])
    return figure


def draw_close_ups(
    mesh: Mesh, label: np.ndarray, synapses: pd.DataFrame, places: Sequence[np.ndarray], truth: np.ndarray | None = None
) -> plt.Figure:
    """Stretches around `places` (3,), with the synapses on the visible side as dots; the truth below, if any."""
    rows = [("" if truth is None else "predicted", label, synapses)]
    rows += [("truth", truth, synapses.iloc[:0])] if truth is not None else []
    figure, axes = plt.subplots(
        len(rows),
        len(places),
        figsize=(3 * len(places), 3 * len(rows) + 0.35),
        layout="constrained",
        squeeze=False,
    )
    for column, place in enumerate(places):
        part, kept = crop(mesh, place, CLOSE_UP_NM / 2)
        rotation = fit_camera(part.vertices, CLOSE_PIXELS).axes
        camera = Camera(rotation, place, CLOSE_UP_NM / CLOSE_PIXELS[0], CLOSE_PIXELS)
        for row, (name, codes, dots) in enumerate(rows):
            near = (dots[["x_nm", "y_nm", "z_nm"]] - place).abs().max(axis=1) < CLOSE_UP_NM / 2
            show(axes[row, column], part, codes[kept], camera, name if column == 0 else "", dots[near])
    _class_legend(figure, [codes for _, codes, _ in rows], [] if synapses.empty else ["synapse"])
    return figure


def close_up_places(mesh: Mesh, spine: np.ndarray, synapses: pd.DataFrame, count: int = 3) -> list[np.ndarray]:
    """Middles (3,) of stretches with many spines, far from one another."""
    inside = np.flatnonzero(spine >= 0)
    if not len(inside):
        return []
    centres = pd.DataFrame(mesh.vertices[inside]).groupby(spine[inside]).mean().to_numpy()
    tree = cKDTree(centres)
    score = np.array([len(near) for near in tree.query_ball_point(centres, CLOSE_UP_NM / 3)], float)
    points = synapses[["x_nm", "y_nm", "z_nm"]].dropna().to_numpy(float)
    if len(points):
        score += [len(near) for near in cKDTree(points).query_ball_point(centres, CLOSE_UP_NM / 3)]
    chosen: list[np.ndarray] = []
    for number in np.argsort(-score, kind="stable"):
        if all(np.linalg.norm(centres[number] - other) > 2 * CLOSE_UP_NM for other in chosen):
            chosen.append(centres[number])
        if len(chosen) == count:
            break
    return chosen


def draw_instances(
    mesh: Mesh, spine: np.ndarray, place: np.ndarray, true_spine: np.ndarray | None = None
) -> plt.Figure:
    """A stretch around `place` (3,), each spine in a colour of its own; beside it the true spines, if they are known.

    Parameters
    ----------
    spine, true_spine : (V,) spine of each vertex, -1 where none
    """
    panels = [("found", spine)] + ([("truth", true_spine)] if true_spine is not None else [])
    part, kept = crop(mesh, place, WIDE_NM / 2)
    # a true spine is drawn in the colour of the found one that has most of it
    panels = [(name, ids[kept]) for name, ids in panels]
    if true_spine is not None:
        both = pd.DataFrame({"true": panels[1][1], "found": panels[0][1]})
        both = both[(both >= 0).all(axis=1)]
        main = both.groupby("true")["found"].agg(lambda ids: ids.mode()[0]).to_dict()
        panels[1] = "truth", np.array([main.get(number, -2 if number >= 0 else -1) for number in panels[1][1]])
    camera = fit_camera(part.vertices, WIDE_PIXELS)
    camera = Camera(camera.axes, place, WIDE_NM / WIDE_PIXELS[1], WIDE_PIXELS)
    figure, axes = plt.subplots(len(panels), 1, figsize=(9, 3.9 * len(panels)), layout="constrained", squeeze=False)
    for axis, (name, ids) in zip(axes[:, 0], panels):
        colours = np.where((ids >= 0)[:, None], INSTANCES[ids % len(INSTANCES)], PALETTE[0])
        colours = np.where((ids == -2)[:, None], UNKNOWN, colours)
        axis.imshow(render_mesh(part.vertices, part.faces, colours, camera=camera))
        axis.set_axis_off()
        axis.set_title(name if len(panels) > 1 else "")
        scale_bar(axis, camera.nm_per_px, "#22262b")
    return figure


def draw_gallery(mesh: Mesh, spine: np.ndarray, spines: pd.DataFrame, count: int = 12) -> plt.Figure:
    """Single spines from the smallest to the largest, all at one scale, with their sizes.

    Parameters
    ----------
    spine : (V,) spine of each vertex, -1 where none
    spines : the neuron's rows of `neurons/spines.parquet`
    """
    whole = spines[spines["length_nm"].notna()].sort_values("volume_um3")
    # without the extremes, which are slivers and merged ones
    places = np.linspace(0.03, 0.97, count) * (len(whole) - 1)
    chosen = whole.iloc[np.unique(places.round().astype(int))] if len(whole) else whole
    columns = min(6, max(1, len(chosen)))
    lines = max(1, -(-len(chosen) // columns))
    figure, axes = plt.subplots(
        lines, columns, figsize=(1.6 * columns, 2.15 * lines), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, row in zip(axes.flat, chosen.itertuples()):
        own = spine == row.spine
        base, head = (np.array([getattr(row, f"{name}{letter}_nm") for letter in "xyz"]) for name in ("base_", ""))
        part, kept = crop(mesh, mesh.vertices[own].mean(axis=0), GALLERY_NM / 2)
        colours = np.where(own[kept][:, None], PALETTE[CLASSES.index("spine")], UNKNOWN)
        camera = Camera(_upright(head - base), mesh.vertices[own].mean(axis=0), GALLERY_NM / 300, (300, 300))
        axis.imshow(render_mesh(part.vertices, part.faces, colours, camera=camera))
        neck = f"{row.neck_length_nm:.0f} x {row.neck_diameter_nm:.0f} nm" if row.neck_length_nm > 0 else "none"
        axis.set_title(
            f"{row.volume_um3:.3f} um³\nhead {row.head_diameter_nm:.0f} nm\nneck {neck}", fontsize=7, loc="center"
        )
    if len(chosen):
        scale_bar(axes[0, 0], camera.nm_per_px, "#22262b")
    return figure


def draw_spines(spines: pd.DataFrame) -> plt.Figure:
    """How large spines are: volume, head diameter, neck length and diameter, and head against neck."""
    figure, axes = plt.subplots(1, 5, figsize=(11, 2.5), layout="constrained")
    volume = spines["volume_um3"].to_numpy(float)
    panels = [
        (volume[volume > 0], np.geomspace(0.003, 3, 32), "volume (um³)"),
        (spines["head_diameter_nm"].to_numpy(float), np.linspace(0, 1600, 33), "head diameter (nm)"),
        (spines["neck_length_nm"].to_numpy(float), np.linspace(0, 3000, 31), "neck length (nm)"),
        (spines["neck_diameter_nm"].to_numpy(float), np.linspace(0, 600, 31), "neck diameter (nm)"),
    ]
    for axis, (values, bins, name) in zip(axes, panels):
        values = values[np.isfinite(values)]
        axis.hist(np.clip(values, bins[0], bins[-1]), bins, color=COLOURS["spine"], alpha=0.85)
        axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        if len(values):
            axis.axvline(np.median(values), color="black", lw=1, ls=":")
            axis.set_title(
                f"median {np.median(values):.2g}" if name.startswith("volume") else f"median {np.median(values):.0f}"
            )
        axis.set(xlabel=name)
    axes[0].set(xscale="log", ylabel="spines")
    axes[0].set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    axes[4].scatter(spines["neck_length_nm"], spines["head_diameter_nm"], s=3, color=COLOURS["spine"], alpha=0.5, lw=0)
    axes[4].set(xlabel="neck length (nm)", ylabel="head diameter (nm)", xlim=(0, 3000), ylim=(0, 1600))
    return figure


def draw_synapses(neurons: pd.DataFrame, synapses: pd.DataFrame) -> plt.Figure:
    """Where the input of each neuron arrives, and how sure the labels are.

    Parameters
    ----------
    neurons : `neurons/neurons.parquet`
    synapses : `tag` and `value` of rows of `neurons/synapses.parquet`
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained", width_ratios=[3, 2])
    name = neurons["neuron"].where(neurons["source"] == "sheet", neurons["source"] + "/" + neurons["neuron"])
    on = neurons[[f"on_{tag}" for tag in CLASSES]].set_axis(list(CLASSES), axis=1).set_axis(name).fillna(0).astype(int)
    count = on.sum(axis=1).nlargest(12)
    count = count[count > 0]
    share = on.loc[count.index[::-1]].div(count[::-1], axis=0)
    start = np.zeros(len(share))
    there = [tag for tag in ("spine", "shaft", "soma") if on[tag].any()]
    for tag in there:
        left.barh(share.index, share[tag], left=start, color=COLOURS[tag], label=tag)
        start += share[tag].to_numpy()
    left.set(xlabel="fraction of input synapses", xlim=(0, 1))
    left.set_yticks(range(len(share)), [f"{neuron} (n={count[neuron]:,})" for neuron in share.index])
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    for tag in there:
        values = synapses["value"][(synapses["tag"] == tag).fillna(False).astype(bool)]
        right.hist(values, np.linspace(1 / 3, 1, 28), histtype="step", color=COLOURS[tag], lw=1.5)
    right.set(xlabel="probability of the label", ylabel="synapses", yscale="log", ylim=(0.7, None))
    right.yaxis.set_minor_formatter(NullFormatter())
    return figure


def draw_scores(compared: pd.DataFrame) -> plt.Figure:
    """Confusion matrices and calibration against the truth; `compared` from `spinome.neurons.evaluate`."""
    kinds = [kind for kind in ("synapse", "vertex") if (compared["kind"] == kind).any()]
    figure, axes = plt.subplots(1, len(kinds) + 1, figsize=(3.2 * (len(kinds) + 1), 3.1), layout="constrained")
    for axis, kind in zip(axes, kinds):
        _confusion(axis, compared[compared["kind"] == kind], {"synapse": "synapses", "vertex": "vertices"}[kind])
    last = axes[-1]
    last.plot([1 / 3, 1], [1 / 3, 1], color=COLOURS["grey"], lw=1, ls=":")
    for kind, style in zip(kinds, ("o-", "s--")):
        rows = compared[(compared["kind"] == kind) & (compared["found"] >= 0)]
        table = calibration(rows["value"].to_numpy(float), (rows["truth"] == rows["found"]).to_numpy())
        last.plot(
            table["stated"],
            table["observed"],
            style,
            color=COLOURS["truth"],
            ms=4,
            label={"synapse": "synapses", "vertex": "vertices"}[kind],
        )
    last.set(
        xlabel="stated probability", ylabel="fraction right", title="calibration", xlim=(0.3, 1.01), ylim=(0, 1.02)
    )
    last.legend()
    return figure


def show(axes: plt.Axes, mesh: Mesh, codes: np.ndarray, camera: Camera, title: str, dots: pd.DataFrame | None = None):
    """Render a labelled mesh into axes, with a scale bar, and the synapses that are in sight."""
    colours = np.where((codes >= 0)[:, None], PALETTE[np.maximum(codes, 0)], UNKNOWN)
    axes.imshow(render_mesh(mesh.vertices, mesh.faces, colours, camera=camera))
    axes.set_axis_off()
    axes.set_title(title)
    if dots is not None and len(dots):
        points = dots[["x_nm", "y_nm", "z_nm"]].to_numpy(float)
        points = points[np.isfinite(points).all(axis=1)]
        points = points[visible(mesh.vertices, mesh.faces, points, camera, SLACK_NM)]
        column, row, _ = camera.project(points).T
        axes.scatter(column, row, s=14, color="#22262b", edgecolor="white", linewidth=0.7)
    scale_bar(axes, camera.nm_per_px, "#22262b")


def crop(mesh: Mesh, place: np.ndarray, half_nm: float) -> tuple[Mesh, np.ndarray]:
    """The part of a mesh within a cube, and which vertices it keeps."""
    near = (np.abs(mesh.vertices - place) <= 1.3 * half_nm).all(axis=1)
    faces = mesh.faces[near[mesh.faces].all(axis=1)]
    kept, faces = np.unique(faces, return_inverse=True)
    return Mesh(mesh.vertices[kept], faces.reshape(-1, 3)), kept


def _upright(direction: np.ndarray) -> np.ndarray:
    """Axes of a camera (3, 3) in whose pictures a direction (3,) points upwards."""
    up = direction / max(float(np.linalg.norm(direction)), 1e-9)
    away = np.eye(3)[np.abs(up).argmin()]
    towards = away - (away @ up) * up
    towards /= np.linalg.norm(towards)
    return np.stack([np.cross(up, towards), up, towards])


def _confusion(axes: plt.Axes, rows: pd.DataFrame, unit: str) -> None:
    counts = np.zeros((len(CLASSES), len(CLASSES) + 1))
    np.add.at(counts, (rows["truth"].to_numpy(int), np.where(rows["found"] < 0, len(CLASSES), rows["found"])), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            axes.text(
                column,
                row,
                f"{share[row, column]:.3f}\n{counts[row, column]:,.0f}",
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if share[row, column] > 0.55 else "black",
            )
    scores = f1_scores(counts)
    axes.set_yticks(
        range(3),
        [f"{name}\nF1 {score:.3f}" if row.any() else name for name, score, row in zip(CLASSES, scores, counts)],
    )
    axes.set_xticks(range(4), [*CLASSES, "none"])
    axes.set(xlabel="predicted", ylabel="true", title=unit)


def _class_legend(figure: plt.Figure, codes: Sequence[np.ndarray], extra: Sequence[str]) -> None:
    there = np.unique(np.concatenate(codes))
    handles = [
        Line2D([], [], marker="s", ls="", color=COLOURS[name], label=name)
        for code, name in enumerate(CLASSES)
        if code in there
    ]
    if (there < 0).any():
        handles.append(Line2D([], [], marker="s", ls="", color=UNKNOWN, label="no truth"))
    handles += [Line2D([], [], marker="o", ls="", color="#22262b", ms=4, label=name) for name in extra]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
