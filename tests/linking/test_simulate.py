"""Curves of graph f1 and what a perfect proofreader reaches."""

import numpy as np
import pandas as pd
import pytest

from spinome.linking.line_graph import line_graph, rename_neurites
from spinome.linking.simulate import CURVE, detachment_curve, largest_fragments, proofread_parents, true_sides
from spinome.scores.graphs import score_graphs


@pytest.fixture
def synapses():
    """Ten synapses: eight on a dendrite, of which five on spines and two of these on one spine; three share an axon."""
    return pd.DataFrame(
        {
            "synapse": np.arange(1, 11),
            "axon": [1, 1, 1, 4, 5, 6, 7, 8, 9, 0],
            "dendrite": [1, 1, 1, 1, 1, 1, 1, 1, 2, 0],
            "spine": [11, 12, 13, 14, 14, 0, 0, 0, 0, 0],
        }
    )


def test_ends_of_the_curve_by_hand(synapses):
    curve = detachment_curve(synapses, [0, 1], repeats=3).set_index("fraction")
    # 28 pairs on the dendrite; of these stay three on shaft, three by the axon and one on a spine of two synapses
    assert curve.loc[0, "pairs"] == 28 and curve.loc[0, "f1"] == 1
    assert curve.loc[1, "pairs"] == 7 and curve.loc[1, "f1"] == pytest.approx(2 * 7 / (28 + 7))


def test_the_curve_agrees_with_graphs_made_whole(synapses):
    """One spine of two synapses and one of one cut off, against line graphs scored pair by pair."""
    ends = pd.DataFrame(
        {
            "synapse": synapses["synapse"],
            "neurite_a": 100 + synapses["axon"],
            "neurite_b": synapses["dendrite"],
        }
    )
    truth = line_graph(ends)
    values = set()
    for spine in (11, 12, 13, 14):
        cut = ends.assign(neurite_b=np.where(synapses["spine"] == spine, 1000 + spine, ends["neurite_b"]))
        values.add(round(score_graphs(line_graph(cut), truth, {n: n for n in range(1, 11)}).f1, 9))
    curve = detachment_curve(synapses, [0.25], repeats=40)
    assert min(values) <= curve["f1"][0] <= max(values)
    assert round(curve["f1_low"][0], 9) == min(values) and round(curve["f1_high"][0], 9) == max(values)


def test_a_graph_without_pairs_has_no_curve(synapses):
    curve = detachment_curve(synapses.iloc[[0, 8]], [0.5])
    assert curve.empty and list(curve.columns) == CURVE


def test_sides_of_synapses_by_the_truth():
    """Orphans 10 and 11 on shaft 1; axons 20 and 21; a synapse on the shaft, one that the truth does not know."""
    synapses = pd.DataFrame({"synapse": [1, 2, 3, 4], "neurite_a": [10, 20, 1, 30], "neurite_b": [20, 11, 21, 0]})
    truth = pd.DataFrame({"orphan": [10, 11, 11], "shaft": [1, 1, 2]})
    sides = true_sides(synapses, truth)
    assert sides["axon"].tolist() == [20, 20, 21, 30] and sides["dendrite"].tolist() == [1, 1, 1, 0]
    assert sides["spine"].tolist() == [10, 11, 0, 0]
    # three pairs on the dendrite, of which the axon holds one as well; off their spines this one alone is left
    assert detachment_curve(sides, [0, 1], repeats=2)["pairs"].tolist() == [3, 1]


def test_a_proofreader_finds_what_is_shown():
    links = pd.DataFrame(
        {"orphan": [5, 5, 5, 6], "shaft": [1, 2, 3, 0], "rank": [1, 2, 3, 0], "probability": [0.5, 0.3, 0.1, 0]}
    )
    truth = pd.DataFrame({"orphan": [5, 6], "shaft": [2, 1]})
    assert proofread_parents(links, truth, 1) == {}
    assert proofread_parents(links, truth, 2) == {5: 2}


def test_orphans_go_to_the_largest_fragment_of_their_neurite():
    fragments = pd.DataFrame(
        {"segment": [1, 2, 3, 4, 5], "neurite": [7, 7, 8, 7, 0], "voxels": [900, 10, 50, 1000, 5000]}
    )
    parents = largest_fragments(fragments, np.array([2, 3, 5, 4]))
    assert parents == {2: 4}
    ends = pd.DataFrame({"synapse": [1, 2], "neurite_a": [2, 4], "neurite_b": [0, 0]})
    assert line_graph(rename_neurites(ends, parents)).tolist() == [[1, 2]]
