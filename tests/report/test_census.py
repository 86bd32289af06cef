"""Figures of the census draw what the tables say, and empty tables too."""

import pandas as pd
import pytest

from spinome.census.published import published
from spinome.report.census import draw_classes, draw_sizes, draw_specimen, draw_volumes


@pytest.fixture
def seen():
    return pd.DataFrame(
        {
            "view": ["neurons"] * 3 + ["chain"],
            "specimen": "p",
            "found": ["a", None, "b", None],
            "volume_um3": 0.1,
            "found_volume_um3": [0.1, None, 0.12, None],
            "head_x_um": [1.0, 2, 3, 1],
            "head_y_um": 1.0,
            "base_x_um": [1.0, 2, 3, 1],
            "base_y_um": 0.0,
        }
    )


def test_a_specimen_has_one_panel_a_view_with_its_counts(seen):
    titles = [axes.get_title(loc="left") for axes in draw_specimen(seen, "p").axes]
    assert titles == ["EM, meshed segments: 0 of 1 true spines found", "mesh: 2 of 3 true spines found"]


def test_volumes_show_the_spines_that_were_found(seen):
    (axes,) = draw_volumes(seen).axes
    assert list(axes.lines[1].get_xdata()) == [0.1, 0.1]
    draw_volumes(seen.iloc[:0])


def test_classes_show_measured_points_and_published_diamonds():
    row = {"cell_class": "excitatory", "pre_class": "", "n": 10, "cells": 2, "unit": "fraction", "reference": ""}
    measured = pd.DataFrame(
        [
            {**row, "measure": "input_on_spine", "value": 0.6, "ci_low": 0.5, "ci_high": 0.7},
            {**row, "measure": "spines_per_cell", "value": 5, "ci_low": 5, "ci_high": 5},
        ]
    )
    figure = draw_classes(pd.concat([measured, published()]))
    left = figure.axes[0]
    points = {line.get_marker(): float(line.get_xdata()[0]) for line in left.lines if line.get_marker() in ("o", "D")}
    assert points["o"] == 0.6
    assert left.get_yticklabels()[0].get_text() == "excitatory\n2 cells"
    assert 0.703 in [float(line.get_xdata()[0]) for line in left.lines if line.get_marker() == "D"]


def test_sizes_count_a_track_once_and_draw_nothing_of_nothing():
    spines = pd.DataFrame(
        {"spine": ["a", "b"], "source": "twophoton", "sheet": "stacks", "track": "t", "volume_um3": [0.1, 0.3],
         "head_diameter_um": 0.5, "neck_length_um": None}
    )  # fmt: skip
    labels = [text.get_text() for text in draw_sizes(spines).legends[0].get_texts()]
    assert labels == ["two-photon (n = 1)"]
    assert not draw_sizes(spines.iloc[:0]).legends
