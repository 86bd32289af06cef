from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from made_tables import made_counts, made_spines, made_turnover
from spinome.compare import mixed
from spinome.compare.design import make_design
from spinome.compare.formula import parse
from spinome.compare.mixed import NoEstimateError, RandomEffect, fit_generalised, fit_linear

# made tables, and what lme4 makes of them by the script beside
LME4 = Path(__file__).parent / "lme4"
CASES = {
    "volume": "log_volume ~ condition + depth_um + (1 | animal/dendrite)",
    "density": "spines/length_um ~ condition + (1 | animal/dendrite)",
    "loss": "lost/spines ~ condition * day + (1 | animal/dendrite)",
    "shape": "mushroom ~ condition + (1 | animal)",
}


def intercepts(design, units):
    return [RandomEffect.intercept(code) for name, code in zip(design.units, design.codes) if name in units]


def fitted(table, formula, **more):
    design = make_design(table, parse(formula))
    random = intercepts(design, ("animal", "animal/dendrite", "animal/field"))
    if design.kind == "linear":
        return fit_linear(design.response, design.matrix, random)
    return fit_generalised(design.kind, design.response, design.whole, design.matrix, random, **more)


@pytest.mark.parametrize("case", CASES)
def test_lme4_finds_the_same(case):
    table = pd.read_csv(LME4 / f"{case}.csv")
    if case == "shape":
        table["mushroom"] = table["mushroom"].astype(bool)
    found = fitted(table, CASES[case], **({} if case == "volume" else {"restricted": False}))
    theirs = pd.read_csv(LME4 / "coefficients.csv").query("case == @case")
    assert found.coefficients == pytest.approx(theirs["estimate"], rel=0.01)
    assert found.standard_errors == pytest.approx(theirs["standard_error"], rel=0.05)
    variances = pd.read_csv(LME4 / "variances.csv").query("case == @case").set_index("unit")["variance"]
    ours = dict(zip(("animal", "dendrite:animal"), found.spread**2))
    assert ours == pytest.approx({name: variances[name] for name in ours}, rel=0.02)
    if case == "volume":
        assert found.residual**2 == pytest.approx(variances["Residual"], rel=1e-4)


def test_statsmodels_finds_the_same_where_it_converges():
    table = made_spines(between=0.6, seed=3)
    theirs = sm.MixedLM.from_formula("volume ~ condition", table, groups="animal").fit(reml=True)
    ours = fitted(table, "volume ~ condition")
    assert ours.coefficients == pytest.approx(theirs.fe_params.to_numpy(), rel=1e-4)
    assert ours.standard_errors == pytest.approx(theirs.bse_fe.to_numpy(), rel=1e-3)


@pytest.mark.parametrize(
    ("table", "formula", "family"),
    [
        (made_counts(effect=0.3), "spines/length_um ~ condition", sm.families.Poisson()),
        (made_turnover(), "lost/spines ~ condition", sm.families.Binomial()),
    ],
)
def test_without_units_it_is_a_generalised_linear_model(table, formula, family):
    design = make_design(table, parse(formula))
    found = fit_generalised(design.kind, design.response, design.whole, design.matrix, [])
    if design.kind == "poisson":
        theirs = sm.GLM(design.response, design.matrix, family=family, exposure=design.whole).fit()
    else:
        theirs = sm.GLM(np.column_stack([design.response, design.whole - design.response]), design.matrix, family).fit()
    assert found.coefficients == pytest.approx(theirs.params, rel=1e-5)
    assert found.standard_errors == pytest.approx(theirs.bse, rel=2e-3)


def test_a_balanced_linear_model_is_a_t_test_of_animals():
    table = made_spines(animals=8, between=0.8, effect=0.7, seed=1)
    found = fitted(table, "volume ~ condition")
    means = table.groupby(["condition", "animal"])["volume"].mean()
    control, treated = means["control"], means["treated"]
    assert found.coefficients[1] == pytest.approx(treated.mean() - control.mean())
    pooled = np.sqrt((control.var() + treated.var()) / 4)
    assert found.standard_errors[1] == pytest.approx(pooled, rel=1e-4)


