"""Graph f1 by sorted keys equals the same score from a dense matrix."""

import numpy as np
import pandas as pd
import pytest

from spinome.linking.line_graph import line_graph
from spinome.scores.graphs import match_synapses, score_graphs


def dense(neurites, match, size):
    matrix = np.zeros((size, size), bool)
    for a in neurites.itertuples():
        for b in neurites.itertuples():
            shared = {a.neurite_a, a.neurite_b} & {b.neurite_a, b.neurite_b} - {0}
            if a.synapse != b.synapse and shared:
                matrix[match(a.synapse), match(b.synapse)] = True
    return matrix


def random_neurites(rng, count):
    return pd.DataFrame(
        {
            "synapse": np.arange(1, count + 1),
            "neurite_a": rng.integers(0, 6, count),
            "neurite_b": rng.integers(6, 12, count),
        }
    )


def test_equals_the_dense_matrix():
    rng = np.random.default_rng(1)
    truth, found = random_neurites(rng, 40), random_neurites(rng, 35)
    match = {synapse: 41 - synapse for synapse in range(1, 30)}
    score = score_graphs(line_graph(found), line_graph(truth), match)
    a = dense(found, lambda s: match.get(s, 100 + s), 200)
    b = dense(truth, lambda s: s, 200)
    assert score.precision == pytest.approx((a & b).sum() / a.sum())
    assert score.recall == pytest.approx((a & b).sum() / b.sum())
    assert score.f1 == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_each_synapse_is_matched_once_by_the_largest_overlap():
    pairs = np.array([[1, 5], [1, 6], [2, 5], [0, 6], [3, 0]])
    assert match_synapses(pairs, np.array([10, 30, 8, 99, 99])) == {1: 6, 2: 5}


def test_empty_graphs_have_no_score():
    score = score_graphs(np.zeros((0, 2), int), np.zeros((0, 2), int), {})
    assert np.isnan(score.f1)
