"""Figures of how synapses are detected."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from spinome.colours import COLOURS
from spinome.report.style import plt, save_figure


def draw_sweep(folder: Path, sweep: pd.DataFrame) -> None:
    """The published operating curve, and what its points are worth when objects are matched one to one.

    Parameters
    ----------
    sweep : what `spinome.synapses.training.published_sweep.operating_curve` returns
    """
    curve = sweep[sweep["on_curve"]].sort_values("published_recall")
    chosen = sweep[sweep["chosen"]].iloc[0]
    figure, panel = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
    panel.plot(sweep["recall"], sweep["precision"], ".", markersize=3, color=COLOURS["grey"], alpha=0.4)
    panel.plot(curve["published_recall"], curve["published_precision"], color=COLOURS["false"], label="as published")
    panel.plot(curve["recall"], curve["precision"], "o", markersize=3, color=COLOURS["truth"], label="one to one")
    panel.plot(chosen["published_recall"], chosen["published_precision"], "s", color=COLOURS["false"])
    panel.plot(chosen["recall"], chosen["precision"], "s", color=COLOURS["truth"])
    panel.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall", ylabel="precision")
    panel.set_title(f"F1 {chosen['published_f1']:.2f} as published, {chosen['f1']:.2f} one to one")
    panel.legend(loc="lower left")
    save_figure(
        figure,
        folder,
        "published_sweep",
        "The published sweep of thresholds and size rules",
        f"{len(sweep):,} combinations. Line: the operating curve as the published evaluation counts (10 shared voxels "
        "are a hit), which one object made of all membranes would satisfy. Dots: the same combinations matched one to "
        "one, which is what counts; grey: all others. Squares: the combination that the published evaluation chooses.",
    )
