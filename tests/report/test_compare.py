import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from made_tables import made_counts, made_spines
from spinome.compare.errors import Rate
from spinome.compare.fit import Comparison, fit
from spinome.compare.tables import correct, join, read_schema
from spinome.report.compare import draw_all, draw_comparison
from spinome.report.page import read_figures
from spinome.report.summaries import summarise_comparisons

SCHEMA = read_schema(Path(__file__).parents[2] / "workflow" / "schemas" / "compare.schema.yaml")


@pytest.fixture(scope="module")
def compared():
    made = [
        fit(
            made_counts(effect=-0.4),
            Comparison("density", "t", "spines/length_um ~ condition", rates=[Rate("precision", 0.8, 100)]),
        ),
        fit(made_spines(animals=4), Comparison("few", "t", "volume ~ condition")),
        fit(made_spines(), Comparison("wrong", "t", "volume ~ sex")),
    ]
    effects, points, plans = zip(*made)
    names = ("comparisons", "points", "plans")
    tables = {name: join(parts, SCHEMA[name]) for name, parts in zip(names, (effects, points, plans))}
    return tables | {"comparisons": correct(tables["comparisons"])}


def test_every_point_of_the_table_is_drawn(compared):
    effects = compared["comparisons"].query("comparison == 'density'")
    points = compared["points"].query("comparison == 'density'")
    figure = draw_comparison(effects, points)
    left, right = figure.axes
    drawn = np.concatenate([line.get_ydata() for line in left.lines if line.get_marker() == "o"])
    assert sorted(drawn) == pytest.approx(sorted(points["value"]))
    ends = [sorted(line.get_xdata()) for line in right.lines if len(line.get_xdata()) == 2 and line.get_ls() == "-"]
    row = effects.iloc[0]
    assert ends == [
        pytest.approx([row["effect_low"], row["effect_high"]]),
        pytest.approx([row["carried_low"], row["carried_high"]]),
    ]
    assert "with the machine's error" in [text.get_text() for text in figure.legends[0].texts]
    plt.close(figure)


def test_a_logarithm_is_turned_back():
    table = made_spines(animals=6)
    effects, points, _ = fit(table, Comparison("size", "t", "log(size_um3) ~ condition"))
    figure = draw_comparison(effects, points)
    assert figure.axes[0].get_ylabel() == "size_um3, geometric mean"
    means = np.exp(np.log(table["size_um3"]).groupby(table["animal"]).mean())
    assert sorted(points["value"]) == pytest.approx(sorted(means))
    plt.close(figure)


def test_figures_come_as_png_and_svg_with_their_table(compared, tmp_path):
    draw_all(tmp_path, compared["comparisons"], compared["points"])
    # of what could not be compared there are no points
    assert [figure.name for figure in read_figures(tmp_path)] == ["density", "few"]
    assert ElementTree.parse(tmp_path / "density.svg").getroot().tag.endswith("svg")
    assert len(pd.read_csv(tmp_path / "density.csv")) == 8


def test_a_doubt_is_in_the_caption(compared, tmp_path):
    draw_all(tmp_path, compared["comparisons"], compared["points"])
    assert "4 of animal are too few" in read_figures(tmp_path)[1].caption


def test_the_report_tells_effects_notes_and_plans(compared):
    told = summarise_comparisons(compared)
    effects, notes, plans = told.values()
    assert list(effects["comparison"]) == ["density", "few"]
    assert notes.set_index("comparison")["note"]["wrong"].startswith("the table lacks the column sex")
    assert set(plans["comparison"]) == {"density", "few"}
