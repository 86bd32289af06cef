"""Figure of the training of a synapse classifier: sections of everything that it learnt from, side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from spinome.colours import COLOURS
from spinome.io.volumes import Volume
from spinome.report.scale_bar import scale_bar
from spinome.report.style import plt, save_figure, show_section

# nm of a section that is shown, and panels in a row
SIDE_NM, ROW = 2000.0, 4


def draw_lessons(
    folder: str | Path, volumes: Mapping[str, tuple[Volume, Volume]], taught: Collection[str] = ()
) -> None:
    """Save a piece of the section with most synapse of each training volume, synapses outlined.

    Parameters
    ----------
    volumes : by name, image and truth
    taught : those whose truth is what another network finds; they come last
    """
    names = sorted(volumes, key=lambda name: name in taught)
    rows = -(-len(names) // ROW)
    figure, panels = plt.subplots(rows, ROW, figsize=(11, 2.9 * rows), squeeze=False, layout="constrained")
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, name in zip(panels.flat, names):
        image, truth = volumes[name]
        shown, marked = piece(image, truth)
        show_section(panel, shown, image.voxel_nm)
        if marked.any():
            panel.contour(marked, [0.5], colors=COLOURS["truth"], linewidths=0.8)
        scale_bar(panel, image.voxel_nm[2])
        panel.set_title(f"{name}, labelled by a network" if name in taught else name, fontsize=8)
    save_figure(
        figure,
        folder,
        "lessons",
        "What the synapse classifier learnt from",
        f"The section with most synapse of each training volume, {SIDE_NM / 1000:g} um wide or all of it. Synapses are "
        "outlined.",
    )


def piece(image: Volume, truth: Volume) -> tuple[np.ndarray, np.ndarray]:
    """The square around the synapses of the section that has most of them: grey values, and truth as 0 and 1."""
    inside = truth[:] > 0
    z = int(inside.sum(axis=(1, 2)).argmax())
    box = []
    for axis, (length, size) in enumerate(zip(image.shape[1:], image.voxel_nm[1:])):
        at = np.nonzero(inside[z].any(axis=1 - axis))[0]
        middle = int(np.median(at)) if len(at) else length // 2
        side = min(round(SIDE_NM / size), length)
        low = int(np.clip(middle - side // 2, 0, length - side))
        box.append(slice(low, low + side))
    return image[z][tuple(box)], inside[z][tuple(box)].astype(float)
