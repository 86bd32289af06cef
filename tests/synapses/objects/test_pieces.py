"""Of components within each other those are taken that a slow way over all sets of them would take."""

from itertools import combinations

import numpy as np
import pytest

from spinome.synapses.objects.pieces import LEAST, choose_pieces


def draw_tree(rng):
    """Components of up to three levels, in any order: level, parent, probability."""
    sizes = [rng.integers(1, 4), rng.integers(0, 5), rng.integers(0, 5)]
    sizes[2] *= sizes[1] > 0
    level, parent, before = np.repeat(np.arange(3), sizes), [], 0
    for at, count in enumerate(sizes):
        parent.extend(rng.integers(before - sizes[at - 1], before, count) if at else [-1] * count)
        before += count
    order = rng.permutation(len(level))
    parent = np.append(np.argsort(order), -1)[parent]
    return level[order], parent[order], rng.uniform(0, 1, len(level)) ** rng.choice([1, 4])


def held_in(parent, one):
    """What a component lies in, from the inside out."""
    found = []
    while parent[one] >= 0:
        one = parent[one]
        found.append(one)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_the_likeliest_set_of_which_none_lies_in_another(seed):
    level, parent, probability = draw_tree(np.random.default_rng(seed))
    taken = choose_pieces(level, parent, probability)
    roots = np.array([[one, *held_in(parent, one)][-1] for one in range(len(level))])
    for root in np.unique(roots):
        own = np.flatnonzero(roots == root)
        sets = [one for count in range(1, len(own) + 1) for one in combinations(own, count)]
        sets = [one for one in sets if not any(set(held_in(parent, part)) & set(one) for part in one)]
        worth = [sum(probability[part] - LEAST for part in one) for one in sets]
        assert set(own[taken[own]]) == set(sets[int(np.argmax(worth))])


def test_two_that_run_together_are_two_and_one_with_two_bright_spots_is_one():
    # a sure component with two halves that are less sure; a doubtful one with two sure halves; a faint one
    level, parent = np.array([0, 1, 1, 0, 1, 1, 0]), np.array([-1, 0, 0, -1, 3, 3, -1])
    probability = np.array([0.9, 0.3, 0.3, 0.5, 0.8, 0.7, 0.01])
    assert choose_pieces(level, parent, probability).tolist() == [True, False, False, False, True, True, True]


def test_without_components_nothing_is_taken():
    nothing = np.zeros(0, np.int64)
    assert choose_pieces(nothing, nothing, np.zeros(0)).tolist() == []
