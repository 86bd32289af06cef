import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower

from made_tables import made_counts, made_spines, made_turnover
from spinome.compare.design import make_design
from spinome.compare.formula import parse
from spinome.compare.mixed import Fit, fit_generalised
from spinome.compare.power import plan, row_variance, two_group_power


@pytest.mark.parametrize("effect", [0.5, 1.0, 2.0])
def test_statsmodels_finds_the_same_power(effect):
    number = np.array([3, 8, 20])
    theirs = [TTestIndPower().power(effect / 1.5, each, 0.05) for each in number]
    assert two_group_power(effect, 1.5**2, number) == pytest.approx(theirs, abs=1e-6)


def test_the_least_number_of_animals():
    design = make_design(
        made_spines(animals=6, dendrites=4, spines=10), parse("volume ~ condition + (1 | animal/dendrite)")
    )
    fit = Fit(np.zeros(2), np.eye(2), np.array([0.5, 0.4]), 1.0)
    plans = plan(design, fit, 1.0).set_index("within")
    assert (plans["unit"] == "animal").all() and (plans["within_unit"] == "animal/dendrite").all()
    for within, row in plans.iterrows():
        # spines stay ten per dendrite
        variance = 0.25 + 0.16 / within + 1 / (10 * within)
        power = two_group_power(1.0, variance, np.array([row["units_per_group"] - 1, row["units_per_group"]]))
        assert power[0] < 0.8 <= power[1]
    # more dendrites need fewer animals, but not below what animals differ by
    assert plans["units_per_group"].is_monotonic_decreasing
    assert plans["units_per_group"].iloc[-1] >= 5


def test_what_no_number_shows_is_empty():
    design = make_design(made_spines(), parse("volume ~ condition"))
    plans = plan(design, Fit(np.zeros(2), np.eye(2), np.array([1.0]), 1.0), 0.01)
    assert plans["units_per_group"].isna().all() and (plans["power"] < 0.8).all()
    assert plan(design, Fit(np.zeros(2), np.eye(2), np.array([1.0]), 1.0), 0.0).empty


@pytest.mark.parametrize(
    ("table", "formula", "variance"),
    [
        (made_counts(effect=0, rate=0.8), "spines/length_um ~ condition", lambda t: 1 / t["spines"].mean()),
        (made_turnover(share=0.3), "lost/spines ~ condition", lambda t: 1 / (t["spines"].mean() * 0.3 * 0.7)),
    ],
)
def test_counts_have_a_spread_of_their_own(table, formula, variance):
    design = make_design(table, parse(formula))
    fit = fit_generalised(design.kind, design.response, design.whole, design.matrix, design.random)
    assert row_variance(design, fit) == pytest.approx(variance(table), rel=0.1)
