import re

import numpy as np
import pandas as pd
import pytest

from made_tables import made_counts, made_spines, made_turnover
from spinome.compare.design import NotComparableError, make_design
from spinome.compare.errors import (
    LEAST_COUNTED,
    Rate,
    carry_probabilities,
    carry_rates,
    counted_in_answers,
    counted_in_pairs,
    rates_by_level,
    rates_of_answers,
    rates_of_evaluation,
)
from spinome.compare.formula import parse
from spinome.compare.inference import freedom
from spinome.compare.mixed import fit_generalised, fit_linear

# so many that a rate is certain
SURE = 1e8
DENSITY = "spines/length_um ~ condition + (1 | animal/dendrite)"


def fitted(design):
    return fit_generalised(design.kind, design.response, design.whole, design.matrix, design.random)


def carried(table, formula, rates, changes=False):
    design = make_design(table, parse(formula))
    fit = fitted(design)
    return design, fit, carry_rates(design, fit, freedom(design, fit), rates, changes, seed=0)


def test_a_perfect_machine_changes_nothing():
    _, fit, ours = carried(made_counts(effect=-0.3), DENSITY, [Rate("precision", 1, SURE), Rate("recall", 1, SURE)])
    assert ours.coefficients == pytest.approx(fit.coefficients)
    assert ours.standard_errors == pytest.approx(fit.standard_errors, rel=0.05)
    assert ours.df == pytest.approx([6, 6], rel=1e-3)


def test_a_recall_for_all_changes_the_density_and_not_its_ratio():
    _, fit, ours = carried(made_counts(effect=-0.3), DENSITY, [Rate("recall", 0.5, 50)])
    assert ours.coefficients == pytest.approx(fit.coefficients + np.array([np.log(2), 0]))
    assert ours.standard_errors[1] == pytest.approx(fit.standard_errors[1], rel=0.05)
    # half of 50 is known to within 14 %
    assert ours.standard_errors[0] > np.hypot(0.13, fit.standard_errors[0])


def test_recalls_of_the_conditions_move_the_ratio_and_widen_it():
    rates = [Rate("recall", 0.8, 60, {"condition": "control"}), Rate("recall", 0.6, 60, {"condition": "treated"})]
    _, fit, ours = carried(made_counts(), DENSITY, rates)
    assert ours.coefficients[1] == pytest.approx(fit.coefficients[1] + np.log(0.8 / 0.6))
    own = [(1 - value) / value / 60 for value in (0.8, 0.6)]
    assert ours.standard_errors[1] == pytest.approx(np.sqrt(fit.standard_errors[1] ** 2 + sum(own)), rel=0.1)
    assert (ours.df[1] > 6) and np.isfinite(ours.df).all()


def test_false_spines_dilute_a_ratio():
    """20 % of what is seen is false, as many per length in both groups; the ratio of the true ones follows by hand."""
    _, fit, ours = carried(made_counts(effect=-0.4), DENSITY, [Rate("precision", 0.8, SURE)])
    table = made_counts(effect=-0.4)
    control, treated = np.exp(fit.coefficients[0]), np.exp(fit.coefficients.sum())
    length = table.groupby("condition")["length_um"].sum()
    false = 0.2 * (control * length["control"] + treated * length["treated"]) / length.sum()
    assert ours.coefficients[1] == pytest.approx(np.log((treated - false) / (control - false)))
    assert ours.standard_errors[1] > 1.15 * fit.standard_errors[1]


def test_a_precision_for_each_condition_is_no_dilution():
    rates = [Rate("precision", 0.8, SURE, {"condition": name}) for name in ("control", "treated")]
    _, fit, ours = carried(made_counts(effect=-0.4), DENSITY, rates)
    assert ours.coefficients[1] == pytest.approx(fit.coefficients[1])


def test_confused_classes_are_put_right_as_by_rogan_and_gladen():
    rates = [Rate("sensitivity", 0.9, SURE), Rate("specificity", 0.8, SURE)]
    table = made_spines(animals=6, spines=40, between=0.1)
    table["mushroom"] = np.random.default_rng(1).random(len(table)) < np.where(
        table["condition"] == "treated", 0.6, 0.4
    )
    _, fit, ours = carried(table, "mushroom ~ condition", rates)
    seen = 1 / (1 + np.exp(-np.array([fit.coefficients[0], fit.coefficients.sum()])))
    true = (seen - 0.2) / 0.7
    odds = true / (1 - true)
    assert ours.coefficients[1] == pytest.approx(np.log(odds[1] / odds[0]))


def test_misses_look_like_losses():
    """Of the spines that stayed a tenth is missed, and 0.28 = 1 - 0.8 x 0.9 are lost."""
    table = made_turnover()
    table["lost"] = np.round(table["spines"] * 0.28)
    _, _, ours = carried(table, "lost/spines ~ condition", [Rate("recall", 0.9, 1000)], changes=True)
    assert 1 / (1 + np.exp(-ours.coefficients[0])) == pytest.approx(0.2, abs=0.01)
    told = re.search(r"true share of changes ([\d.]+) \(([\d.]+) to ([\d.]+)\)", ours.notes[0])
    middle, low, high = map(float, told.groups())
    assert middle == pytest.approx(0.2, abs=0.01) and low < 0.2 < high


