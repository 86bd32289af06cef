import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.dendrites import DENDRITE_COLUMNS, align_along, dendrite_table, number_dendrites


def test_shafts_that_share_spines_are_one_dendrite():
    tracks = [np.arange(6), np.array([0, 1, 2, 3, 4, 9])]
    labels = [np.array([1, 1, 1, 2, 2, -1]), np.array([5, 5, 5, 3, 3, 3])]
    lengths = [pd.DataFrame({"dendrite": one, "length_um": 20.0}) for one in ([1, 2], [3, 5])]
    first, second = number_dendrites(tracks, labels, lengths)
    assert first.tolist() == [0, 0, 0, 1, 1, -1] and second.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_fragment_is_no_dendrite_and_a_piece_of_one_is():
    tracks, labels = [np.arange(5), np.arange(5)], [np.array([1, 1, 1, 2, 2]), np.array([7, 7, 7, 8, 8])]
    lengths = [
        pd.DataFrame({"dendrite": one, "length_um": um}) for one, um in (([1, 2], [5.0, 5]), ([7, 8], [30.0, 6]))
    ]
    first, second = number_dendrites(tracks, labels, lengths)
    assert first.tolist() == second.tolist() == [0, 0, 0, -1, -1]


def test_one_measure_along_a_dendrite_through_time():
    place = np.array([3.0, 7.0, 12.0, 20.0])
    tracks = [np.arange(4), np.array([1, 2, 3, 8]), np.arange(4)]
    labels = [np.full(4, 1), np.full(4, 2), np.full(4, 1)]
    # the second session begins 5 um farther on; the third is counted from the other end
    along = align_along([place, np.array([2.0, 7.0, 15.0, 17.0]), 30 - place], tracks, labels)
    np.testing.assert_allclose(along[1], [7, 12, 20, 22])
    np.testing.assert_allclose(along[2], place)


def test_density_with_its_interval():
    lengths = [pd.DataFrame({"dendrite": [1, 2], "length_um": [20.0, 10.0]})]
    labels, numbers = [np.array([1] * 30 + [-1])], [np.array([4] * 30 + [-1])]
    table = dendrite_table(lengths, [("a", 2.0)], labels, numbers)
    assert list(table.columns) == DENDRITE_COLUMNS
    assert table["dendrite"].tolist() == [4, -1] and table["spines"].tolist() == [30, 0]
    first = table.iloc[0]
    # exact Poisson limits of 30: 20.24 and 42.83
    assert first[["density_low", "density_per_um", "density_high"]].tolist() == pytest.approx(
        [20.24 / 20, 1.5, 42.83 / 20], abs=0.001
    )
    assert table["density_per_um"].iloc[1] == 0 and table["density_high"].iloc[1] > 0.3


def test_no_session_and_no_spine():
    assert number_dendrites([], [], []) == []
    none = [np.zeros(0, int)]
    assert dendrite_table([pd.DataFrame({"dendrite": [], "length_um": []})], [("a", 0.0)], none, none).empty
