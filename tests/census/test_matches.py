"""Views are matched only within one frame."""

import numpy as np
import pandas as pd
import pytest

from spinome.census.matches import distance_to_spines, match_views
from spinome.census.spines import from_linking, from_neurons, from_twophoton, join


def test_distance_is_to_the_line_from_base_to_head():
    base, head = np.zeros((1, 3)), np.array([[0.0, 0.0, 2.0]])
    points = np.array([[0, 1.0, 1.0], [0, 0, 3.0], [0, 0, -1.0], [0, 0, 0.5]])
    np.testing.assert_allclose(distance_to_spines(points, base, head)[:, 0], [1, 1, 1, 0])


@pytest.fixture
def table(schema, twophoton, linking, neuron_spines, neuron_synapses):
    twophoton["specimen"] = "p"
    parts = [from_twophoton(twophoton), from_linking(linking), from_neurons(neuron_spines, neuron_synapses)]
    return join(parts, schema)


def test_views_of_one_specimen_are_matched_pairwise(table):
    matches = match_views(table)
    pairs = {(row.view, row.spine, row.other_view, row.other_spine) for row in matches.itertuples()}
    assert pairs == {
        ("chain", "neurons/p/p-1/0", "linking", "linking/p/11"),
        ("chain", "neurons/p/p-1/0", "neurons", "neurons/p/p/0"),
        ("linking", "linking/p/11", "neurons", "neurons/p/p/0"),
    }
    assert matches["distance_um"].max() == pytest.approx(0.1)


def test_nothing_to_match_gives_an_empty_table(table):
    assert match_views(table.iloc[:0]).empty
    assert match_views(table[table["source"] == "twophoton"]).empty
    assert list(match_views(table.iloc[:0]).columns) == list(match_views(table).columns)


def test_other_specimens_are_not_matched(table):
    table.loc[table["source"] == "linking", "specimen"] = "q"
    assert "linking" not in set(match_views(table)["other_view"])
    assert isinstance(match_views(table), pd.DataFrame)