def test_changes_that_are_only_misses_are_recognised():
    table = made_turnover(share=0.1)
    _, _, ours = carried(table, "lost/spines ~ condition", [Rate("recall", 0.88, 300)], changes=True)
    assert np.isnan(ours.coefficients).all()
    assert "no change beyond them is shown" in ours.notes[0] and "alone make as much" in ours.notes[1]
    expected = 0.12 * table["spines"].sum()
    assert f"would make {expected:.0f}" in ours.notes[0]


@pytest.mark.parametrize(
    ("formula", "rates", "told"),
    [
        (DENSITY, [Rate("sensitivity", 0.9, 10)], "precision and recall do"),
        ("mushroom ~ condition", [Rate("recall", 0.9, 10)], "sensitivity and specificity do"),
        (DENSITY, [Rate("recall", 0.9, 10, {"condition": "control"})], "no recall holds for rows of condition treated"),
        (DENSITY, [Rate("recall", 0.9, 10), Rate("recall", 0.8, 10)], "more than one recall"),
        (DENSITY, [Rate("recall", 0.9, 10, {"batch": "a"})], "lacks the column batch"),
    ],
)
def test_rates_that_do_not_fit_are_told(formula, rates, told):
    table = made_counts() if "spines" in formula else made_spines()
    with pytest.raises(NotComparableError, match=told):
        carried(table, formula, rates)


def test_rates_of_an_evaluation_are_worth_what_their_intervals_say():
    evaluation = pd.DataFrame(
        {
            "metric": ["detection_precision", "detection_recall", "detection_recall_within_1"],
            "value": [0.8, 0.75, 0.9],
            "ci_low": [0.72, 0.70, 0.8],
            "ci_high": [0.88, 0.80, 0.95],
            "n": [900, 900, 900],
        }
    )
    precision, recall = rates_of_evaluation(evaluation)
    assert (precision.name, precision.value, recall.value) == ("precision", 0.8, 0.75)
    # 0.8 +- 0.08 is what 96 spines would give, though 900 were seen, since they are not independent
    assert precision.number == pytest.approx(96, abs=1)


def paired(condition, hits, misses, false):
    """Detections of a condition held against a truth: `true` is -1 for a false one."""
    pairs = [(True, 0)] * hits + [(False, 0)] * misses + [(True, -1)] * false
    return pd.DataFrame(pairs, columns=["accepted", "true"]).assign(condition=condition)


def scored(pairs):
    """Precision and recall as an evaluation has them, with intervals of a spread of 0.05."""
    hit = (pairs["accepted"] & (pairs["true"] >= 0)).sum()
    values = [hit / pairs["accepted"].sum(), hit / (pairs["true"] >= 0).sum()]
    table = pd.DataFrame({"metric": ["detection_precision", "detection_recall"], "value": values})
    return rates_of_evaluation(table.assign(ci_low=table["value"] - 0.098, ci_high=table["value"] + 0.098, n=500))


def test_a_recall_that_differs_between_conditions_is_that_of_each():
    pairs = pd.concat([paired("control", 50, 50, 10), paired("treated", 75, 25, 25)])
    measured = rates_by_level(pairs, ["condition"], scored, counted_in_pairs)
    assert {(rate.name, rate.where["condition"]): rate.value for rate in measured} == {
        ("precision", "control"): 50 / 60,
        ("recall", "control"): 0.5,
        ("precision", "treated"): 0.75,
        ("recall", "treated"): 0.75,
    }
    table = made_counts(effect=-0.3)
    _, fit, ours = carried(table, DENSITY, measured)
    # seen = recall / precision of the truth: 0.6 and 1.0
    assert ours.coefficients[1] == pytest.approx(fit.coefficients[1] + np.log(0.6))


def test_few_counted_spines_of_a_level_give_the_rates_of_all():
    pairs = pd.concat([paired("control", 50, 50, 10), paired("treated", 10, 5, 2)])
    for factors in (["condition"], []):
        rates = rates_by_level(pairs, factors, scored, counted_in_pairs)
        assert [(rate.name, rate.value, rate.where) for rate in rates] == [
            ("precision", 60 / 72, {}),
            ("recall", 60 / 115, {}),
        ]


def asked_about(right, false, missed, none, accepted, others, condition="control"):
    """Questions about so many accepted candidates and others, of which some are answered."""
    said = ["spine"] * right + ["no spine"] * false + [""] * (accepted - right - false)
    said += ["spine"] * missed + ["no spine"] * none + [""] * (others - missed - none)
    counted = np.arange(accepted + others) < accepted
    return pd.DataFrame(
        {
            "kind": "spine",
            "now": np.where(counted, "spine", "no spine"),
            "counted": counted,
            "answer": said,
            "condition": condition,
        }
    )


