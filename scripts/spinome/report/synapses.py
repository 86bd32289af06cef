"""Figures of the synapses branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from spinome.colours import COLOURS
from spinome.io.volumes import Volume
from spinome.report.density import draw_density, draw_mask
from spinome.report.gaps import hatch_gaps, tell_gaps
from spinome.report.scale_bar import scale_bar
from spinome.report.style import plt, save_figure, show_section
from spinome.report.synapse_detection import draw_sweep
from spinome.scores.objects import Matched, average_precision, pool, precision_recall_curve, precision_recall_f1
from spinome.synapses.density.blocks import count_unplaced
from spinome.synapses.objects.evaluate import compare, known_objects

CROP_NM = 1000.0


@dataclass(frozen=True)
class Found:
    """The synapses of a volume as they are drawn.

    Attributes
    ----------
    labels, objects, gaps : its label volume, and its rows of `synapses/objects.parquet` and of `synapses/gaps.parquet`
    detected : whether they were found in the image, or given
    image, truth : its grey values and true synapses, None where it has none
    mask : the overview that its mask was made from, and what is hidden in it
    """

    labels: Volume
    objects: pd.DataFrame
    gaps: pd.DataFrame
    detected: bool
    image: Volume | None = None
    truth: Volume | None = None
    mask: tuple[Volume, Volume] | None = None


def draw_all(
    folder: Path,
    found: Mapping[str, Found],
    blocks: Mapping[str, pd.DataFrame],
    uniformity: pd.DataFrame,
    candidates: pd.DataFrame | None,
    sweep: pd.DataFrame | None,
    cuboid: tuple[int, int, int],
) -> None:
    """Draw the figures of the branch into a folder.

    Parameters
    ----------
    found : by volume
    blocks : by volume or by name of a table that was counted elsewhere
    uniformity : `synapses/uniformity.parquet`
    candidates, sweep : `synapses/candidates.parquet` where there is a truth, `synapses/sweep.tsv` where the sweep ran
    cuboid : voxels (z, y, x), whose borders are drawn
    """
    outcomes = [outcome for volume, own in found.items() if (outcome := _draw_volume(folder, volume, own, cuboid))]
    if sweep is not None:
        draw_sweep(folder, sweep)
    if outcomes and candidates is not None:
        draw_precision_recall(folder, pool(outcomes), candidates)
    for name, table in blocks.items():
        unplaced = count_unplaced(found[name].objects) if name in found else {}
        draw_density(folder, name, table, uniformity[uniformity["volume"] == name], unplaced)


def _draw_volume(folder: Path, volume: str, found: Found, cuboid: tuple[int, int, int]) -> Matched | None:
    """Draw one volume; what became of its synapses comes back where there is a truth."""
    image, labels, truth, objects, gaps = found.image, found.labels, found.truth, found.objects, found.gaps
    outcome = None
    if found.detected and (len(objects) or len(gaps)):
        draw_sections(folder, volume, image, labels, objects, truth, gaps)
    if truth:
        outcome = compare(truth, labels, objects, gaps).result
        true, _, known, _ = known_objects(truth, labels, objects, gaps)
        centres, places = centres_nm(true, labels.voxel_nm), known[["z_nm", "y_nm", "x_nm"]].to_numpy()
        draw_gallery(folder, volume, image, labels, truth, outcome, places, centres)
    if found.mask:
        draw_mask(folder, volume, *found.mask)
    if image:
        draw_merge(folder, volume, image, labels, objects, cuboid)
    return outcome


def draw_sections(
    folder: Path,
    volume: str,
    image: Volume,
    labels: Volume,
    objects: pd.DataFrame,
    truth: Volume | None,
    gaps: pd.DataFrame | None = None,
) -> None:
    """Two whole sections with synapses outlined, the richest in objects of either half of the depth, gaps hatched."""
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
        show_section(panel, image[z], image.voxel_nm)
        if truth is not None:
            _outline(panel, truth[z] > 0, COLOURS["truth"], 2.4)
        _outline(panel, labels[z] > 0, COLOURS["found"])
        if gaps is not None:
            hatch_gaps(panel, gaps, z)
        panel.set_title(f"section {z + 1} of {depth}")
        scale_bar(panel, image.voxel_nm[2])
    _legend(figure, truth is not None)
    save_figure(
        figure,
        folder,
        f"sections_{volume}",
        f"Synapses in {volume}",
        f"{len(objects)} synapses found in the whole volume. "
        + ("Found and true synapses are outlined." if truth is not None else "Found synapses are outlined.")
        + tell_gaps(gaps),
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
            show_section(panel, image[box], image.voxel_nm)
            _outline(panel, truth[box] > 0, COLOURS["truth"], 2.4)
            _outline(panel, labels[box] > 0, COLOURS["found"])
        scale_bar(row[0], image.voxel_nm[2])
        row[0].set_title(f"{kind}: {len(centres)}", color=COLOURS[kind])
    _legend(figure, True)
    save_figure(
        figure,
        folder,
        f"gallery_{volume}",
        f"Found, missed and false synapses in {volume}",
        "The section through the centre of each, evenly spaced in the order of the tables. Each found "
        "object answers for one true synapse at most.",
    )


def draw_precision_recall(folder: Path, result: Matched, candidates: pd.DataFrame) -> None:
    """Precision and recall of all candidates taken by their rank, and of the objects that are kept."""
    ranked = Matched(candidates["rank"].to_numpy(), candidates["true"].to_numpy(), result.truth_found)
    precision, recall = precision_recall_curve(ranked)
    at_precision, at_recall, f1 = precision_recall_f1(result)
    figure, panel = plt.subplots(figsize=(4.2, 3.8), layout="constrained")
    panel.step(recall, precision, where="post", color=COLOURS["found"])
    panel.plot(at_recall, at_precision, "o", color=COLOURS["found"], label=f"operating point, F1 {f1:.2f}")
    # the point that the case study reports, on other data
    panel.plot(0.62, 0.69, "s", color=COLOURS["grey"], label="published, other data")
    panel.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall", ylabel="precision")
    panel.set_title(f"average precision {average_precision(ranked):.2f}, {len(result.truth_found)} true synapses")
    panel.legend(loc="lower left")
    save_figure(
        figure,
        folder,
        "precision_recall",
        "Precision and recall of synapses",
        "Line: all candidates above the threshold, the likeliest first. Dot: the objects that the rules "
        "keep. Both are matched one to one with the truth, pooled over the volumes that were not trained on.",
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
        show_section(panel, image[(z, *part)], labels.voxel_nm)
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
    scale_bar(whole, labels.voxel_nm[2])
    scale_bar(close, labels.voxel_nm[2])
    whole.set_title(f"section {z + 1}; dashed: borders of cuboids")
    close.set_title(f"synapse {best['synapse']}: {best['sections']} sections, {best['volume_um3']:.4f} um³")
    save_figure(
        figure,
        folder,
        f"merge_{volume}",
        f"Objects merged across cuboids in {volume}",
        f"{len(crossing)} of {len(objects)} synapses lie in more than one cuboid; each has one colour and one id "
        "wherever the volume was cut.",
    )


def _crop(centre_nm: np.ndarray, volume: Volume) -> tuple[int, slice, slice]:
    at = np.clip((centre_nm / np.array(volume.voxel_nm)).astype(int), 0, np.array(volume.shape) - 1)
    box = [int(at[0])]
    for position, length, size in zip(at[1:], volume.shape[1:], volume.voxel_nm[1:]):
        side = min(round(CROP_NM / size), length)
        low = int(np.clip(position - side // 2, 0, length - side))
        box.append(slice(low, low + side))
    return tuple(box)


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
