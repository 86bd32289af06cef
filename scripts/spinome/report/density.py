"""Figures of synapse densities: map, profiles and likeness of blocks, and what a mask hides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from spinome.colours import COLOURS
from spinome.io.volumes import Volume
from spinome.report.scale_bar import scale_bar
from spinome.report.style import plt, save_figure, show_section
from spinome.synapses.density.mask import HIDDEN
from spinome.synapses.density.uniformity import count_unknown

MASK_COLOURS = ("#30638e", "#f28f3b", "#d1495b")


def draw_density(
    folder: Path, volume: str, blocks: pd.DataFrame, uniformity: pd.DataFrame, unplaced: Mapping[str, int]
) -> None:
    """Density seen along z and along x, its profiles along the three axes, and how far its dependence reaches.

    `unplaced` counts the objects that belong to no block, by the reason.
    """
    used = blocks[blocks["unmasked_um3"] > 0]
    if len(used) < 4:
        return
    lost = count_unknown(blocks)
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
        + (f"{lost:,} blocks are not known, since a cuboid of theirs failed; they are left out. " if lost else "")
        + "".join(f"{count:,} more in no block: {reason}. " for reason, count in unplaced.items())
        + _tell(kinds)
        + "Profiles: density in slabs of blocks. Trends: change from end to end by a quasi-Poisson model with the "
        "unmasked volume as exposure. All intervals are of 95 % and keep the likeness of neighbouring blocks.",
    )


def _tell(kinds: Mapping[str, pd.DataFrame]) -> str:
    """What the table of uniformity says of the whole volume."""
    told = []
    for statistic, words in (
        ("density_um3", "{value:.3g} found per um³ ({interval})"),
        ("true_density_um3", "{value:.3g} true ones per um³ ({interval}; {note})"),
        ("dispersion", "Pearson dispersion {value:.2f}"),
        ("morans_i", "Moran's I {value:.2f}"),
        ("uniformity", "smooth unevenness {value:.1f} times that of an even density, p {p:.2g} ({note})"),
    ):
        if statistic in kinds and np.isfinite(kinds[statistic]["value"].iloc[0]):
            row = kinds[statistic].iloc[0]
            known = np.isfinite(row["ci_low"])
            interval = f"{row['ci_low']:.3g} to {row['ci_high']:.3g}" if known else "too few blocks for an interval"
            told.append(words.format(interval=interval, **row))
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
        show_section(panel, image[z], image.voxel_nm)
        for number, colour in zip(HIDDEN.values(), MASK_COLOURS):
            painted = np.zeros((*cells[z].shape, 4))
            painted[cells[z] == number] = (*to_rgb(colour), 0.55)
            panel.imshow(painted, interpolation="nearest", aspect=image.voxel_nm[1] / image.voxel_nm[2])
        panel.set_title(f"{(z + 0.5) * image.voxel_nm[0] / 1000:.3g} um deep")
    scale_bar(panels[0, 0], image.voxel_nm[2])
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
        "Cells that are blank, and large bodies brighter or darker than the tissue (vessels, somata), by simple rules. "
        "No synapse is counted there, and the volume does not count as searched.",
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


def tables_by_volume(blocks: pd.DataFrame | None, imported: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The blocks of each volume of this run, and the tables counted elsewhere."""
    own = dict(iter(blocks.groupby("volume"))) if blocks is not None else {}
    return {**own, **imported}
