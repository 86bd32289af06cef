"""Positions are read from a pickle without running it."""

import pickle

import numpy as np
import pytest

from spinome.retrieve.meshparty import pickled_triples


class Malicious:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was run",))


def arrays_of_triples(order):
    triples = np.arange(5 * 2 * 3, dtype=np.int64).reshape(5, 2, 3)
    outer = np.empty((2, 5), object, order=order)
    for row in range(5):
        for column in range(2):
            outer[column, row] = triples[row, column].copy()
    return triples, outer


@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_what_pickle_would(order):
    triples, outer = arrays_of_triples(order)
    assert np.array_equal(pickled_triples(pickle.dumps(outer, protocol=4), (5, 2)), triples)


def test_runs_nothing():
    _, outer = arrays_of_triples("F")
    outer[0, 0] = Malicious()
    with pytest.raises(ValueError, match="9 arrays of three numbers, not 5 x 2"):
        pickled_triples(pickle.dumps(outer, protocol=4), (5, 2))
