"""Film strips: every spine of a series, session by session, small enough to check a hundred of them in a minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from scipy import ndimage

from spinome.colours import COLOURS
from spinome.columns import POSITION
from spinome.twophoton.registered import RegisteredStack

# side of a frame in um and in pixels, the border around it, and room for the number in front of a strip
FRAME_UM, FRAME_PX, BORDER_PX, LABEL_PX = 3.6, 38, 2, 54
# as many blocks of strips stand beside each other as fit into this width; more strips than this are not shown
WIDTH_PX, MOST = 1300, 120
DPI = 110
# borders of frames: what became of the spine
BORDERS = {
    "gained": COLOURS["soma"],
    "lost": COLOURS["spine"],
    "missed": "#e0a030",
    "by hand": COLOURS["truth"],
    "not found": "0.45",
}


@dataclass(frozen=True)
class Frame:
    """One frame of a strip: the place (z, y, x) in um that it is centred on, and a key of `BORDERS` or nothing."""

    place_um: np.ndarray
    mark: str


def least_sure(spines: pd.DataFrame, links: pd.DataFrame) -> list[int]:
    """The tracks of a series beside a dendrite in the order in which a person should look at them.

    First those of several sessions, by their least probable link; then those of a single one, by their score, as a
    spine that came and went is doubted the more the more it looks like one.
    """
    beside = spines[spines["dendrite"] >= 0]
    weakest = links.loc[links["spine"].isin(beside["spine"])].groupby("spine")["probability"].min().sort_values()
    single = beside[~beside["spine"].isin(weakest.index)].sort_values("score", ascending=False, kind="stable")
    return [*weakest.index, *dict.fromkeys(single["spine"])]


def frames(spine: int, spines: pd.DataFrame, timepoints: list[str]) -> list[Frame]:
    """Where a spine is in each session, and where its neighbours place it in sessions in which it was not found."""
    track = spines[spines["spine"] == spine].set_index("timepoint")
    out = []
    for timepoint in timepoints:
        if timepoint not in track.index:
            out.append(Frame(_between(track, spines, timepoint, timepoints), "not found"))
            continue
        row = track.loc[timepoint]
        mark = "gained" if row["origin"] == "gained" else "lost" if row["fate"] == "lost" else ""
        if mark and row.get(f"{mark}_probability", 1.0) < 0.5:
            mark = "missed"
        out.append(Frame(row[POSITION].to_numpy(float), "by hand" if row["corrected"] else mark))
    return out


def draw_strips(
    stacks: Iterable[RegisteredStack],
    titles: list[str],
    spines: pd.DataFrame,
    links: pd.DataFrame,
    timepoints: list[str],
) -> plt.Figure:
    """One strip a spine, the least sure first, in blocks beside each other.

    Parameters
    ----------
    stacks, titles, timepoints : stack, title and timepoint of each session, in order; stacks are taken one after the
        other and none is held, so that a series may be of any length
    spines, links : tables of the series
    """
    chosen = least_sure(spines, links)[:MOST]
    side = FRAME_PX + 2 * BORDER_PX
    block = LABEL_PX + side * len(timepoints)
    blocks = int(np.clip(WIDTH_PX // block, 1, len(chosen)))
    rows = -(-len(chosen) // blocks)
    sheet = np.ones((rows * side, blocks * block, 3), np.float32)
    strips = [frames(spine, spines, timepoints) for spine in chosen]
    for column, stack in enumerate(stacks):
        bright = float(np.percentile(stack.voxels.max(axis=0), 99.5))
        for number, strip in enumerate(strips):
            frame, top = strip[column], number % rows * side
            x = number // rows * block + LABEL_PX + column * side
            sheet[top : top + side, x : x + side] = to_rgb(BORDERS[frame.mark]) if frame.mark else 1.0
            inner = _cut(stack, frame.place_um, bright) * (0.6 if frame.mark == "not found" else 1.0)
            y, x = top + BORDER_PX, x + BORDER_PX
            sheet[y : y + FRAME_PX, x : x + FRAME_PX] = inner[..., None]
    return _figure(sheet, chosen, links, titles, rows, block, side)


def _figure(sheet, chosen, links, titles, rows, block, side) -> plt.Figure:
    height, width = sheet.shape[:2]
    figure = plt.figure(figsize=(width / DPI, (height + 40) / DPI), dpi=DPI)
    axis = figure.add_axes((0, 0, 1, height / (height + 40)))
    axis.imshow(sheet, interpolation="nearest")
    axis.axis("off")
    weakest = links.groupby("spine")["probability"].min()
    for number, spine in enumerate(chosen):
        x, y = number // rows * block + LABEL_PX - 4, (number % rows + 0.5) * side
        sure = f"\n{weakest[spine]:.2f}" if spine in weakest.index else ""
        axis.text(x, y, f"{spine}{sure}", ha="right", va="center", fontsize=6, linespacing=1.1)
    for first in range(0, sheet.shape[1], block):
        for column, title in enumerate(titles):
            axis.text(first + LABEL_PX + (column + 0.5) * side, -5, title, ha="center", va="bottom", fontsize=6)
    handles = [Line2D([], [], color=colour, lw=3, label=name) for name, colour in BORDERS.items()]
    figure.legend(handles=handles, loc="upper right", ncols=4, fontsize=6, borderpad=0.1)
    return figure


def _between(track: pd.DataFrame, spines: pd.DataFrame, timepoint: str, timepoints: list[str]) -> np.ndarray:
    """Where an unseen spine should be: its place in the nearest session, moved as its neighbours moved."""
    order = {name: index for index, name in enumerate(timepoints)}
    near = min(track.index, key=lambda name: abs(order[name] - order[timepoint]))
    start = track.loc[near, POSITION].to_numpy(float)
    here, there = (spines[spines["timepoint"] == name].set_index("spine")[POSITION] for name in (timepoint, near))
    both = here.index.intersection(there.index)
    if not len(both):
        return start
    distance = np.linalg.norm(there.loc[both].to_numpy(float) - start, axis=1)
    close = both[np.argsort(distance)[:5]]
    return start + (here.loc[close] - there.loc[close]).median().to_numpy(float)


def _cut(stack: RegisteredStack, place_um: np.ndarray, bright: float) -> np.ndarray:
    """A square of `FRAME_UM` around a place, the brightest of three slices, in grey values from 0 to 1."""
    z = int(np.clip(round(place_um[0] / stack.voxel_um[0]), 0, len(stack.voxels) - 1))
    steps = (np.arange(FRAME_PX) - (FRAME_PX - 1) / 2) * FRAME_UM / FRAME_PX
    rows, columns = ((place + steps) / size for place, size in zip(place_um[1:], stack.voxel_um[1:]))
    y, x = (np.clip([line.min() - 2, line.max() + 3], 0, size).astype(int)
            for line, size in zip((rows, columns), stack.voxels.shape[1:]))  # fmt: skip
    image = stack.voxels[max(0, z - 1) : z + 2, slice(*y), slice(*x)].max(axis=0, initial=0).astype(np.float32)
    if 0 in image.shape:
        return np.zeros((FRAME_PX, FRAME_PX), np.float32)
    grid = np.meshgrid(rows - y[0], columns - x[0], indexing="ij")
    patch = ndimage.map_coordinates(image, grid, order=1, mode="constant")
    low = float(np.percentile(patch, 20))
    high = max(0.85 * float(np.percentile(patch, 99.5)), low + 0.3 * (bright - low), low + 1e-6)
    return np.clip((patch - low) / (high - low), 0, 1) ** 0.6
