import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from made_tables import made_spines, made_turnover
from spinome.compare.design import make_design
from spinome.compare.formula import parse
from spinome.compare.inference import corrected, doubt, freedom, separated, t_interval
from spinome.compare.mixed import Fit


def found(table, formula, slopes=0.2, **more):
    """A design and its degrees of freedom where each intercept has a spread of 0.3 and each slope the given one."""
    design = make_design(table, parse(formula), **more)
    effects = design.matrix.shape[1]
    spread = np.array([0.3] * len(design.codes) + [slopes] * len(design.slopes))
    return design, freedom(design, Fit(np.zeros(effects), np.eye(effects), spread, 1.0))


def test_an_effect_between_animals_has_the_freedom_of_animals():
    _, ours = found(made_spines(animals=6, spines=200), "volume ~ condition + (1 | animal/dendrite)")
    assert list(ours.df) == [4, 4]


def test_an_effect_within_dendrites_has_the_freedom_of_rows_unless_its_slope_differs():
    table = made_spines(animals=6, dendrites=3, spines=10)
    table["depth_um"] = np.arange(len(table)) % 10.0
    formula = "volume ~ condition + depth_um + (1 | animal/dendrite)"
    _, aside = found(table, formula, terms=["condition"])
    # 180 rows in 18 dendrites, less one slope
    assert list(aside.df) == [4, 4, 161]
    _, asked = found(table, formula)
    assert list(asked.df) == [4, 4, 5]


def test_an_effect_of_dendrites_has_the_freedom_of_dendrites():
    table = made_spines(animals=6, dendrites=3)
    table["apical"] = table["dendrite"] == 0
    _, ours = found(table, "volume ~ condition + apical + (1 | animal/dendrite)", terms=["condition"])
    # 18 dendrites in 6 animals, less one effect
    assert list(ours.df) == [4, 4, 11]


def test_slopes_and_their_differences_have_the_freedom_of_animals():
    _, ours = found(made_turnover(animals=8), "lost/spines ~ condition * day + (1 | animal/field)")
    assert list(ours.df) == [6, 6, 6, 6]


def test_slopes_without_a_spread_are_measured_within():
    # 96 rows in 24 fields, less the two slopes
    _, ours = found(made_turnover(animals=8), "lost/spines ~ condition * day + (1 | animal/field)", slopes=0.0)
    assert list(ours.df) == [6, 6, 70, 70]


def test_the_interval_of_four_degrees_of_freedom():
    # the table of Student's t has 2.776 for 4 degrees of freedom
    low, high, p_value = t_interval(2.776, 1.0, 4)
    assert (low, high) == pytest.approx((0, 5.552), abs=1e-3) and p_value == pytest.approx(0.05, abs=1e-4)
    assert np.isnan(t_interval(1.0, 1.0, 0)).all() and np.isnan(t_interval(1.0, np.nan, 5)).all()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (made_spines(animals=4), "4 of animal are too few"),
        (made_spines(animals=6), ""),
        (
            made_spines(animals=6).assign(condition=lambda t: np.where(t["animal"] == "m0", "treated", "control")),
            "one unit",
        ),
    ],
)
def test_what_few_units_cannot_tell(table, told):
    design, ours = found(table, "volume ~ condition")
    assert told in doubt(design, ours, 1) and bool(told) == bool(doubt(design, ours, 1))


def test_groups_without_events_are_separated():
    table = made_turnover()
    design = make_design(table, parse("lost/spines ~ condition"))
    assert separated(design) == []
    for lost in (0, table["spines"]):
        table["lost"] = np.where(table["condition"] == "treated", lost, table["lost"])
        assert separated(make_design(table, parse("lost/spines ~ condition"))) == [1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_are_those_of_statsmodels(values):
    holm, hochberg = corrected(pd.Series([*values, np.nan]))
    assert holm[:-1].to_numpy() == pytest.approx(multipletests(values, method="holm")[1])
    assert hochberg[:-1].to_numpy() == pytest.approx(multipletests(values, method="fdr_bh")[1])
    assert np.isnan([holm.iloc[-1], hochberg.iloc[-1]]).all()
