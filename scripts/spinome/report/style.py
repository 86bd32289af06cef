"""One look for every figure, and the folder a branch hands to the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# a distribution is drawn of so many rows; of a larger table they are taken at even distances
MOST_ROWS = 500_000

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


def tell_sample(shown: int, rows: int | None) -> str:
    """Words on a figure that is drawn of a sample of the rows of a table; empty where it is drawn of all."""
    return f" Drawn of {shown:,} of {rows:,} rows, at even distances." if rows and rows > shown else ""


def show_section(axes: plt.Axes, image: np.ndarray, voxel_nm: Sequence[float]) -> None:
    """Show a section (Y, X) of a volume in grey, from its 0.5th to its 99.5th percentile, in true proportions."""
    low, high = np.percentile(image, [0.5, 99.5])
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1), aspect=voxel_nm[1] / voxel_nm[2])
    axes.set_axis_off()
