import numpy as np
import pandas as pd
import pytest

from made_tables import made_counts, made_spines, made_turnover
from spinome.compare.design import NotComparableError, make_design
from spinome.compare.formula import parse


def design(table, formula, **more):
    return make_design(table, parse(formula), **more)


def test_factors_stand_against_their_reference():
    table = made_spines()
    made = design(table, "volume ~ condition + (1 | animal/dendrite)")
    assert made.columns == ("Intercept", "condition[treated]")
    assert np.array_equal(made.matrix[:, 1], table["condition"] == "treated")
    other = design(table, "volume ~ condition", reference={"condition": "treated"})
    assert other.columns[1] == "condition[control]"
    with pytest.raises(NotComparableError, match="no level sham; it has control, treated"):
        design(table, "volume ~ condition", reference={"condition": "sham"})


def test_units_are_nested():
    made = design(made_spines(animals=6, dendrites=3), "volume ~ condition + (1 | animal/dendrite)")
    # dendrite 0 of one animal is not that of another
    assert (made.units, made.levels) == (("animal", "animal/dendrite"), [6, 18])


@pytest.mark.parametrize("random", ["", " + (1 | dendrite)"])
def test_the_unit_above_the_spine_is_added_and_said(random):
    made = design(made_spines(), f"volume ~ condition{random}")
    assert made.units[0] == "animal"
    assert any("added (1 | animal)" in note for note in made.notes)


def test_a_cell_stands_in_where_no_animal_is_given():
    table = made_spines().rename(columns={"animal": "cell"})
    made = design(table, "volume ~ condition")
    assert (made.top, made.units) == ("cell", ("cell",))
    with pytest.raises(NotComparableError, match="no unit above the spine"):
        design(table.drop(columns="cell"), "volume ~ condition")


def test_of_one_animal_nothing_is_said_of_others():
    table = made_spines().rename(columns={"animal": "cell"}).assign(animal="m1")
    made = design(table, "volume ~ condition + (1 | animal/cell)")
    assert made.top == "cell" and made.units == ("cell",)
    assert "there is one animal; nothing is said of others" in made.notes


def test_one_row_of_each_animal_is_its_own_residual():
    table = made_spines().groupby(["animal", "condition"], as_index=False)["volume"].mean()
    assert design(table, "volume ~ condition").units == ()


def test_a_dendrite_per_animal_is_no_unit_of_its_own():
    assert design(made_spines(dendrites=1), "volume ~ condition + (1 | animal/dendrite)").units == ("animal",)


def test_counts_that_change_within_units_vary_by_row_and_slopes_by_animal():
    made = design(made_turnover(), "lost/spines ~ condition * day + (1 | animal/field)")
    assert made.units == ("animal", "animal/field", "row")
    assert [made.columns[index] for index in made.slopes] == ["day"]
    slope = made.random[-1]
    assert np.isclose(slope.value.mean(), 0) and np.isclose(slope.value.std(), 1)
    # what is not asked for needs no slope, and an effect between animals no rows
    asked = design(made_turnover(), "lost/spines ~ condition + day + (1 | animal/field)", terms=["condition"])
    assert not asked.slopes
    assert design(made_turnover(), "lost/spines ~ condition").units == ("animal",)


def test_rows_that_lack_something_are_left_out_and_counted():
    table = made_spines(animals=6)
    table["age_days"] = 60.0
    table.loc[table["animal"] == "m2", "age_days"] = np.nan
    table["age_days"] += table["dendrite"]
    made = design(table, "volume ~ condition + age_days")
    assert len(made.response) == len(table) - 30
    assert any("30 of 180 rows are left out for want of age_days in 30" in note for note in made.notes)
    with pytest.raises(NotComparableError, match="no row has all of"):
        design(table.assign(age_days=np.nan), "volume ~ condition + age_days")


def test_a_group_that_is_gone_is_named():
    table = made_spines(animals=9)
    table.loc[table["animal"].isin(["m1", "m4"]), "condition"] = "sham"
    table.loc[table["condition"] == "sham", "volume"] = np.nan
    made = design(table, "volume ~ condition")
    assert "of condition sham no row is left" in made.notes
    table.loc[table["condition"] == "treated", "volume"] = np.nan
    with pytest.raises(NotComparableError, match="condition is control in all"):
        design(table, "volume ~ condition")


def test_the_logarithm_is_of_what_is_above_zero():
    table = made_spines()
    table.loc[:4, "size_um3"] = 0
    made = design(table, "log(size_um3) ~ condition")
    assert np.allclose(made.response, np.log(table["size_um3"][5:]))
    assert any("5 of 180 rows" in note for note in made.notes)


def test_rows_are_chosen_by_their_values():
    made = design(made_spines(), "volume ~ condition", where={"dendrite": ["0", "2"]})
    assert set(made.frame["dendrite"]) == {0, 2}
    with pytest.raises(NotComparableError, match="no row has dendrite of 7"):
        design(made_spines(), "volume ~ condition", where={"dendrite": ["7"]})


@pytest.mark.parametrize(
    ("formula", "change", "told"),
    [
        ("spines ~ sex", {}, "lacks the column sex; it has animal"),
        ("spines/length_um ~ condition", {"spines": -1}, "must be counts"),
        ("spines/length_um ~ condition", {"spines": 0.5}, "must be counts"),
        ("spines/sites ~ condition", {"sites": 1}, "must be a part of sites"),
        ("spines/length_um ~ condition", {"length_um": 0}, "0 in every row"),
        ("condition ~ spines", {}, "must be numbers"),
        ("spines/length_um ~ condition + batch", {"batch": "a"}, "batch is a in all"),
    ],
)
def test_what_cannot_be_compared_is_told(formula, change, told):
    with pytest.raises(NotComparableError, match=told):
        design(made_counts().assign(**change), formula)


def test_effects_that_follow_from_each_other_are_told():
    table = made_spines()
    table["batch"] = np.where(table["condition"] == "treated", "b", "a")
    with pytest.raises(NotComparableError, match="cannot be told apart"):
        design(table, "volume ~ condition + batch")


def test_truths_are_counts_of_one():
    made = design(made_spines(), "mushroom ~ condition")
    assert made.kind == "binomial" and set(made.whole) == {1}
    table = made_spines().astype({"mushroom": object})
    table.loc[3, "mushroom"] = None
    some = design(table, "mushroom ~ condition")
    assert some.kind == "binomial" and np.array_equal(some.response, np.delete(made.response, 3))


def test_types_of_tables_do_not_matter():
    table = made_counts()
    arrow = table.convert_dtypes(dtype_backend="pyarrow")
    one, other = (design(frame, "spines/length_um ~ condition") for frame in (table, arrow))
    assert np.array_equal(one.matrix, other.matrix) and np.array_equal(one.response, other.response)
    assert pd.api.types.is_float_dtype(other.response)
