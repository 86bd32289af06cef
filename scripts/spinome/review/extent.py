"""The extent of a synapse as a person paints it: strokes of a round brush in sections, in um as places of answers are.

As text in an answer a list of strokes, each with its section `z_um`, the radius of the brush `radius_um`, and the way
of its middle `way_um`, pairs y x.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

# no answer needs more, and one of a page that went wrong must not fill the table
MOST_STROKES, MOST_POINTS, LARGEST_UM = 200, 5000, 5.0


@dataclass(frozen=True)
class Stroke:
    """A stroke in the section at `z_um`: all that lies within `radius_um` of the way (N, 2) y x of its middle."""

    z_um: float
    radius_um: float
    way_um: np.ndarray


def read_extent(text: str) -> list[Stroke]:
    """The strokes of an extent; none where the text is empty.

    Raises
    ------
    ValueError: if the text is no extent.
    """
    if not text:
        return []
    try:
        strokes = [_stroke(one) for one in json.loads(text)]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"an extent is a list of strokes with z_um, radius_um and way_um ({error})") from None
    if len(strokes) > MOST_STROKES or sum(len(stroke.way_um) for stroke in strokes) > MOST_POINTS:
        raise ValueError(f"an extent has at most {MOST_STROKES} strokes and {MOST_POINTS} points")
    return strokes


def _stroke(given: dict[str, Any]) -> Stroke:
    z_um, radius_um = float(given["z_um"]), float(given["radius_um"])
    way = np.array(given["way_um"], float)
    if way.ndim != 2 or way.shape[1] != 2 or not len(way) or not np.isfinite([z_um, radius_um, *way.ravel()]).all():
        raise ValueError("a way is pairs of numbers")
    if not 0 < radius_um <= LARGEST_UM:
        raise ValueError(f"a brush is at most {LARGEST_UM:g} um wide")
    return Stroke(z_um, radius_um, way)


def within(strokes: list[Stroke], places_um: np.ndarray, section_um: float) -> np.ndarray:
    """Which places (N, 3) z y x lie in an extent (N,): in the section of a stroke or next to it, and under its brush.

    Parameters
    ----------
    section_um : thickness of a section
    """
    inside = np.zeros(len(places_um), bool)
    for stroke in strokes:
        near = np.abs(places_um[:, 0] - stroke.z_um) <= section_um * (1 + 1e-6)
        starts, ends = stroke.way_um[:-1], stroke.way_um[1:]
        if len(stroke.way_um) == 1:
            starts = ends = stroke.way_um
        left = np.flatnonzero(near & ~inside)
        for start, along in zip(starts, ends - starts):
            off = places_um[left, 1:] - start
            share = (off @ along / max(along @ along, 1e-18)).clip(0, 1)
            inside[left] |= np.linalg.norm(off - share[:, None] * along, axis=1) <= stroke.radius_um
    return inside
