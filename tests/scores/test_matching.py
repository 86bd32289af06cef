"""Pairs are one to one and within reach: as many as there can be, held against all possible pairings."""

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from spinome.scores.matching import match_points, match_within


@settings(max_examples=60)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 1000), st.sampled_from([1e-6, 1.0, 1e6]))
def test_no_pairing_has_more_pairs_or_costs_less(n, m, seed, unit):
    rng = np.random.default_rng(seed)
    cost = cdist(rng.random((n, 3)), rng.random((m, 3))) * unit
    near = cost <= 0.6 * unit
    rows, columns = match_within(cost, near)
    assert len(set(rows)) == len(rows) == len(set(columns)) == len(columns) and near[rows, columns].all()
    # every pairing of the shorter side with the longer one
    wide, reached = (cost, near) if n <= m else (cost.T, near.T)
    best = (0, 0.0)
    for chosen in permutations(range(max(n, m)), min(n, m)):
        pairs = [(row, column) for row, column in enumerate(chosen) if reached[row, column]]
        best = min(best, (-len(pairs), sum(wide[pair] for pair in pairs)))
    assert len(rows) == -best[0]
    np.testing.assert_allclose(cost[rows, columns].sum(), best[1], rtol=1e-9)


def test_points_in_the_same_place_are_matched_without_any_reach():
    rows, columns = match_within(np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[True, False], [False, False]]))
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_matching_takes_as_many_pairs_as_there_can_be():
    # the nearest pair first would leave the other two alone
    found = np.array([[0, 0, 0.0], [0, 0, 1.0]])
    true = np.array([[0, 0, 0.9], [0, 0, 1.7]])
    rows, columns = match_points(found, true, 1.0)
    assert dict(zip(rows.tolist(), columns.tolist())) == {0: 0, 1: 1}


def test_matching_keeps_to_its_reach_in_the_plane_and_along_z():
    found, true = np.array([[0.0, 0, 0]]), np.array([[2.5, 0.3, 0.4]])
    assert len(match_points(found, true, 0.51, 3.0)[0]) == 1
    assert len(match_points(found, true, 0.49, 3.0)[0]) == 0
    assert len(match_points(found, true, 0.51, 2.0)[0]) == 0
    assert len(match_points(found[:0], true, 1.0)[0]) == 0
