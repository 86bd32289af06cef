"""The scale bar of every picture."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

LENGTHS_NM = [step * 10**power for power in (2, 3, 4, 5) for step in (1, 2, 5)]
# of the width of the picture, at most; and how far the bar is from its corner
SHARE, MARGIN = 0.25, 0.04


def scale_bar(axes: Axes, unit_nm: float, colour: str = "white") -> None:
    """Draw a bar of a round length with its name into the lower left corner, with an edge to be seen on any ground.

    Parameters
    ----------
    axes : a picture whose limits are set
    unit_nm : size of a unit of its horizontal axis
    colour : "white", or a dark one for a light ground
    """
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    width_nm = abs(right - left) * unit_nm
    length = max((length for length in LENGTHS_NM if length <= SHARE * width_nm), default=LENGTHS_NM[0])
    edge = [withStroke(linewidth=2, foreground="#00000090" if colour == "white" else "white")]
    x, y = left + MARGIN * (right - left), bottom + MARGIN * (top - bottom)
    axes.plot([x, x + length / unit_nm], [y, y], color=colour, lw=2.5, solid_capstyle="butt", path_effects=edge)
    axes.annotate(
        f"{length} nm" if length < 1000 else f"{length // 1000} µm",
        (x, y),
        (0, 3),
        textcoords="offset points",
        color=colour,
        fontsize=8,
        path_effects=edge,
    )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
