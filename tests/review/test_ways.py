"""What learns from answers is asked about others, of other places."""

import numpy as np
import pytest

from spinome.review.ways import PARTS, crosswise, parted, shares_elsewhere


def test_what_may_be_one_thing_is_in_one_part_and_each_part_has_some_of_each_kind():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 20, 300)
    true = rng.random(300) < 0.15
    part = parted(groups, true, 0)
    assert all(len(set(part[groups == one])) == 1 for one in np.unique(groups))
    assert np.bincount(part) == pytest.approx(np.full(PARTS, 100), abs=15)
    assert np.bincount(part[true]) == pytest.approx(np.full(PARTS, true.sum() / PARTS), abs=4)
    assert (parted(groups, true, 0) == part).all()


def test_each_part_is_asked_about_by_what_learned_from_the_others():
    part = np.array([0, 1, 2, 2, 1, 0])
    made = crosswise(part, lambda used: set(np.flatnonzero(used)))
    assert made == [{1, 2, 3, 4}, {0, 2, 3, 5}, {0, 1, 4, 5}]
    # where one of them has too little to learn from there is no comparison
    assert crosswise(part, lambda used: None if used[0] else used) is None


def test_an_answer_does_not_tell_how_likely_it_is_itself():
    of, part = np.array([True, True, True, False, False, False]), np.array([0, 1, 2, 0, 1, 2])
    true = np.array([True, False, False, False, False, True])
    likely = shares_elsewhere(of, true, part, np.ones(6, bool))
    assert likely == pytest.approx([1 / 4, 2 / 4, 2 / 4, 2 / 4, 2 / 4, 1 / 4])
    # what was not looked at does not count
    assert shares_elsewhere(of, true, part, part != 2)[0] == pytest.approx(1 / 3)
