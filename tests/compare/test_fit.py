from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from made_tables import made_counts, made_spines, made_turnover
from spinome.compare.design import NotComparableError
from spinome.compare.errors import Rate
from spinome.compare.fit import COLUMNS, PLAN_COLUMNS, POINT_COLUMNS, Comparison, columns_read, fit, with_rates
from spinome.compare.tables import read_schema

SCHEMA = read_schema(Path(__file__).parents[2] / "workflow" / "schemas" / "compare.schema.yaml")


def effects(table, formula, **more):
    return fit(table, Comparison("asked", "made", formula, **more))[0]


def only(table, formula, **more):
    found = effects(table, formula, **more)
    assert len(found) == 1
    return found.iloc[0]


def test_a_balanced_study_is_a_t_test_of_animals_and_not_of_spines():
    table = made_spines(animals=8, spines=50, between=0.8, seed=1)
    row = only(table, "volume ~ condition + (1 | animal)")
    means = table.groupby(["condition", "animal"])["volume"].mean()
    theirs = stats.ttest_ind(means["treated"], means["control"])
    interval = theirs.confidence_interval()
    assert row["p_value"] == pytest.approx(theirs.pvalue, rel=1e-3)
    assert (row["effect_low"], row["effect_high"]) == pytest.approx((interval.low, interval.high), rel=1e-3)
    assert (row["df"], row["units"], row["rows"]) == (6, "8 animal", 1200)


def test_a_formula_without_animals_is_the_same_comparison():
    table = made_spines(animals=8, seed=1)
    row, other = (only(table, f"volume ~ condition{random}") for random in ("", " + (1 | animal)"))
    assert row["p_value"] == other["p_value"] and "added (1 | animal)" in row["note"]


def test_effects_are_told_as_a_reader_takes_them():
    table = made_spines(animals=8, effect=0.5, seed=3)
    difference, ratio = only(table, "volume ~ condition"), only(table, "log(size_um3) ~ condition")
    assert (difference["effect_kind"], ratio["effect_kind"]) == ("difference", "ratio")
    assert ratio["effect"] == pytest.approx(np.exp(difference["effect"]))
    assert ratio["effect_low"] == pytest.approx(np.exp(difference["effect_low"]))
    spread = table["volume"] - table.groupby("condition")["volume"].transform("mean")
    assert difference["standardised"] == pytest.approx(difference["effect"] / spread.std(), rel=0.05)
    assert only(made_counts(), "spines/length_um ~ condition")["effect_kind"] == "rate ratio"
    assert only(made_turnover(), "lost/spines ~ condition")["effect_kind"] == "odds ratio"


def test_only_what_is_asked_for_is_told():
    found = effects(made_turnover(), "lost/spines ~ condition * day", terms=["day"])
    assert list(found["term"]) == ["day", "condition[treated]:day"]
    assert "no column" in only(made_turnover(), "lost/spines ~ condition", terms=["sex"])["note"]


def test_few_animals_give_an_estimate_and_no_p_value():
    row = only(made_spines(animals=4), "volume ~ condition")
    assert np.isfinite(row["effect"])
    assert pd.isna(row[["p_value", "effect_low", "effect_high", "permutation_p"]]).all()
    assert "no p-value: 4 of animal are too few" in row["note"]


@pytest.mark.parametrize(
    ("table", "formula", "told"),
    [
        (made_spines().drop(columns="animal"), "volume ~ condition", "no unit above the spine"),
        (made_spines().assign(volume=np.nan), "volume ~ condition", "no row has all of"),
        (made_spines().assign(condition="control"), "volume ~ condition", "condition is control in all 180 rows"),
        (made_spines().assign(volume=1.0), "volume ~ condition", "the same in all rows"),
        (made_spines().iloc[:0], "volume ~ condition", "the table has no rows"),
        (
            made_turnover().assign(lost=lambda t: np.where(t["condition"] == "treated", 0, t["lost"])),
            "lost/spines ~ condition",
            "separation: by condition",
        ),
        (made_turnover().assign(lost=0), "lost/spines ~ condition", "separation"),
    ],
)
def test_what_cannot_be_compared_gives_one_row_that_says_why(table, formula, told):
    row = only(table, formula)
    assert told in row["note"]
    assert pd.isna(row[["effect", "effect_low", "p_value", "estimate", "standard_error"]]).all()


