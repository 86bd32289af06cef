"""Figures of the linking branch: segments on grey values, orphans on their shafts, and how well it all went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from scipy import ndimage

from spinome.colours import COLOURS
from spinome.io.units import VoxelSize, working_stride
from spinome.io.volumes import Volume
from spinome.linking.evaluate import KS, known_links, precision_recall, top_k_table
from spinome.linking.links import not_known
from spinome.report.gaps import hatch_gaps, tell_gaps
from spinome.report.line_graph import draw_graph
from spinome.report.scale_bar import scale_bar
from spinome.report.style import save_figure

# of a window around a disputed orphan, to each side, and how many orphans are shown
WINDOW_NM, DISPUTED = 1600, 3
# an orphan as it is drawn: image (Y, X), labels (Y, X), its rows of `links.parquet`, and its true shaft where known
Window = tuple[np.ndarray, np.ndarray, pd.DataFrame, int | None]


@dataclass(frozen=True)
class Linked:
    """A volume with its links as it is drawn.

    Attributes
    ----------
    segments : its segments, with a voxel size
    typing : table of its segments
    links, bridges : its rows of `links.parquet` and of `bridges.parquet`
    image, superpixels, true_segments : None where it has none
    gaps : what is not known of it (`spinome.gaps.gap_table`), None where its segments are given
    truth : its true links `orphan shaft`, None where they are not known
    """

    segments: Volume
    typing: pd.DataFrame
    links: pd.DataFrame
    bridges: pd.DataFrame
    image: Volume | None = None
    superpixels: Volume | None = None
    gaps: pd.DataFrame | None = None
    true_segments: Volume | None = None
    truth: pd.DataFrame | None = None


def draw_volumes(folder: Path, volumes: Iterable[tuple[str, Linked]], working_nm: float) -> None:
    """Draw each volume into a folder: its segments, its dendrites and its most disputed orphans.

    Parameters
    ----------
    volumes : by name, opened one after the other
    working_nm : voxel to which segments are thinned
    """
    for name, linked in volumes:
        if linked.image and linked.superpixels:
            middle, true, voxel_nm = linked.segments.shape[0] // 2, linked.true_segments, linked.segments.voxel_nm
            panels = {"superpixels": linked.superpixels[middle], "segments": linked.segments[middle]}
            save_figure(
                draw_segments(
                    linked.image[middle], panels, true[middle] if true else None, voxel_nm, linked.gaps, middle
                ),
                folder,
                f"segments_{name}",
                f"From grey values to segments: {name}",
                "The middle slice; superpixels of the watershed and segments of the learned agglomeration"
                + (", with the outlines of the true neurites in white." if true else ".")
                + tell_gaps(linked.gaps),
            )
        if linked.links["linked"].any():
            stride = working_stride(linked.segments.voxel_nm, working_nm)
            shafts = linked.typing.loc[linked.typing["kind"] == "shaft", "segment"].to_numpy()
            thinned = linked.segments[tuple(slice(None, None, every) for every in stride)]
            size_nm = tuple(size * every for size, every in zip(linked.segments.voxel_nm, stride))
            failed = not_known(linked.links).any()
            save_figure(
                draw_dendrites(thinned, shafts, linked.links, linked.bridges, size_nm),
                folder,
                f"dendrites_{name}",
                f"Orphan spines on their shafts: {name}",
                "Seen along z. Shafts that carry linked orphans are pale, an orphan has the colour of its link's "
                "probability, a line is the way to its shaft; orphans without a link are dark, other shafts light "
                "grey." + (" Of blue orphans it is not known whether they have a parent." if failed else ""),
            )
        if linked.image and (linked.links["rank"] > 0).any():
            save_figure(
                draw_candidates(disputed(linked), linked.segments.voxel_nm),
                folder,
                f"candidates_{name}",
                f"The most disputed orphans: {name}",
                "An orphan (red) in the slice of its centre, with its candidate shafts by probability, from violet "
                "to yellow" + ("; the true shaft is outlined." if linked.truth is not None else "."),
            )


def draw_results(
    folder: Path,
    links: pd.DataFrame,
    truth: Mapping[str, pd.DataFrame],
    thresholds: Mapping[str, pd.DataFrame],
    at: tuple[float, float],
    graph: tuple[pd.DataFrame, pd.DataFrame] | None,
) -> None:
    """Draw into a folder how segments, links and the line graph compare with the truth, as far as it is known.

    Parameters
    ----------
    links : `links.parquet`
    truth, thresholds : true links and VI tables, by volume
    at : the thresholds in use, of the merge tree and of links
    graph : `linking/evaluation.tsv` and `linking/detachment.parquet`
    """
    known = pd.concat([table.assign(volume=volume) for volume, table in truth.items()]) if truth else pd.DataFrame()
    scored = links[links["volume"].isin(truth)]
    if len(known):
        scored, known, _ = known_links(scored, known)
    if len(known) or thresholds:
        save_figure(
            draw_scores(scored, known, dict(thresholds), *at),
            folder,
            "scores",
            "Segments and links against the truth",
            "Variation of information over all thresholds of the merge tree (the one in use is marked); how often the "
            "true shaft is among the K most probable candidates; precision and recall of links over all probabilities.",
        )
    if graph:
        save_figure(
            draw_graph(*graph),
            folder,
            "graph",
            "What links are worth to the graph of synapses",
            "Left: graph f1 before any orphan is linked, as linked, with a perfect proofreader who sees the K "
            "likeliest candidates, and with the truth; of the whole graph, and of the synapses on orphans whose parent "
            "is known. Right: graph f1 when a fraction of these orphans is detached at random (mean and 95 % of 1,000 "
            "draws).",
        )


def disputed(linked: Linked, most: int = DISPUTED) -> list[Window]:
    """The orphans whose second candidate is the likeliest, each in a window of the slice of its centre."""
    links, segments, places = linked.links, linked.segments, linked.typing.set_index("segment")
    second = links[links["rank"] == 2].sort_values("probability", ascending=False)
    chosen = links[links["rank"] == 1] if second.empty else second
    truth = linked.truth if linked.truth is not None else pd.DataFrame({"orphan": [], "shaft": []})
    parent = truth.groupby("orphan")["shaft"].first()
    windows = []
    for orphan in chosen["orphan"].head(most):
        z, *centre = (int(places.loc[orphan, f"{axis}_nm"] / size) for axis, size in zip("zyx", segments.voxel_nm))
        half = [int(WINDOW_NM / size) for size in segments.voxel_nm[1:]]
        sides = zip(centre, half, segments.shape[1:])
        plane = tuple(slice(max(at - reach, 0), min(at + reach, length)) for at, reach, length in sides)
        box = (min(z, segments.shape[0] - 1), *plane)
        known = int(parent[orphan]) if orphan in parent.index else None
        windows.append((linked.image[box], segments[box], links[links["orphan"] == orphan], known))
    return windows


def label_colours(labels: np.ndarray, seed: int = 3) -> np.ndarray:
    """A colour (..., 3) for every label, the same for the same label; 0 is black."""
    ids, place = np.unique(labels, return_inverse=True)
    palette = np.empty((len(ids), 3))
    for number, label in enumerate(ids):
        rng = np.random.default_rng([seed, int(label)])
        palette[number] = plt.get_cmap("hsv")(rng.random())[:3]
        palette[number] = rng.uniform(0.55, 0.95) * (palette[number] * rng.uniform(0.45, 0.9) + 0.35).clip(max=1)
    palette[ids == 0] = 0
    return palette[place].reshape(*labels.shape, 3)


def outlines(labels: np.ndarray) -> np.ndarray:
    """Pixels (Y, X) bool at a border between two labels."""
    return (ndimage.grey_dilation(labels, 3) != labels) | (ndimage.grey_erosion(labels, 3) != labels)


def draw_segments(
    image: np.ndarray,
    panels: dict[str, np.ndarray],
    truth: np.ndarray | None,
    voxel_nm: VoxelSize,
    gaps: pd.DataFrame | None = None,
    section: int = 0,
) -> plt.Figure:
    """One slice: the image, and each label slice (Y, X) of `panels` over it, with the outlines of the truth.

    `gaps` of the volume (`spinome.gaps.gap_table`) are hatched where they lie in this `section`.
    """
    aspect = voxel_nm[1] / voxel_nm[2]
    columns = 1 + len(panels)
    figure, axes = plt.subplots(1, columns, figsize=(4.4 * columns, 4.6), layout="constrained")
    low, high = np.percentile(image, [0.5, 99.5])
    grey = ((image.astype(float) - low) / max(high - low, 1e-9)).clip(0, 1)
    for axis, (title, labels) in zip(np.atleast_1d(axes), {"grey values": None, **panels}.items()):
        picture = np.repeat(grey[..., None], 3, axis=2)
        if labels is not None:
            picture = 0.5 * picture + 0.5 * label_colours(labels)
            if truth is not None:
                picture[outlines(truth)] = (1, 1, 1)
        axis.imshow(picture, aspect=aspect, interpolation="nearest")
        if labels is not None and gaps is not None:
            hatch_gaps(axis, gaps, section)
        axis.set_title(title)
        _bare(axis)
    scale_bar(np.atleast_1d(axes)[0], voxel_nm[2])
    return figure


def draw_dendrites(
    labels: np.ndarray, shafts: np.ndarray, links: pd.DataFrame, bridges: pd.DataFrame, size_nm: VoxelSize
) -> plt.Figure:
    """Shafts and orphans of a volume seen from above, lit from the upper left; links are white lines.

    Orphans of which it is not known whether they have a parent are blue.

    Parameters
    ----------
    labels : (Z, Y, X) int
    shafts : labels of shafts, drawn pale
    links : rows of `links.parquet` of this volume: linked orphans are drawn in the link's certainty, others grey
    bridges : rows of `bridges.parquet` of this volume
    size_nm : size of a voxel (z, y, x)
    """
    linked = links[links["linked"]].set_index("orphan")["probability"]
    parents = links.loc[links["linked"], "shaft"].unique()
    bare = np.setdiff1d(shafts, parents)
    loose = np.setdiff1d(links["orphan"], linked.index)
    wanted = np.concatenate([parents, linked.index, loose])
    height, front = _front(labels, np.unique(wanted))
    _, behind = _front(labels, np.unique(bare))
    light, failed = _shade(height, size_nm), set(links.loc[not_known(links), "orphan"])
    picture = np.ones((*front.shape, 3))
    picture[behind > 0] = (0.93, 0.93, 0.93)
    pale = {int(shaft): colour for shaft, colour in zip(np.sort(parents), _pale(len(parents)))}
    certain = LinearSegmentedColormap.from_list("links", ["#f9d56e", COLOURS["spine"], "#8a1c3c"])
    for label in np.unique(front[front > 0]):
        if label in pale:
            colour = pale[int(label)]
        elif label in linked.index:
            colour = certain(float(linked[label]))[:3]
        elif label in failed:
            colour = (0.45, 0.6, 0.8)
        else:
            colour = (0.45, 0.45, 0.48)
        picture[front == label] = colour
    picture[front > 0] *= light[front > 0, None]
    figure, axis = plt.subplots(figsize=(8.2, 7.2), layout="constrained")
    axis.imshow(picture.clip(0, 1), aspect=size_nm[1] / size_nm[2], interpolation="bilinear")
    for row in bridges.itertuples(index=False):
        xs, ys = [row.from_x_nm / size_nm[2], row.to_x_nm / size_nm[2]], [row.from_y_nm, row.to_y_nm]
        axis.plot(xs, np.array(ys) / size_nm[1], color="white", lw=2.6, solid_capstyle="round")
        axis.plot(xs, np.array(ys) / size_nm[1], color="black", lw=1.2, solid_capstyle="round")
    _bare(axis)
    scale_bar(axis, size_nm[2], "#22262b")
    scale = plt.cm.ScalarMappable(plt.Normalize(0, 1), certain)
    figure.colorbar(scale, ax=axis, shrink=0.5, label="probability of an orphan's link")
    return figure


def draw_candidates(windows: list[Window], voxel_nm: VoxelSize) -> plt.Figure:
    """Orphans in their slices, their candidate shafts coloured by probability.

    Parameters
    ----------
    windows : one an orphan
    voxel_nm : size of a voxel (z, y, x)
    """
    figure, axes = plt.subplots(1, len(windows), figsize=(4.6 * len(windows), 4.9), layout="constrained", squeeze=False)
    colours = plt.get_cmap("viridis")
    for axis, (image, labels, links, parent) in zip(axes[0], windows):
        low, high = np.percentile(image, [0.5, 99.5])
        picture = np.repeat(((image - float(low)) / max(high - low, 1e-9)).clip(0, 1)[..., None], 3, axis=2)
        orphan = int(links["orphan"].iloc[0])
        for row in links[links["rank"] > 0].itertuples(index=False):
            inside = labels == row.shaft
            picture[inside] = 0.45 * picture[inside] + 0.55 * np.array(colours(row.probability)[:3])
            if row.shaft == parent:
                edge = inside & ~ndimage.binary_erosion(inside, iterations=2)
                picture[edge] = plt.matplotlib.colors.to_rgb(COLOURS["truth"])
            if inside.any() and row.rank <= 5:
                deep = ndimage.distance_transform_edt(inside)
                y, x = np.unravel_index(deep.argmax(), deep.shape)
                axis.text(
                    x,
                    y,
                    f"{row.probability:.2f}",
                    color="white",
                    ha="center",
                    va="center",
                    fontsize=8,
                    weight="bold",
                    clip_on=True,
                )
        inside = labels == orphan
        picture[inside] = 0.35 * picture[inside] + 0.65 * np.array(plt.matplotlib.colors.to_rgb(COLOURS["spine"]))
        axis.imshow(picture.clip(0, 1), aspect=voxel_nm[1] / voxel_nm[2], interpolation="nearest")
        best = links[links["rank"] == 1]
        verdict = "" if parent is None else (", right" if len(best) and best["shaft"].iloc[0] == parent else ", wrong")
        axis.set_title(f"orphan {orphan}{verdict}")
        _bare(axis)
        scale_bar(axis, voxel_nm[2])
    return figure


def draw_scores(
    links: pd.DataFrame, truth: pd.DataFrame, thresholds: dict[str, pd.DataFrame], cut_at: float, link_at: float
) -> plt.Figure:
    """VI against the threshold, Top-K, and precision against recall of the links; panels without data are left out.

    Parameters
    ----------
    links : `links.parquet` of volumes with truth
    truth : `volume orphan shaft`
    thresholds : VI tables by volume
    cut_at, link_at : the thresholds in use, marked
    """
    panels = ([_draw_thresholds] if thresholds else []) + ([_draw_top_k, _draw_precision] if len(truth) else [])
    figure, axes = plt.subplots(1, len(panels), figsize=(4.3 * len(panels), 3.7), layout="constrained", squeeze=False)
    for axis, panel in zip(axes[0], panels):
        panel(axis, links, truth, thresholds, cut_at, link_at)
    return figure


def _draw_thresholds(axis, links, truth, thresholds, cut_at, link_at) -> None:
    for number, (volume, table) in enumerate(thresholds.items()):
        style = ("-", "--", ":", "-.")[number % 4]
        total = table["vi_split"] + table["vi_merge"]
        axis.plot(table["threshold"], table["vi_split"], style, color=COLOURS["missed"], label=f"split, {volume}")
        axis.plot(table["threshold"], table["vi_merge"], style, color=COLOURS["false"], label=f"merge, {volume}")
        axis.plot(table["threshold"], total, style, color="black", label=f"both, {volume}")
    axis.axvline(cut_at, color=COLOURS["grey"], lw=0.8, zorder=0)
    axis.set(
        xlabel="threshold of the merge tree", ylabel="variation of information (bits)", xlim=(0, 1), ylim=(0, None)
    )
    axis.set_title("Segments")
    axis.legend(fontsize=7)


def _draw_top_k(axis, links, truth, thresholds, cut_at, link_at) -> None:
    table = top_k_table(links, truth)
    for number, row in enumerate(table.itertuples(index=False)):
        style = ("-o", "--s", ":^", "-.d")[number % 4]
        values = [getattr(row, f"top_{k}") for k in KS]
        axis.plot(
            KS, values, style, color=COLOURS["found"], label=f"{row.volume}, {row.orphans} orphans", clip_on=False
        )
        count = max(row.candidates, 1)
        chance = [min(k / count, 1) for k in KS]
        axis.plot(KS, chance, style[:-1], color=COLOURS["grey"], lw=0.9, label=f"by chance of {row.candidates:.1f}")
    axis.set(
        xlabel="candidates looked at (K)", ylabel="orphans with the true shaft among them", ylim=(0, 1.02), xticks=KS
    )
    axis.set_title("Top-K")
    axis.legend(fontsize=7, loc="lower right")


def _draw_precision(axis, links, truth, thresholds, cut_at, link_at) -> None:
    curve = precision_recall(links, truth)
    axis.plot(curve["recall"], curve["precision"], color=COLOURS["found"], drawstyle="steps-post", clip_on=False)
    used = curve[curve["probability"] >= link_at].tail(1)
    axis.plot(used["recall"], used["precision"], "o", color="black", label=f"linked from {link_at:g} on", clip_on=False)
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axis.set_title("Links")
    axis.legend(fontsize=7, loc="lower left")


def _front(labels: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (Y, X) of the first wanted label seen along z, and that label; nan and 0 where there is none."""
    if not len(wanted):
        return np.full(labels.shape[1:], np.nan), np.zeros(labels.shape[1:], dtype=np.int64)
    hit = np.isin(labels, wanted)
    first = hit.argmax(axis=0)
    seen = hit.any(axis=0)
    front = np.where(seen, np.take_along_axis(labels, first[None], axis=0)[0].astype(np.int64), 0)
    return np.where(seen, first.astype(float), np.nan), front


def _shade(height: np.ndarray, size_nm: VoxelSize) -> np.ndarray:
    """Light (Y, X) on a surface of this depth: oblique, and less with depth."""
    deep = np.nanmax(height) if np.isfinite(height).any() else 1.0
    surface = np.where(np.isfinite(height), height, deep) * size_nm[0]
    surface = ndimage.gaussian_filter(surface, 1.5)
    gy, gx = np.gradient(-surface, size_nm[1], size_nm[2])
    light = (1 + 0.9 * gy + 0.9 * gx) / np.sqrt(1 + gy**2 + gx**2)
    far = np.where(np.isfinite(height), height, 0) / max(deep, 1)
    return (0.45 + 0.55 * light.clip(0, 1.3)) * (1 - 0.25 * far)


def _pale(count: int) -> np.ndarray:
    hue = np.linspace(0.08, 0.75, max(count, 1), endpoint=False)
    return plt.matplotlib.colors.hsv_to_rgb(np.stack([hue, np.full(len(hue), 0.22), np.full(len(hue), 0.95)], axis=1))


def _bare(axis: plt.Axes) -> None:
    axis.set(xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set_visible(False)