def test_answers_by_lot_tell_precision_and_recall():
    """45 of 50 accepted ones of 200 are spines, and 5 of 50 of 400 others: 180 of 220 spines were found."""
    precision, recall = rates_of_answers(asked_about(45, 5, 5, 45, 200, 400))
    assert (precision.name, precision.value, precision.number) == ("precision", 0.9, 50)
    assert recall.value == pytest.approx(180 / 220, abs=0.015)
    # few answers say little of the many others, so it is worth fewer spines than were answered
    assert 20 < recall.number < 60


def test_the_spread_of_a_recall_by_lot_is_the_one_that_is_stated():
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(400):
        right, missed = rng.binomial(60, 0.85), rng.binomial(60, 0.08)
        rates.append(rates_of_answers(asked_about(right, 60 - right, missed, 60 - missed, 300, 500))[1])
    stated = np.mean([rate.value * (1 - rate.value) / rate.number for rate in rates])
    assert np.var([rate.value for rate in rates]) == pytest.approx(stated, rel=0.25)
    assert np.mean([rate.value for rate in rates]) == pytest.approx(255 / 295, abs=0.015)


def test_answers_about_labels_tell_sensitivity_and_specificity():
    now = ["spine"] * 60 + ["shaft"] * 40 + ["soma"] * 20
    said = ["spine"] * 54 + ["shaft"] * 6 + ["spine"] * 6 + ["shaft"] * 34 + ["soma"] * 20
    asked = pd.DataFrame({"kind": "label", "now": now, "counted": True, "answer": said})
    rates = {rate.name: (rate.value, rate.number) for rate in rates_of_answers(asked)}
    assert rates == {"sensitivity": (0.9, 60), "specificity": (0.9, 60)}


def test_too_few_answers_are_told():
    few = asked_about(30, 3, 0, LEAST_COUNTED - 1, 200, 400)
    with pytest.raises(NotComparableError, match=f"only {LEAST_COUNTED - 1} of the rarer kind are answered"):
        rates_of_answers(few)
    # candidates that were all accepted tell no recall
    with pytest.raises(NotComparableError, match="only 0 of the rarer kind"):
        rates_of_answers(asked_about(40, 20, 0, 0, 60, 0))
    # those of one condition are not enough for its own rates
    both = pd.concat([asked_about(30, 3, 2, 20, 90, 90), asked_about(9, 1, 1, 9, 90, 90, "treated")])
    rates = rates_by_level(both, ["condition"], rates_of_answers, counted_in_answers)
    assert [rate.where for rate in rates] == [{}, {}]


def linear(design):
    return fit_linear(design.response, design.matrix, design.random)


def test_certain_rows_change_nothing():
    design = make_design(made_spines(), parse("volume ~ condition + (1 | animal/dendrite)"))
    fit = linear(design)
    ours = carry_probabilities(design, freedom(design, fit), linear, lambda rng: np.ones(len(design.response)), seed=0)
    assert ours.coefficients == pytest.approx(fit.coefficients)
    assert ours.standard_errors == pytest.approx(fit.standard_errors)
    assert list(ours.df) == [4, 4]


def test_improbable_rows_lose_their_pull():
    """Rows that are probably false are large in one group; without them there is no difference."""
    table = made_spines(animals=8, between=0.1, seed=2)
    false = (table["condition"] == "treated") & (np.arange(len(table)) % 4 == 0)
    table.loc[false, "volume"] += 4
    probability = np.where(false, 0.02, 0.98)
    design = make_design(table, parse("volume ~ condition"))
    ours = carry_probabilities(design, freedom(design, linear(design)), linear, lambda rng: probability, seed=0)
    assert linear(design).coefficients[1] > 0.8
    assert abs(ours.coefficients[1]) < 0.3


def test_pooling_is_that_of_rubin():
    design = make_design(made_spines(), parse("volume ~ condition"))
    estimates = iter(np.linspace(-1, 1, 20))

    def refit(_):
        value = next(estimates)
        return type(linear(design))(np.array([0, value]), np.diag([1.0, 0.25]), np.zeros(1), 1.0)

    ours = carry_probabilities(
        design, freedom(design, linear(design)), refit, lambda rng: np.ones(len(design.response)), seed=0
    )
    between = 1.05 * np.linspace(-1, 1, 20).var(ddof=1)
    assert ours.standard_errors[1] == pytest.approx(np.sqrt(0.25 + between))
    assert ours.df[1] == pytest.approx((0.25 + between) ** 2 / (0.25**2 / 4 + between**2 / 19))


def test_units_that_lose_all_rows_are_gone():
    design = make_design(made_spines(animals=6), parse("volume ~ condition + (1 | animal/dendrite)"))
    kept = design.rows((design.frame["animal"] != "m2").to_numpy())
    assert kept.levels == [5, 15] and isinstance(kept.frame, pd.DataFrame)
