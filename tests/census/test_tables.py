"""The census by cell class from counts made by hand."""

import numpy as np
import pandas as pd
import pytest

from spinome.census.counts import COLUMNS, count_by_cell
from spinome.census.tables import HANDFUL, census_by_class

KEYS = ["cell_class", "partner_class", "measure", "reference"]


def row(cell, measure, part, whole, cell_class="L2/3", broad_class="excitatory", partner_class="", side="input"):
    return dict(zip(COLUMNS, [side, cell, cell_class, broad_class, partner_class, measure, part, whole]))


def census(rows):
    return census_by_class(pd.DataFrame(rows, columns=COLUMNS)).set_index(KEYS)


def cells(count, **options):
    """Cells with 10 inputs each, of which 8, 6, 8, 6, ... are on spines."""
    name = options.get("cell_class", "")
    return [row(f"{name}{n}", "input_on_spine", 8 - 2 * (n % 2), 10, **options) for n in range(count)]


def test_values_are_pooled_over_the_cells_of_a_class_and_of_a_broad_class():
    table = census([*cells(6), *cells(2, cell_class="L4")])
    fine, broad = (table.loc[(name, "", "input_on_spine", "")] for name in ("L2/3", "excitatory"))
    assert (fine["value"], fine["n"], fine["cells"]) == (pytest.approx(0.7), 60, 6)
    assert (broad["value"], broad["n"], broad["cells"]) == (pytest.approx(56 / 80), 80, 8)
    assert 0.6 < fine["ci_low"] < 0.7 < fine["ci_high"] < 0.8


def test_cells_weigh_by_their_synapses():
    table = census([row("a", "input_on_spine", 90, 100), row("b", "input_on_spine", 0, 10)])
    assert table.loc[("L2/3", "", "input_on_spine", ""), "value"] == pytest.approx(90 / 110)


@pytest.mark.parametrize("count", [1, HANDFUL - 1, HANDFUL])
def test_few_cells_have_no_interval_and_nothing_published_beside(count):
    table = census(cells(count))
    enough = count >= HANDFUL
    assert table.loc[("L2/3", "", "input_on_spine", ""), ["ci_low", "ci_high"]].notna().all() == enough
    assert (table.index.get_level_values("reference") != "").any() == enough


def test_published_values_stand_beside_what_was_measured_alone():
    table = census(cells(HANDFUL)).reset_index()
    published = table[table["reference"] != ""]
    assert published["reference"].str.contains("Pedigo").all()
    assert published.set_index("cell_class")["value"].to_dict() == {"L2/3": 0.759, "excitatory": 0.703}


@pytest.mark.parametrize("receiving", [1, HANDFUL])
def test_outputs_onto_few_cells_have_no_interval(receiving):
    given = [
        row(f"{n}", "output_on_spine", n % 2, 1, "L5NP", partner_class=partner, side="output")
        for n in range(20)
        for partner in ("", "excitatory")
    ]
    table = census([*cells(receiving), *given])
    found = table.loc[("L5NP", "excitatory", "output_on_spine", "")]
    assert (found["value"], found["cells"]) == (0.5, 20)
    assert pd.notna(found["ci_low"]) == (receiving == HANDFUL)


def test_the_spread_of_multi_input_spines_over_cells():
    rows = [row(f"{n}", "multi_input", n, 20) for n in range(5)] + [row("few", "multi_input", 3, 3)]
    table = census(rows)
    found = {name: table.loc[("L2/3", "", f"multi_input_{name}_cell", "")] for name in ("lowest", "median", "highest")}
    assert [found[name]["value"] for name in found] == [0, 0.1, 0.2]
    assert found["median"]["cells"] == 5
    assert table.loc[("L2/3", "", "multi_input", ""), "value"] == pytest.approx(13 / 103)
    assert ("L2/3", "", "multi_input_median_cell", "") not in census(rows[1:]).index


def test_means_have_their_unit():
    table = census([row("a", "mean_volume_um3_of_multi_input", 1, 4), row("a", "spines_per_cell", 9, 1)])
    assert table.xs("L2/3")["unit"].tolist() == ["um3", "spines"]


def test_the_interval_covers_the_truth():
    """Cells of different inclination: 95 % intervals from 30 of them hold the mean of all in most of 60 draws."""
    random, held = np.random.default_rng(0), 0
    for _ in range(60):
        part = random.binomial(50, random.beta(7, 3, 30))
        found = census([row(f"{n}", "input_on_spine", value, 50, "a", "") for n, value in enumerate(part)])
        low, high = found.loc[("a", "", "input_on_spine", ""), ["ci_low", "ci_high"]]
        held += low <= 0.7 <= high
    assert 52 <= held <= 60


def test_nothing_counted_is_an_empty_table():
    assert census([]).empty


def test_labelled_synapses_of_a_real_neuron(shared_data):
    """2,652 inputs of one cell: partners of two classes add up, and one cell has no interval."""
    table = pd.read_parquet(shared_data("neurons/648518346349539862_synapses.parquet"))
    table = table.assign(source="sheet", neuron="n", spine=pd.NA, tag=np.where(table["size"] > 200, "spine", "shaft"))
    roots = sorted(table["pre_pt_root_id"].unique())
    known = {root: ["basket", "inhibitory"] if n % 3 else ["excitatory"] for n, root in enumerate(roots[:2000])}
    none = pd.DataFrame(
        columns=["spine", "specimen", "parent", "partners", "multi_input", "volume_um3", "head_diameter_um",
                 "neck_length_um"]
    )  # fmt: skip
    found = census_by_class(count_by_cell(table, none, {"n": ["L2/3", "excitatory"]}, known)).set_index(KEYS)
    onto = found.loc[("L2/3", ["excitatory", "inhibitory"], "input_on_spine", ""), "n"]
    inside = found.loc[("L2/3", "", "input_of_known_class", "")]
    assert onto.sum() == round(inside["value"] * inside["n"])
    given = found.loc[("inhibitory", "L2/3", "output_on_spine", "")]
    assert given["cells"] == sum(names[-1] == "inhibitory" for names in known.values())
    assert found["ci_low"].isna().all()
