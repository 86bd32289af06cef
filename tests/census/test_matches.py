"""Views are matched only within one frame."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from spinome.census.matches import _match_near, distance_to_spines, match_views
from spinome.census.spines import from_linking, from_neurons, from_twophoton, join
from spinome.scores.matching import match_within


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


@pytest.mark.parametrize("counts", [(60, 45), (5, 200), (1, 1)])
def test_groups_are_matched_as_all_points_at_once(counts):
    drawn = np.random.default_rng(sum(counts))
    one, other = (drawn.uniform(0, 5, (count, 3)) for count in counts)
    one[0] = np.nan
    distance = cdist(one, other)
    i, j = match_within(distance, distance <= 0.8)
    rows, columns, apart = _match_near(one, other, 0.8)
    assert (rows.tolist(), columns.tolist()) == (i.tolist(), j.tolist())
    np.testing.assert_array_equal(apart, distance[i, j])


def test_nothing_to_match_gives_an_empty_table(table):
    assert match_views(table.iloc[:0]).empty
    assert match_views(table[table["source"] == "twophoton"]).empty
    assert list(match_views(table.iloc[:0]).columns) == list(match_views(table).columns)


def test_other_specimens_are_not_matched(table):
    table.loc[table["source"] == "linking", "specimen"] = "q"
    assert "linking" not in set(match_views(table)["other_view"])
    assert isinstance(match_views(table), pd.DataFrame)
