"""Counts by cell against hand-counted values."""

import pandas as pd
import pytest

from spinome.census.counts import COLUMNS, add_up_parts, count_by_cell, has_rows
from spinome.census.spines import from_neurons, join
from spinome.census.tables import census_by_class

KNOWN = {5: ["L4", "excitatory"], 6: ["inhibitory"], 77: ["L5", "excitatory"]}


def counted(schema, spines, synapses, classes, known=KNOWN):
    return count_by_cell(synapses, join([from_neurons(spines, synapses)], schema), classes, known)


def of(counts, cell, measure, partner=""):
    """Part and whole."""
    row = counts[(counts["cell"] == cell) & (counts["measure"] == measure) & (counts["partner_class"] == partner)]
    return tuple(row[["part", "whole"]].iloc[0]) if len(row) else None


def test_inputs_are_counted_for_all_partners_and_by_class_and_broad_class(schema, neuron_spines, neuron_synapses):
    counts = counted(schema, neuron_spines, neuron_synapses, {"p": ["L2/3"]})
    assert of(counts, "p", "input_on_spine") == (3, 3)
    assert of(counts, "p", "input_on_spine", "L4") == of(counts, "p", "input_on_spine", "excitatory") == (2, 2)
    assert of(counts, "p", "input_on_spine", "inhibitory") == (1, 1)
    assert of(counts, "p", "input_of_known_class") == (3, 3)


def test_outputs_belong_to_the_presynaptic_cell_by_class_of_the_receiving_one(schema, neuron_spines, neuron_synapses):
    counts = counted(schema, neuron_spines, neuron_synapses, {"p": ["L2/3"], "p-1": []})
    # cell 5 reaches one spine of p, of two spines that have a number, and one of p-1, which is in volume p
    assert of(counts, "5", "output_on_spine") == (3, 3)
    assert of(counts, "5", "output_on_spine", "L2/3") == (3, 3)
    assert of(counts, "5", "output_on_multi_input") == (1, 3)
    assert of(counts, "6", "output_on_multi_input") == (1, 1)
    given = counts[counts["side"] == "output"]
    assert set(given["cell"]) == {"5", "6"}
    assert given[given["cell"] == "5"][["cell_class", "broad_class"]].drop_duplicates().values.tolist() == [
        ["L4", "excitatory"]
    ]


def test_spines_and_sizes(schema, neuron_spines, neuron_synapses):
    counts = counted(schema, neuron_spines, neuron_synapses.assign(size=[10, 30, None, 50, 7]), {"p": ["a"]}, {})
    assert of(counts, "p", "spines_per_cell") == (2, 1)
    assert of(counts, "p", "multi_input") == (1, 2)
    assert of(counts, "p", "mean_volume_um3") == pytest.approx((0.55, 2))
    assert of(counts, "p", "mean_volume_um3_of_multi_input") == pytest.approx((0.05, 1))
    assert of(counts, "p", "mean_volume_um3_of_single_input") == pytest.approx((0.5, 1))
    assert of(counts, "p", "mean_synapse_size_on_spine") == (40, 2)
    assert of(counts, "p/p-1", "mean_neck_length_um") is None
    assert of(counts, "p", "input_of_known_class") is None
    assert "output" not in set(counts["side"])


def test_where_the_class_of_a_neuron_comes_from(schema, neuron_spines, neuron_synapses):
    spines, synapses = (
        neuron_spines.assign(neuron=["77", "77", "p-1"]),
        neuron_synapses.assign(neuron=["77", "77", "77", "77", "p-1"], post_pt_root_id=[None, None, None, None, 6]),
    )

    def classes(given):
        counts = counted(schema, spines, synapses, given)
        return counts[counts["side"] == "input"].drop_duplicates("cell").set_index("cell")["cell_class"].to_dict()

    assert classes({}) == {"77": "L5", "p/p-1": "inhibitory"}
    assert classes({"77": ["L6"], "p": ["simulated"]}) == {"77": "L6", "p/p-1": "simulated"}


def test_a_segment_is_not_the_neuron_of_the_sheet_that_has_its_name(schema, neuron_spines, neuron_synapses):
    spines, synapses = neuron_spines.assign(neuron="12"), neuron_synapses.assign(neuron="12")
    counts = counted(schema, spines, synapses, {"12": ["L2/3"]}, {})
    found = counts.drop_duplicates("cell").set_index("cell")["cell_class"].to_dict()
    assert found == {"12": "L2/3", "p/12": "not given"}


def test_a_root_id_is_that_of_the_sheet_and_never_the_first_of_many(schema, neuron_spines, neuron_synapses):
    mixed = neuron_synapses.assign(post_pt_root_id=pd.array([5, 77, 77, 77, 6], "Int64"))
    spines = join([from_neurons(neuron_spines, mixed)], schema)

    def class_of(roots):
        counts = count_by_cell(mixed, spines, {}, KNOWN, roots)
        return counts[(counts["side"] == "input") & (counts["cell"] == "p")]["cell_class"].unique().tolist()

    assert class_of({}) == ["not given"] and class_of({"p": 77}) == ["L5"]


def test_a_cell_without_a_spine_or_a_class_counts(schema, neuron_spines, neuron_synapses):
    bare = pd.DataFrame([{"neuron": "z", "source": "sheet", "id": 1, "tag": "soma", "spine": None}])
    counts = counted(schema, neuron_spines, pd.concat([neuron_synapses, bare]), {})
    assert of(counts, "z", "spines_per_cell") == (0, 1)
    assert of(counts, "z", "input_on_soma") == (1, 1)
    assert set(counts["cell_class"]) == {"not given", "L4", "inhibitory"}


