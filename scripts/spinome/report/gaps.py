"""How figures show what is not known of a volume."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle


def hatch_gaps(panel: Axes, gaps: pd.DataFrame, section: int) -> None:
    """Hatch what is not known of a section: its gaps (`spinome.gaps.gap_table`)."""
    for gap in gaps[(gaps["z0"] <= section) & (section < gaps["z1"])].itertuples():
        corner, width, height = (gap.x0 - 0.5, gap.y0 - 0.5), gap.x1 - gap.x0, gap.y1 - gap.y0
        panel.add_patch(Rectangle(corner, width, height, fill=False, hatch="//", edgecolor="white", linewidth=0.8))


def tell_gaps(gaps: pd.DataFrame | None) -> str:
    """What a caption says of the gaps of a volume."""
    if gaps is None or gaps.empty:
        return ""
    return f" {len(gaps)} cuboid{'s' if len(gaps) > 1 else ''} failed: nothing is known of them (hatched)."