def test_standard_errors_of_counts_are_those_of_a_t_test_of_animals():
    """Many counts of equal length: the logarithm of an animal's rate is all that is told of it."""
    table = made_counts(animals=8, dendrites=3, rate=60.0, seed=3).assign(length_um=100.0)
    rng = np.random.default_rng(3)
    rate = 60 * np.exp(rng.normal(0, 0.3, 8))
    table["spines"] = rng.poisson(np.repeat(rate, 3) * 100)
    found = fitted(table, "spines/length_um ~ condition")
    means = np.log(table.groupby(["condition", "animal"])["spines"].sum() / 300)
    pooled = np.sqrt((means["control"].var() + means["treated"].var()) / 4)
    assert found.coefficients[1] == pytest.approx(means["treated"].mean() - means["control"].mean(), rel=0.01)
    assert found.standard_errors[1] == pytest.approx(pooled, rel=0.01)
    # by maximum likelihood they are too small by the share of the two effects among the animals
    narrow = fitted(table, "spines/length_um ~ condition", restricted=False)
    assert narrow.standard_errors[1] == pytest.approx(pooled * np.sqrt(6 / 8), rel=0.01)


def test_a_spread_of_zero_is_found():
    table = made_spines(between=0.0, seed=2)
    # residuals within animals sum to nothing, so that animals are closer to each other than chance has it
    table["volume"] -= table.groupby("animal")["volume"].transform("mean")
    found = fitted(table, "volume ~ condition")
    assert found.spread == pytest.approx(0, abs=1e-4)
    plain = sm.OLS(table["volume"], sm.add_constant((table["condition"] == "treated").astype(float))).fit()
    assert found.standard_errors == pytest.approx(plain.bse.to_numpy(), rel=1e-4)


@pytest.mark.parametrize("formula", ["spines/length_um ~ condition + (1 | animal/dendrite)", "spines ~ condition"])
def test_sparse_and_dense_factors_give_the_same(formula, monkeypatch):
    table = made_counts(animals=10)
    dense = fitted(table, formula)
    monkeypatch.setattr(mixed, "DENSE", 0)
    sparse = fitted(table, formula)
    assert sparse.coefficients == pytest.approx(dense.coefficients, rel=1e-4)
    assert sparse.standard_errors == pytest.approx(dense.standard_errors, rel=1e-3)


def test_counts_may_be_added_up():
    table = made_spines(seed=4)
    design = make_design(table, parse("mushroom ~ condition"))
    one = fit_generalised("binomial", design.response, design.whole, design.matrix, design.random)
    summed = table.groupby(["animal", "condition"], as_index=False).agg(
        part=("mushroom", "sum"), whole=("mushroom", "size")
    )
    design = make_design(summed, parse("part/whole ~ condition"))
    other = fit_generalised("binomial", design.response, design.whole, design.matrix, design.random)
    assert one.coefficients == pytest.approx(other.coefficients, abs=1e-4)
    assert one.standard_errors == pytest.approx(other.standard_errors, rel=1e-3)


def test_a_slope_that_differs_between_animals_is_found():
    rng = np.random.default_rng(0)
    animal, day = np.repeat(np.arange(40), 30), np.tile(np.linspace(-1, 1, 30), 40)
    value = rng.normal(0.5, 0.4, 40)[animal] * day + rng.normal(0, 0.3, len(animal))
    matrix = np.column_stack([np.ones(len(day)), day])
    found = fit_linear(value, matrix, [RandomEffect.intercept(animal), RandomEffect(animal, day)])
    assert found.spread[1] == pytest.approx(0.4, rel=0.25) and found.spread[0] < 0.1
    slopes = [np.polyfit(day[animal == number], value[animal == number], 1)[0] for number in range(40)]
    assert found.standard_errors[1] == pytest.approx(np.std(slopes, ddof=1) / np.sqrt(40), rel=0.02)


@pytest.mark.parametrize(
    ("response", "told"), [(np.ones(6), "the same in all rows"), (np.array([1.0, 2.0]), "too few")]
)
def test_what_has_no_estimate_is_told(response, told):
    matrix = np.column_stack([np.ones(len(response)), np.arange(len(response)) % 2])
    with pytest.raises(NoEstimateError, match=told):
        fit_linear(response, matrix, [])