def test_empty_tables_have_no_counts(schema, neuron_spines, neuron_synapses):
    assert counted(schema, neuron_spines.iloc[:0], neuron_synapses.iloc[:0], {}).empty


NEURONS = pd.DataFrame(
    {
        "source": ["sheet", "sheet", "sheet", "p"],
        "neuron": ["p", "no_synapses", "nothing", "p-1"],
        "with_synapses": [True, True, False, True],
        "spines": pd.array([2, 0, None, 1], "Int64"),
        "synapses": pd.array([4, None, None, 1], "Int64"),
        "known": [True, False, False, True],
    }
)


def test_what_is_not_known_of_a_cell_is_missing_and_not_0(schema, neuron_spines, neuron_synapses):
    spines = join([from_neurons(neuron_spines, neuron_synapses)], schema)
    classes = {"p": ["L4"], "no_synapses": ["L4"], "nothing": ["L4"]}
    counts = count_by_cell(neuron_synapses, spines, classes, {}, {}, NEURONS)
    missing = counts[counts["whole"].isna()].groupby("cell")["measure"].agg(set)
    assert set(missing.index) == {"no_synapses", "nothing"} and set(counts["cell"]) == {"p", "p/p-1", *missing.index}
    assert {"input_on_spine", "multi_input"} <= missing["no_synapses"]
    assert "spines_per_cell" not in missing["no_synapses"] and of(counts, "no_synapses", "spines_per_cell") == (0, 1)
    # no table of its synapses was given, so none is missing
    assert "input_on_spine" not in missing["nothing"] and "spines_per_cell" in missing["nothing"]
    known = count_by_cell(neuron_synapses, spines, classes, {}, {}, NEURONS[NEURONS["known"]])
    rest = counts[~counts["cell"].isin(missing.index)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, known.reset_index(drop=True), check_dtype=False)

    table = census_by_class(counts).set_index("measure")
    table = table[table["cell_class"] == "L4"]
    assert table.loc["input_on_spine", ["value", "cells", "not_known"]].tolist() == [1, 2, 1]
    assert table.loc["spines_per_cell", ["value", "cells", "not_known"]].tolist() == [1, 3, 1]
    # of a class of which nothing is known there is a row that says so
    alone = census_by_class(counts[counts["cell"] == "nothing"]).set_index("measure").loc["spines_per_cell"]
    assert pd.isna(alone["value"]) and (alone["n"], alone["cells"], alone["not_known"]) == (0, 0, 1)


def test_cells_without_a_spine_and_a_synapse_count(schema, neuron_spines, neuron_synapses):
    """Six known cells, of which one has all of the spines, and no table of synapses."""
    names = [f"n{number}" for number in range(6)]
    neurons = pd.DataFrame(
        {"source": "sheet", "neuron": names, "with_synapses": False, "known": True, "synapses": None}
    )
    spines = pd.concat([neuron_spines[:1]] * 12).assign(neuron="n5", spine=range(12))
    joint = join([from_neurons(spines, neuron_synapses[:0])], schema)
    neurons["spines"] = [0] * 5 + [12]
    counts = count_by_cell(neuron_synapses[:0], joint, {name: ["basket"] for name in names}, {}, {}, neurons)
    (row,) = census_by_class(counts).query("measure == 'spines_per_cell'").itertuples()
    assert (row.value, row.n, row.cells, row.not_known) == (2, 6, 6, 0)


def test_parts_add_up_to_the_whole(schema, neuron_spines, neuron_synapses):
    """As many parts as there are neurons, one of which a part has no row of."""
    spines = join([from_neurons(neuron_spines, neuron_synapses)], schema)
    classes = {"p": ["L2/3"], "no_synapses": ["L4"], "nothing": ["L4"]}
    whole = count_by_cell(neuron_synapses, spines, classes, KNOWN, {}, NEURONS)

    def counts():
        left = NEURONS
        for name in ("p", "p-1"):
            part = neuron_synapses[neuron_synapses["neuron"] == name], spines[spines["parent"] == name]
            ours = has_rows(left, *part)
            assert left.loc[ours, "neuron"].tolist() == [name]
            yield count_by_cell(*part, classes, KNOWN, {}, left[ours])
            left = left[~ours]
        yield count_by_cell(neuron_synapses[:0], spines[:0], classes, KNOWN, {}, left)

    apart = add_up_parts(counts())
    order = [name for name in COLUMNS if name not in ("part", "whole")]
    first, second = (
        table.astype(dict.fromkeys(order, str)).sort_values(order, ignore_index=True) for table in (whole, apart)
    )
    pd.testing.assert_frame_equal(first, second, check_dtype=False)
    assert (apart["side"] == "output").sum() == (whole["side"] == "output").sum() > 0
    one, other = (
        census_by_class(table).sort_values(["cell_class", "measure", "partner_class"]) for table in (whole, apart)
    )
    columns = ["cell_class", "partner_class", "measure", "value", "n", "cells", "not_known"]
    pd.testing.assert_frame_equal(
        one[columns].reset_index(drop=True),
        other[columns].reset_index(drop=True),
        check_dtype=False,
        check_categorical=False,
    )
