import numpy as np
import pytest

from spinome.labels import compact, rename


def test_compact_knows_what_is_not_listed():
    assert compact(np.array([0, 5, 9, 7]), np.array([5, 7])).tolist() == [-1, 0, -1, 1]


@pytest.mark.parametrize("label", [0, 1, 10**9])
def test_compact_lists_nothing_where_nothing_is_asked_for(label):
    assert compact(np.array([0, label]), np.zeros(0, int)).tolist() == [-1, -1]


def test_compact_takes_negative_labels():
    assert compact(np.array([-1, 0, -7, 3]), np.array([-7, 0, 3])).tolist() == [-1, 1, 0, 2]


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_compact_tells_large_labels_apart(kind):
    top = np.iinfo(kind).max
    ids = np.array([3, top - 2, top], kind)
    labels = np.array([[top, top, top - 1], [top - 2, 0, 3]], kind)
    assert compact(labels, ids).tolist() == [[2, 2, -1], [1, -1, 0]]


@pytest.mark.parametrize(("kind", "other"), [(np.int64, np.uint64), (np.uint64, np.int64)])
def test_compact_tells_large_labels_from_ids_of_another_sign(kind, other):
    ids = np.array([3, 2**60 + 1, 2**60 + 2], other)
    assert compact(np.array([2**60 + 2, 2**60 + 3, 2**60 + 1], kind), ids).tolist() == [2, -1, 1]
    # ids that no such label can be
    ids = np.array([3, 2**60, 2**63], np.uint64) if other is np.uint64 else np.array([-(2**63), 3, 2**60])
    assert compact(np.array([3, 2**63 - 1, 2**60], kind), ids).tolist() == ([0, -1, 1] if ids[0] == 3 else [1, -1, 2])


def test_labels_are_renamed_by_a_longer_table():
    ids, names = np.array([1, 2**40, 2**64 - 1], np.uint64), np.array([7, 7, 9], np.uint64)
    labels = np.array([[0, 1, 2], [2**64 - 1, 2**40, 2**64 - 2]], np.uint64)
    assert rename(labels, ids, names).tolist() == [[0, 7, 0], [9, 7, 0]]
    assert rename(labels, ids[:0], names[:0]).tolist() == [[0, 0, 0], [0, 0, 0]]
    # superpixels of fewer bits than the table
    assert rename(labels[0].astype(np.uint8), ids, names).tolist() == [0, 7, 0]