def test_a_column_that_separates_is_told():
    """A covariate, and not a factor, parts the lost spines from the others: there is no finite slope."""
    table = made_spines(animals=8)
    table["depth_um"] = np.where(table["mushroom"], 1.0, 0.0) + np.linspace(0, 0.1, len(table))
    row = effects(table, "mushroom ~ condition + depth_um").set_index("term")
    told = row["note"].iloc[0]
    assert "finite" in told or "converge" in told
    assert row["p_value"].isna().all()


def test_a_reference_without_events_is_separated():
    table = made_turnover(animals=9)
    table["condition"] = np.array(["a", "b", "c"])[table["number"] % 3]
    table.loc[table["condition"] == "a", "lost"] = 0
    row = only(table, "lost/spines ~ condition")
    assert "separation" in row["note"] and pd.isna(row["effect"])


def test_errors_are_beside_the_effect_and_do_not_replace_it():
    table = made_counts(effect=-0.3)
    plain = only(table, "spines/length_um ~ condition")
    row = only(table, "spines/length_um ~ condition", rates=[Rate("precision", 0.8, 100), Rate("recall", 0.75, 100)])
    assert row["effect"] == plain["effect"] and row["p_value"] == plain["p_value"]
    assert row["carried_effect"] < row["effect"]
    assert row["carried_high"] / row["carried_low"] > row["effect_high"] / row["effect_low"]
    assert pd.isna(plain["carried_effect"])


def test_errors_that_do_not_fit_leave_the_effect_and_say_so():
    row = only(made_counts(), "spines/length_um ~ condition", rates=[Rate("specificity", 0.9, 100)])
    assert np.isfinite(row["p_value"]) and pd.isna(row["carried_effect"])
    assert "the machine's error is not carried: errors: specificity" in row["note"]


@pytest.mark.parametrize("more", [{"probability": "probability"}, {"rates": [Rate("precision", 0.8, 50)]}])
def test_measured_values_are_redrawn(more):
    table = made_spines(animals=8, spines=30, between=0.8, seed=1)
    plain, row = only(table, "volume ~ condition"), only(table, "volume ~ condition", **more)
    assert row["carried_effect"] == pytest.approx(plain["effect"], abs=0.2)
    assert row["carried_standard_error"] == pytest.approx(plain["standard_error"], rel=0.2)
    assert row["carried_effect"] != plain["effect"]


def test_turnover_is_of_the_spines_of_both_sessions():
    row = only(made_turnover(), "(gained + lost)/total ~ condition", rates=[Rate("recall", 0.95, 300)])
    assert row["model"].startswith("binomial") and "changes seen" in row["note"]


def test_the_census_has_a_word_for_spine_inputs():
    cells = pd.DataFrame(
        {
            "cell": [f"c{number}" for number in range(12)],
            "broad_class": ["excitatory", "inhibitory"] * 6,
            "side": "input",
            "measure": "input_on_spine",
            "partner_class": "",
            "part": [700, 200, 650, 240, 730, 190, 690, 210, 710, 180, 720, 220],
            "whole": 1000,
        }
    )
    other = cells.assign(measure="input_on_shaft", part=1000 - cells["part"])
    row = only(pd.concat([cells, other]), "spine_fraction ~ broad_class + (1 | cell)")
    logit = np.log(cells["part"] / (cells["whole"] - cells["part"])).groupby(cells["broad_class"]).mean()
    assert row["estimate"] == pytest.approx(logit["inhibitory"] - logit["excitatory"], rel=0.01)
    assert (row["rows"], row["df"]) == (12, 10)


