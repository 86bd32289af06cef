"""Figures of the synapses branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from spinome.io.volumes import Volume
from spinome.report.style import COLOURS, plt, save_figure
from spinome.scores.objects import Matched, average_precision, precision_recall_curve, precision_recall_f1
from spinome.synapses.mask import HIDDEN

CROP_NM = 1000.0
MASK_COLOURS = ("#30638e", "#f28f3b", "#d1495b")


def draw_sections(
    folder: Path, volume: str, image: Volume, labels: Volume, objects: pd.DataFrame, truth: Volume | None
) -> None:
    """Two whole sections with synapses outlined, the richest in objects of either half of the depth."""
    depth = image.shape[0]
    covers = np.zeros(depth + 1, int)
    np.add.at(covers, objects["z0"].to_numpy(int), 1)
    np.add.at(covers, objects["z1"].to_numpy(int) + 1, -1)
    covers = np.cumsum(covers)[:-1]
    middle = max(depth // 2, 1)
    picked = [int(np.argmax(covers[:middle]))]
    if depth > 1:
        picked.append(middle + int(np.argmax(covers[middle:])))
    height, width = image.shape[1:]
    figure, panels = plt.subplots(
        1, len(picked), figsize=(11, 11 * height / width / len(picked) + 0.5), squeeze=False, layout="constrained"
    )
    for panel, z in zip(panels[0], picked):
        _show(panel, image[z], image.voxel_nm)
        if truth is not None:
            _outline(panel, truth[z] > 0, COLOURS["truth"], 2.4)
        _outline(panel, labels[z] > 0, COLOURS["found"])
        panel.set_title(f"section {z + 1} of {depth}")
        _scale_bar(panel, 1000, image.voxel_nm)
    _legend(figure, truth is not None)
    save_figure(
        figure,
        folder,
        f"sections_{volume}",
        f"Synapses in {volume}",
        f"{len(objects)} synapses found in the whole volume; bar 1 um. "
        + ("Found and true synapses are outlined." if truth is not None else "Found synapses are outlined."),
    )


def draw_gallery(
    folder: Path,
    volume: str,
    image: Volume,
    labels: Volume,
    truth: Volume,
    result: Matched,
    found_nm: np.ndarray,
    truth_nm: np.ndarray,
    each: int = 6,
) -> None:
    """Close views of synapses that were found, missed and falsely found, at their centres (N, 3) in nm."""
    kinds = {
        "found": truth_nm[result.truth_found],
        "missed": truth_nm[~result.truth_found],
        "false": found_nm[~result.found_true],
    }
    figure, panels = plt.subplots(3, each, figsize=(11, 5.9), squeeze=False, layout="constrained")
    for row, (kind, centres) in zip(panels, kinds.items()):
        # evenly spaced in the order of the tables, so that the choice is nobody's taste
        chosen = centres[np.linspace(0, len(centres) - 1, min(each, len(centres))).round().astype(int)]
        for panel in row:
            panel.set_axis_off()
        for panel, centre in zip(row, chosen):
            box = _crop(centre, image)
            _show(panel, image[box], image.voxel_nm)
            _outline(panel, truth[box] > 0, COLOURS["truth"], 2.4)
            _outline(panel, labels[box] > 0, COLOURS["found"])
        _scale_bar(row[0], 200, image.voxel_nm)
        row[0].set_title(f"{kind}: {len(centres)}", color=COLOURS[kind])
    _legend(figure, True)
    save_figure(
        figure,
        folder,
        f"gallery_{volume}",
        f"Found, missed and false synapses in {volume}",
        "The section through the centre of each, evenly spaced in the order of the tables; bar 200 nm. Each found "
        "object answers for one true synapse at most.",
    )


def draw_precision_recall(folder: Path, result: Matched) -> None:
    """Precision and recall of objects taken by falling score."""
    precision, recall = precision_recall_curve(result)
    at_precision, at_recall, f1 = precision_recall_f1(result)
    figure, panel = plt.subplots(figsize=(4.2, 3.8), layout="constrained")
    panel.step(recall, precision, where="post", color=COLOURS["found"])
    panel.plot(at_recall, at_precision, "o", color=COLOURS["found"], label=f"operating point, F1 {f1:.2f}")
    # the point that the case study reports, on other data
    panel.plot(0.62, 0.69, "s", color=COLOURS["grey"], label="published, other data")
    panel.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall", ylabel="precision")
    panel.set_title(f"average precision {average_precision(result):.2f}, {len(result.truth_found)} true synapses")
    panel.legend(loc="lower left")
    save_figure(
        figure,
        folder,
        "precision_recall",
        "Precision and recall of synapses",
        "Found objects taken by falling mean probability and matched one to one with the truth, pooled over the "
        "volumes that were not trained on.",
    )


def draw_merge(
    folder: Path,
    volume: str,
    image: Volume,
    labels: Volume,
    objects: pd.DataFrame,
    cuboid: tuple[int, int, int],
) -> None:
    """The section where the most objects cross the borders of cuboids, each object in one colour."""
    crossing = objects[
        sum(
            (objects[f"{axis}0"] // size != objects[f"{axis}1"] // size).astype(int)
            for axis, size in zip("zyx", cuboid)
        )
        > 0
    ]
    shown = crossing if len(crossing) else objects
    if shown.empty:
        return
    in_plane = shown[
        (shown["y0"] // cuboid[1] != shown["y1"] // cuboid[1]) | (shown["x0"] // cuboid[2] != shown["x1"] // cuboid[2])
    ]
    best = (in_plane if len(in_plane) else shown).sort_values("voxels").iloc[-1]
    z = int(best["z0"] + best["z1"]) // 2
    section = labels[z]
    height, width = section.shape
    figure, (whole, close) = plt.subplots(
        1, 2, figsize=(11, 5.4), layout="constrained", gridspec_kw={"width_ratios": [1.2, 1]}
    )
    centre = np.array([(z + 0.5), (best["y0"] + best["y1"]) / 2, (best["x0"] + best["x1"]) / 2]) * labels.voxel_nm
    window = _crop(centre, labels)
    for panel, part in ((whole, (slice(None), slice(None))), (close, window[1:])):
        _show(panel, image[(z, *part)], labels.voxel_nm)
        _paint(panel, section[part])
        low_y, low_x = part[0].start or 0, part[1].start or 0
        for y in range(cuboid[1], height, cuboid[1]):
            if low_y < y < low_y + section[part].shape[0]:
                panel.axhline(y - low_y - 0.5, color="white", linewidth=0.8, linestyle=(0, (4, 3)))
        for x in range(cuboid[2], width, cuboid[2]):
            if low_x < x < low_x + section[part].shape[1]:
                panel.axvline(x - low_x - 0.5, color="white", linewidth=0.8, linestyle=(0, (4, 3)))
    whole.add_patch(
        Rectangle(
            (window[2].start, window[1].start),
            window[2].stop - window[2].start,
            window[1].stop - window[1].start,
            fill=False,
            edgecolor="white",
        )
    )
    _scale_bar(whole, 1000, labels.voxel_nm)
    _scale_bar(close, 200, labels.voxel_nm)
    whole.set_title(f"section {z + 1}; dashed: borders of cuboids")
    close.set_title(f"synapse {best['synapse']}: {best['sections']} sections, {best['volume_um3']:.4f} um³")
    save_figure(
        figure,
        folder,
        f"merge_{volume}",
        f"Objects merged across cuboids in {volume}",
        f"{len(crossing)} of {len(objects)} synapses lie in more than one cuboid; each has one colour and one id "
        "wherever the volume was cut. Bars 1 um and 200 nm.",
    )


def draw_density(folder: Path, volume: str, blocks: pd.DataFrame, uniformity: pd.DataFrame) -> None:
    """Density seen along z and along x, its profiles along the three axes, and how far its dependence reaches."""
    used = blocks[blocks["unmasked_um3"] > 0]
    if len(used) < 4:
        return
    figure = plt.figure(figsize=(12, 6), layout="constrained")
    grid = figure.add_gridspec(4, 3)
    top = _project(used, "y_nm", "x_nm")
    side = _project(used, "z_nm", "x_nm")
    shown = np.concatenate([top[0].ravel(), side[0].ravel()])
    low, high = np.nanpercentile(shown, [1, 99]) if np.isfinite(shown).any() else (0, 1)
    for rows, (image, extent, name) in zip((slice(0, 2), slice(2, 4)), ((*top, "y"), (*side, "z"))):
        panel = figure.add_subplot(grid[rows, :2])
        shade = panel.imshow(
            image, extent=extent, cmap="magma", vmin=low, vmax=high, interpolation="nearest", aspect="auto"
        )
        panel.set(xlabel="x (um)", ylabel=f"{name} (um)")
        panel.set_title("mean over depth" if name == "y" else "mean over y")
        panel.set_facecolor("#dddddd")
    figure.colorbar(shade, ax=figure.axes, label="synapses per um³", shrink=0.7, location="left")
    kinds = dict(iter(uniformity.groupby("statistic")))
    for index, axis in enumerate("zyx"):
        panel = figure.add_subplot(grid[index, 2])
        _profile(panel, used, kinds.get("profile", uniformity[:0]).query("axis == @axis"), axis)
        for trend in kinds["trend"].query("axis == @axis").itertuples() if "trend" in kinds else ():
            if np.isfinite(trend.value):
                told = f"{trend.value:+.0%} ({trend.ci_low:+.0%} to {trend.ci_high:+.0%}) {trend.note}, p {trend.p:.2g}"
                panel.set_title(told, fontsize=8)
    _correlation(figure.add_subplot(grid[3, 2]), kinds)
    save_figure(
        figure,
        folder,
        f"density_{volume}",
        f"Synapse density in {volume}",
        f"{used['synapses'].sum():,} synapses in {len(used):,} blocks, {used['unmasked_um3'].sum():,.0f} um³ unmasked. "
        + _tell(kinds)
        + "Profiles: density in slabs of blocks. Trends: change from end to end by a quasi-Poisson model with the "
        "unmasked volume as exposure. All intervals are of 95 % and keep the likeness of neighbouring blocks.",
    )


def _tell(kinds: Mapping[str, pd.DataFrame]) -> str:
    """What the table of uniformity says of the whole volume."""
    told = []
    for statistic, words in (
        ("density_um3", "{value:.3g} found per um³ ({ci_low:.3g} to {ci_high:.3g})"),
        ("true_density_um3", "{value:.3g} true ones per um³ ({ci_low:.3g} to {ci_high:.3g}; {note})"),
        ("dispersion", "Pearson dispersion {value:.2f}"),
        ("morans_i", "Moran's I {value:.2f}"),
        ("uniformity", "smooth unevenness {value:.1f} times that of an even density, p {p:.2g} ({note})"),
    ):
        if statistic in kinds and np.isfinite(kinds[statistic]["value"].iloc[0]):
            told.append(words.format(**kinds[statistic].iloc[0]))
    return "; ".join(told) + ". " if told else ""


def draw_mask(folder: Path, volume: str, image: Volume, hidden: Volume) -> None:
    """What a mask made by rules hides, over four sections of the overview that it was made from."""
    picked = np.unique(np.linspace(0, image.shape[0] - 1, 6).round().astype(int)[1:-1])
    height, width = image.shape[1:]
    figure, panels = plt.subplots(
        1, len(picked), figsize=(11, 11 * height / width / len(picked) + 0.7), squeeze=False, layout="constrained"
    )
    cells = hidden[:]
    for panel, z in zip(panels[0], picked):
        _show(panel, image[z], image.voxel_nm)
        for number, colour in zip(HIDDEN.values(), MASK_COLOURS):
            painted = np.zeros((*cells[z].shape, 4))
            painted[cells[z] == number] = (*to_rgb(colour), 0.55)
            panel.imshow(painted, interpolation="nearest", aspect=image.voxel_nm[1] / image.voxel_nm[2])
        panel.set_title(f"{(z + 0.5) * image.voxel_nm[0] / 1000:.3g} um deep")
    _scale_bar(panels[0, 0], 5000, image.voxel_nm)
    shares = [f"{name}: {(cells == number).mean():.1%}" for name, number in HIDDEN.items()]
    handles = [
        Rectangle((0, 0), 1, 1, color=colour, alpha=0.55, label=share) for share, colour in zip(shares, MASK_COLOURS)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    save_figure(
        figure,
        folder,
        f"mask_{volume}",
        f"What is left out of the density in {volume}",
        "Cells that are blank, and large bodies brighter or darker than the tissue (vessels, somata), by simple rules; "
        "bar 5 um. No synapse is counted there, and the volume does not count as searched.",
    )


def _project(blocks: pd.DataFrame, rows: str, columns: str) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    sums = blocks.groupby([rows, columns])[["synapses", "unmasked_um3"]].sum()
    table = (sums["synapses"] / sums["unmasked_um3"]).unstack()
    (low_row, high_row), (low, high) = (_edges(axis.to_numpy() / 1000) for axis in (table.index, table.columns))
    return table.to_numpy(float), (low, high, high_row, low_row)


def _edges(centres: np.ndarray) -> tuple[float, float]:
    half = np.median(np.diff(centres)) / 2 if len(centres) > 1 else 1.0
    return centres[0] - half, centres[-1] + half


def _profile(panel: Axes, blocks: pd.DataFrame, profile: pd.DataFrame, axis: str) -> None:
    """Density along an axis, with intervals where there are enough blocks for them."""
    sums = blocks.groupby(f"{axis}_nm")[["synapses", "unmasked_um3"]].sum()
    if len(profile):
        panel.fill_between(
            profile["at_um"], profile["ci_low"], profile["ci_high"], color=COLOURS["found"], alpha=0.25, lw=0
        )
        at, density = profile["at_um"], profile["value"]
    else:
        at, density = sums.index / 1000, sums["synapses"] / sums["unmasked_um3"]
    panel.plot(at, density, color=COLOURS["found"], linewidth=1.2, marker="." if len(at) < 12 else None)
    panel.set_ylim(bottom=0)
    panel.set(xlabel=f"{axis} (um)", ylabel="per um³")


def _correlation(panel: Axes, kinds: Mapping[str, pd.DataFrame]) -> None:
    """Correlation of blocks by distance, and the reach of the dependence that intervals allow for."""
    if "correlation" not in kinds:
        panel.set_axis_off()
        return
    panel.plot(kinds["correlation"]["at_um"], kinds["correlation"]["value"], color=COLOURS["found"], linewidth=1.2)
    reach = kinds["dependence_um"].iloc[0]
    panel.axvline(reach["value"], color=COLOURS["grey"], linewidth=1, linestyle="--")
    panel.axhline(0, color=COLOURS["grey"], linewidth=0.6)
    panel.set_title(f"dashed: blocks nearer than {reach['value']:.3g} um may be alike ({reach['note']})", fontsize=8)
    panel.set(xlabel="distance (um)", ylabel="correlation")


def _crop(centre_nm: np.ndarray, volume: Volume) -> tuple[int, slice, slice]:
    at = np.clip((centre_nm / np.array(volume.voxel_nm)).astype(int), 0, np.array(volume.shape) - 1)
    box = [int(at[0])]
    for position, length, size in zip(at[1:], volume.shape[1:], volume.voxel_nm[1:]):
        side = min(round(CROP_NM / size), length)
        low = int(np.clip(position - side // 2, 0, length - side))
        box.append(slice(low, low + side))
    return tuple(box)


def _show(panel: Axes, image: np.ndarray, voxel_nm: Sequence[float]) -> None:
    low, high = np.percentile(image, [0.5, 99.5])
    panel.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1), aspect=voxel_nm[1] / voxel_nm[2])
    panel.set_axis_off()


def _outline(panel: Axes, mask: np.ndarray, colour: str, width: float = 1.0) -> None:
    if mask.any():
        panel.contour(mask.astype(float), [0.5], colors=colour, linewidths=width)


def _paint(panel: Axes, section: np.ndarray) -> None:
    ids = np.unique(section[section > 0]).astype(np.int64)
    palette = plt.get_cmap("tab20")(np.arange(20))
    painted = np.zeros((*section.shape, 4))
    inside = section > 0
    # neighbours in raster order get colours far apart
    painted[inside] = palette[(np.searchsorted(ids, section[inside]) * 7) % 20]
    painted[inside, 3] = 0.75
    panel.imshow(painted, interpolation="nearest")


def _scale_bar(panel: Axes, length_nm: float, voxel_nm: Sequence[float]) -> None:
    low, high = panel.get_xlim()
    bottom = max(panel.get_ylim())
    length = length_nm / voxel_nm[2]
    left = low + 0.04 * (high - low)
    panel.plot([left, left + length], [0.96 * bottom] * 2, color="white", linewidth=3, solid_capstyle="butt")


def _legend(figure: plt.Figure, with_truth: bool) -> None:
    entries = {"found": COLOURS["found"], **({"truth": COLOURS["truth"]} if with_truth else {})}
    handles = [Line2D([], [], color=colour, label=name) for name, colour in entries.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def centres_nm(labels: np.ndarray, voxel_nm: Sequence[float]) -> np.ndarray:
    """Centres (N, 3) in nm of objects numbered from 1."""
    at = np.nonzero(labels)
    ids = labels[at]
    counts = np.bincount(ids)[1:]
    sums = [np.bincount(ids, axis + 0.5)[1:] * size for axis, size in zip(at, voxel_nm)]
    return np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None]


def tables_by_volume(blocks: pd.DataFrame | None, imported: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The blocks of each volume of this run, and the tables counted elsewhere."""
    own = dict(iter(blocks.groupby("volume"))) if blocks is not None else {}
    return {**own, **imported}
