"""Figures of the census draw what the tables say, and empty tables too."""

import json

import pandas as pd
import pytest

from spinome.report.census import draw_all, draw_classes, draw_partners, draw_sizes, draw_specimen, draw_volumes


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


ROW = {"cell_class": "excitatory", "partner_class": "", "n": 10, "cells": 9, "unit": "fraction", "reference": ""}


def markers(axes):
    return [(line.get_marker(), float(line.get_xdata()[0])) for line in axes.lines if line.get_marker() in ("o", "D")]


def test_classes_show_measured_points_single_cells_and_published_diamonds():
    classes = pd.DataFrame(
        [
            {**ROW, "measure": "input_on_spine", "value": 0.6, "ci_low": 0.5, "ci_high": 0.7},
            {**ROW, "measure": "input_on_spine", "value": 0.7, "reference": "paper"},
            {**ROW, "measure": "spines_per_cell", "value": 5, "ci_low": 5, "ci_high": 5},
            {**ROW, "measure": "output_on_spine", "value": 0.2},
            {**ROW, "measure": "output_on_spine", "value": 0.8, "partner_class": "excitatory"},
        ]
    )
    counts = pd.DataFrame(
        {"cell_class": "L2/3", "broad_class": "excitatory", "measure": "multi_input", "part": 2.0, "whole": [20.0, 2]}
    )
    left, middle, right = draw_classes(classes, counts).axes
    assert sorted(markers(left)) == [("D", 0.7), ("o", 0.6)]
    assert markers(middle) == [("o", 0.8)]
    assert markers(right) == [("o", 0.1)]
    assert left.get_yticklabels()[0].get_text() == "excitatory\n9 cells"
    assert len(draw_classes(classes.iloc[:1], counts).axes) == 2
    draw_classes(classes.iloc[:0], counts.iloc[:0])


def test_partners_show_the_fraction_and_the_number_of_each_pair_there_is():
    pair = {**ROW, "measure": "input_on_spine"}
    classes = pd.DataFrame(
        [
            {**pair, "partner_class": "inhibitory", "value": 0.25, "n": 1200},
            {**pair, "partner_class": "excitatory", "value": 0.8},
            {**pair, "partner_class": "excitatory", "value": 0.9, "cell_class": "L4"},
            {**pair, "value": 0.7},
        ]
    )
    axes = draw_partners(classes).axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.90\n10", "0.80\n10", "0.25\n1,200"]


def test_sizes_count_a_track_once_and_draw_nothing_of_nothing():
    spines = pd.DataFrame(
        {"spine": ["a", "b"], "source": "twophoton", "sheet": "stacks", "track": "t", "volume_um3": [0.1, 0.3],
         "head_diameter_um": 0.5, "neck_length_um": None}
    )  # fmt: skip
    labels = [text.get_text() for text in draw_sizes(spines).legends[0].get_texts()]
    assert labels == ["two-photon (n = 1)"]
    assert not draw_sizes(spines.iloc[:0]).legends


def listed(folder):
    index = folder / "figures.json"
    return [entry["name"] for entry in json.loads(index.read_text())] if index.exists() else []


def test_every_figure_that_there_is_something_to_see_of_is_drawn_in_order(tmp_path, seen):
    spines = pd.DataFrame(
        {"spine": ["a"], "source": "neurons", "sheet": "neurons", "track": None, "volume_um3": 0.1,
         "head_diameter_um": 0.5, "neck_length_um": 0.4}
    )  # fmt: skip
    pair = {**ROW, "measure": "input_on_spine", "value": 0.6, "ci_low": 0.5, "ci_high": 0.7}
    counts = pd.DataFrame(columns=["cell", "cell_class", "broad_class", "measure", "part", "whole"])
    draw_all(tmp_path / "all", spines, seen, pd.DataFrame([pair, {**pair, "partner_class": "excitatory"}]), counts)
    assert listed(tmp_path / "all") == ["specimen_p", "volumes", "classes", "partners", "sizes"]
    draw_all(tmp_path / "alone", spines, None, pd.DataFrame([pair]), counts)
    assert listed(tmp_path / "alone") == ["classes", "sizes"]
    draw_all(tmp_path / "none", spines.iloc[:0])
    assert (tmp_path / "none").is_dir() and listed(tmp_path / "none") == []