def test_every_unit_is_a_point():
    table = made_counts(animals=6, dendrites=3)
    _, points, plans = fit(table, Comparison("asked", "made", "spines/length_um ~ condition", planned_effect=0.75))
    sums = table.groupby(["animal", "condition"], as_index=False)[["spines", "length_um"]].sum()
    assert list(points.columns) == POINT_COLUMNS and list(plans.columns) == PLAN_COLUMNS
    assert points["value"].to_numpy() == pytest.approx((sums["spines"] + 0.5) / sums["length_um"])
    assert list(points["group"]) == list(sums["condition"]) and set(points["rows"]) == {3}
    assert set(plans["effect"]) == {0.75}


def test_only_two_groups_of_animals_are_planned_for():
    _, _, plans = fit(
        made_turnover(), Comparison("asked", "made", "lost/spines ~ condition * day + (1 | animal/field)")
    )
    assert set(plans["term"]) == {"condition[treated]"}
    within = made_spines().assign(apical=lambda table: table["dendrite"] == 0)
    assert fit(within, Comparison("asked", "made", "volume ~ apical"))[2].empty


def test_the_schema_has_every_column():
    assert set(SCHEMA["comparisons"]) - set(COLUMNS) == {"p_holm", "p_benjamini_hochberg"}
    assert set(COLUMNS) <= set(SCHEMA["comparisons"])
    assert list(SCHEMA["points"]) == POINT_COLUMNS and list(SCHEMA["plans"]) == PLAN_COLUMNS


def test_rates_that_are_stated_stay():
    asked = Comparison("a", "b", "c ~ d", rates=[Rate("recall", 0.5, 10)])
    found = with_rates(asked, lambda: [Rate("precision", 0.8, 96), Rate("recall", 0.75, 300)])
    assert [(rate.name, rate.value) for rate in found.rates] == [("recall", 0.5), ("precision", 0.8)]


def test_rates_that_are_not_known_are_told_and_nothing_is_carried():
    def measure():
        raise NotComparableError("only 3 answers")

    formula = "spines/length_um ~ condition"
    effects, _, _ = fit(made_counts(), with_rates(Comparison("a", "b", formula), measure))
    assert "the machine's error is not carried: only 3 answers" in effects["note"].iloc[0]
    assert np.isfinite(effects["effect"]).all() and effects["carried_effect"].isna().all()


@pytest.mark.slow
def test_ten_thousand_animals_are_no_trouble():
    rng = np.random.default_rng(0)
    animal = np.repeat(np.arange(10_000), 5)
    effect = 0.1 * (animal % 2) + rng.normal(0, 0.3, 10_000)[animal]
    table = pd.DataFrame({"animal": animal.astype(str), "condition": np.where(animal % 2, "b", "a")})
    table["volume"] = effect + rng.normal(0, 1, len(animal))
    row = only(table, "volume ~ condition")
    assert row["effect"] == pytest.approx(0.1, abs=0.04) and row["df"] == 9998
    assert row["permutation_p"] < 0.01


def test_a_comparison_reads_the_columns_that_it_needs_and_all_where_one_is_lacking():
    columns = ["animal", "cell", "condition", "side", "measure", "part", "whole", "partner_class", "volume_um3", "note"]
    asked = Comparison(
        "c", "t", "log(volume_um3) ~ condition + (1|animal)", where={"side": ["input"]}, probability="note"
    )
    assert columns_read(columns, asked) == ["animal", "cell", "condition", "side", "volume_um3", "note"]
    short = Comparison("c", "t", "spine_fraction ~ condition + (1|animal/cell)")
    assert set(columns_read(columns, short)) == {*columns} - {"volume_um3", "note"}
    assert columns_read(columns, Comparison("c", "t", "volume_um3 ~ treatment + (1|animal)")) is None
    turnover = ["animal", "condition", "gained", "lost", "spines", "next_spines", "day"]
    ratio = Comparison("c", "t", "(gained + lost)/total ~ condition + (1|animal)")
    assert columns_read(turnover, ratio) == turnover[:-1]
