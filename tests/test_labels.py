import numpy as np
import pytest

from spinome.labels import compact


def test_compact_knows_what_is_not_listed():
    assert compact(np.array([0, 5, 9, 7]), np.array([5, 7])).tolist() == [-1, 0, -1, 1]


@pytest.mark.parametrize("label", [0, 1, 10**9])
def test_compact_lists_nothing_where_nothing_is_asked_for(label):
    assert compact(np.array([0, label]), np.zeros(0, int)).tolist() == [-1, -1]


def test_compact_takes_negative_labels():
    assert compact(np.array([-1, 0, -7, 3]), np.array([-7, 0, 3])).tolist() == [-1, 1, 0, 2]
