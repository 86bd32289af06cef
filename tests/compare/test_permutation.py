import numpy as np
import pytest
from scipy import stats

from made_tables import made_counts, made_spines, made_turnover
from spinome.compare import permutation
from spinome.compare.design import make_design
from spinome.compare.formula import parse
from spinome.compare.permutation import permutation_test


@pytest.mark.parametrize("animals", [6, 10])
def test_scipy_finds_the_same_for_two_groups(animals):
    table = made_spines(animals=animals, effect=0.5, seed=5)
    design = make_design(table, parse("volume ~ condition"))
    p_value, least = permutation_test(design, np.zeros(2), 1, seed=0)
    means = table.groupby(["condition", "animal"])["volume"].mean()
    theirs = stats.permutation_test(
        (means["treated"], means["control"]), lambda a, b: abs(a.mean() - b.mean()), alternative="greater"
    )
    assert p_value == pytest.approx(theirs.pvalue)
    # each way and its mirror
    assert least == pytest.approx(2 / {6: 20, 10: 252}[animals])


def test_random_orders_come_near_all_of_them(monkeypatch):
    design = make_design(made_counts(effect=0.2, seed=1), parse("spines/length_um ~ condition"))
    exact, _ = permutation_test(design, np.zeros(2), 1, seed=0)
    monkeypatch.setattr(permutation, "MOST_EXACT", 0)
    drawn, least = permutation_test(design, np.zeros(2), 1, seed=0)
    assert drawn == pytest.approx(exact, abs=0.02) and least == 1e-4


def test_a_covariate_between_animals_is_taken_off():
    table = made_spines(animals=10, between=0.05, effect=1.0, seed=6)
    age = table["animal"].str[1:].astype(int) % 5
    table["age_days"] = age.astype(float)
    table["volume"] += 4.0 * age
    # the age hides the effect from a test that does not know of it
    plain = make_design(table, parse("volume ~ condition"))
    known = make_design(table, parse("volume ~ condition + age_days"))
    assert permutation_test(plain, np.zeros(2), 1, seed=0)[0] > 0.2
    assert permutation_test(known, np.zeros(3), 1, seed=0)[0] < 0.02


def test_an_interaction_is_a_difference_of_slopes():
    table = made_turnover(animals=8, share=0.3, seed=2)
    table["lost"] = np.minimum(table["lost"] + (table["day"] * (table["condition"] == "treated")), table["spines"])
    design = make_design(table, parse("lost/spines ~ condition * day"))
    names = list(design.columns)
    p_value, least = permutation_test(design, np.zeros(4), names.index("condition[treated]:day"), seed=0)
    # in all animals of one group the slope is above those of the other
    assert p_value == least == pytest.approx(2 / 70)


def test_the_same_slope_of_all_animals_has_no_order():
    design = make_design(made_turnover(), parse("lost/spines ~ day"))
    assert np.isnan(permutation_test(design, np.zeros(2), 1, seed=0)).all()
