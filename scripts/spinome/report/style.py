"""One look for every figure, and the folder a branch hands to the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

plt.rcParams.update(
    {
        "figure.dpi": 110,
        "savefig.bbox": "tight",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "legend.frameon": False,
    }
)


def save_figure(figure: plt.Figure, folder: str | Path, name: str, title: str, caption: str) -> None:
    """Save a figure as `<folder>/<name>.png` and enter it, in order, into `<folder>/figures.json`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png")
    plt.close(figure)
    index = folder / "figures.json"
    entries = json.loads(index.read_text()) if index.exists() else []
    entries = [entry for entry in entries if entry["name"] != name]
    index.write_text(json.dumps([*entries, {"name": name, "title": title, "caption": caption}], indent=1))


def show_section(axes: plt.Axes, image: np.ndarray, voxel_nm: Sequence[float]) -> None:
    """Show a section (Y, X) of a volume in grey, from its 0.5th to its 99.5th percentile, in true proportions."""
    low, high = np.percentile(image, [0.5, 99.5])
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1), aspect=voxel_nm[1] / voxel_nm[2])
    axes.set_axis_off()
