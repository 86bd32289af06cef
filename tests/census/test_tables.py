"""Census by cell class against hand-counted values."""

import pandas as pd
import pytest

from spinome.census.spines import from_neurons, join
from spinome.census.tables import census_by_class


def census(schema, spines, synapses, classes):
    table = join([from_neurons(spines, synapses)], schema)
    return census_by_class(synapses, table, classes).set_index(["cell_class", "pre_class", "measure", "reference"])


@pytest.fixture
def many(schema):
    """Three excitatory cells and one inhibitory, with counts known by construction."""
    cells = {"a": (8, 2), "b": (6, 4), "c": (7, 3), "i": (1, 9)}
    synapses = pd.DataFrame(
        [
            {"neuron": cell, "source": "sheet", "id": n, "tag": "spine" if n < spine else "shaft",
             "spine": n if n < spine else None, "pre_pt_root_id": "a" if n % 2 else "elsewhere"}
            for cell, (spine, shaft) in cells.items() for n in range(spine + shaft)
        ]
    )  # fmt: skip
    spines = pd.DataFrame(
        [
            {"neuron": cell, "source": "sheet", "spine": n, "z_nm": 0.0, "y_nm": 0.0, "x_nm": 1000.0 * n,
             "volume_um3": 0.1 * (n + 1), "synapses": 1, "partners": 2 if n < 2 else 1, "multi_input": n == 0}
            for cell, (spine, _) in cells.items() for n in range(spine)
        ]
    )  # fmt: skip
    return spines, synapses, {"a": "excitatory", "b": "excitatory", "c": "excitatory", "i": "inhibitory"}


def test_fractions_are_pooled_over_cells(schema, many):
    rows = census(schema, *many)
    row = rows.loc[("excitatory", "", "input_on_spine", "")]
    assert row["value"] == pytest.approx(21 / 30)
    assert (row["n"], row["cells"]) == (30, 3)
    assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert rows.loc[("inhibitory", "", "input_on_shaft", ""), "value"] == pytest.approx(0.9)
    assert rows.loc[("excitatory", "", "input_on_soma", ""), "value"] == 0


def test_a_class_of_one_cell_has_no_interval(schema, many):
    row = census(schema, *many).loc[("inhibitory", "", "input_on_spine", "")]
    assert pd.isna(row["ci_low"]) and pd.isna(row["ci_high"])


def test_spines_sizes_and_multi_input(schema, many):
    rows = census(schema, *many)
    assert rows.loc[("excitatory", "", "spines_per_cell", ""), "value"] == 7
    assert rows.loc[("excitatory", "", "multi_input", ""), "value"] == pytest.approx(3 / 21)
    expected = sum(0.1 * (n + 1) for count in (8, 6, 7) for n in range(count)) / 21
    assert rows.loc[("excitatory", "", "mean_volume_um3", ""), "value"] == pytest.approx(expected)
    assert ("excitatory", "", "mean_head_diameter_um", "") not in rows.index


def test_inputs_of_a_known_presynaptic_class_are_counted_apart(schema, many):
    row = census(schema, *many).loc[("excitatory", "excitatory", "input_on_spine", "")]
    # odd synapse numbers come from cell a: 5 a cell, of which 4, 3 and 3 are on spines
    assert (row["n"], row["value"]) == (15, pytest.approx(10 / 15))


def test_published_values_stand_beside_with_their_source(schema, many):
    rows = census(schema, *many)
    published = rows[rows.index.get_level_values("reference") != ""].reset_index()
    assert published["reference"].str.contains("Pedigo").all()
    values = published.set_index(["cell_class", "pre_class", "measure"])["value"]
    assert values["excitatory", "", "input_on_spine"] == 0.703
    assert "L2/3" not in set(published["cell_class"])


def test_cells_without_a_spine_or_a_class_count_too(schema, many):
    spines, synapses, _ = many
    bare = pd.DataFrame([{"neuron": "z", "source": "sheet", "id": 1, "tag": "soma", "spine": None}])
    rows = census(schema, spines, pd.concat([synapses, bare]), {"a": "excitatory"})
    row = rows.loc[("not given", "", "spines_per_cell", "")]
    assert (row["value"], row["cells"]) == (pytest.approx(14 / 4), 4)


def test_a_volume_gives_its_class_to_the_cells_in_it(schema, neuron_spines, neuron_synapses):
    rows = census(schema, neuron_spines, neuron_synapses, {"p": "simulated"})
    assert rows.loc[("simulated", "", "spines_per_cell", ""), ["value", "cells"]].tolist() == [1.5, 2]


def test_empty_tables_give_published_values_alone(schema, neuron_spines, neuron_synapses):
    table = join([], schema)
    rows = census_by_class(neuron_synapses.iloc[:0], table, {})
    assert (rows["reference"] != "").all()
