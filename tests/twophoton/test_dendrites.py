import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.backbone import NODE_COLUMNS
from spinome.twophoton.dendrites import DENDRITE_COLUMNS, align_along, dendrite_table, number_dendrites
from spinome.twophoton.sessions import session_table


def traced(*shafts, given=False):
    """Straight backbones along x, each `(label, length, y)` or `(label, length, y, first x)`."""
    tables = [pd.DataFrame(columns=NODE_COLUMNS)]
    for label, length, y, *start in shafts:
        x = np.arange(0, length, 0.5) + (start[0] if start else 0.0)
        row = {"dendrite": label, "given": given, "length_um": float(length), "y_um": float(y), "x_um": x}
        tables.append(pd.DataFrame(row))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def numbers_of(tracks, labels, tables, places=None, expected=None):
    places = places or [np.zeros((len(own), 3)) for own in tracks]
    found = number_dendrites(tracks, labels, tables, places, expected or {})
    return [[number.get(int(own), -1) for own in label] for number, label in zip(found, labels)]


def test_shafts_that_share_spines_are_one_dendrite():
    tracks = [np.arange(6), np.array([0, 1, 2, 3, 4, 9])]
    labels = [np.array([1, 1, 1, 2, 2, -1]), np.array([5, 5, 5, 3, 3, 3])]
    tables = [traced((1, 20, 0), (2, 20, 50)), traced((3, 20, 100), (5, 20, 150))]
    first, second = numbers_of(tracks, labels, tables)
    assert first == [0, 0, 0, 1, 1, -1] and second == [0, 0, 0, 1, 1, 1]


def test_a_fragment_is_no_dendrite_and_a_piece_of_one_is():
    tracks, labels = [np.arange(5), np.arange(5)], [np.array([1, 1, 1, 2, 2]), np.array([7, 7, 7, 8, 8])]
    tables = [traced((1, 5, 0), (2, 5, 50)), traced((7, 30, 0), (8, 6, 50))]
    first, second = numbers_of(tracks, labels, tables)
    assert first == second == [0, 0, 0, -1, -1]


def test_one_dendrite_without_shared_spines_has_one_number_through_time():
    # moved by (0, 3, -4) um; in the second session it is in two pieces, and beside it runs another
    places = [np.array([[5.0, 11, 4], [5, 9, 20], [5, 11, 30]]), np.array([[5.0, 14, 2], [5, 25, 9]])]
    expected = {(0, 1): places[0] + [0, 3.0, -4.0]}
    tracks, labels = [np.arange(3), np.array([7, 8])], [np.array([4, 4, 4]), np.array([2, 1])]
    tables = [traced((4, 40, 10)), traced((2, 12, 13, -4), (3, 18, 13, 15), (1, 40, 24))]
    numbers = number_dendrites(tracks, labels, tables, places, expected)
    assert numbers[0][4] == numbers[1][2] == numbers[1][3] != numbers[1][1]
    table = dendrite_table(tables, [("a", 0.0), ("b", 3.0)], labels, numbers)
    second = table[(table["timepoint"] == "b") & (table["dendrite"] == numbers[0][4])]
    assert second[["length_um", "spines"]].to_numpy().tolist() == [[30.0, 1]]
    # without the displacement nothing says so
    apart = number_dendrites(tracks, labels, tables, places, {})
    assert apart[0][4] not in apart[1].values()


def test_dendrites_that_a_person_traced_keep_their_numbers():
    tracks, labels = [np.arange(2), np.array([5])], [np.array([12, 30]), np.array([12])]
    tables = [traced((12, 20, 0), (30, 5, 50), given=True), traced((12, 20, 90), given=True)]
    assert numbers_of(tracks, labels, tables) == [[12, 30], [12]]


def test_one_measure_along_a_dendrite_through_time():
    place = np.array([3.0, 7.0, 12.0, 20.0])
    tracks = [np.arange(4), np.array([1, 2, 3, 8]), np.arange(4)]
    labels = [np.full(4, 1), np.full(4, 2), np.full(4, 1)]
    # the second session begins 5 um farther on; the third is counted from the other end
    along = align_along([place, np.array([2.0, 7.0, 15.0, 17.0]), 30 - place], tracks, labels)
    np.testing.assert_allclose(along[1], [7, 12, 20, 22])
    np.testing.assert_allclose(along[2], place)


def test_density_with_its_interval():
    tables, labels = [traced((1, 20, 0), (2, 10, 50))], [np.array([1] * 30 + [-1])]
    table = dendrite_table(tables, [("a", 2.0)], labels, [{1: 4, 2: -1}])
    assert list(table.columns) == DENDRITE_COLUMNS
    assert table["dendrite"].tolist() == [4, -1] and table["spines"].tolist() == [30, 0]
    first = table.iloc[0]
    # exact Poisson limits of 30: 20.24 and 42.83
    assert first[["density_low", "density_per_um", "density_high"]].tolist() == pytest.approx(
        [20.24 / 20, 1.5, 42.83 / 20], abs=0.001
    )
    assert table["density_per_um"].iloc[1] == 0 and table["density_high"].iloc[1] > 0.3


def test_no_session_and_no_spine():
    assert number_dendrites([], [], [], [], {}) == []
    none = [np.zeros(0, int)]
    assert number_dendrites(none, none, [traced()], [np.zeros((0, 3))], {}) == [{}]
    assert dendrite_table([traced()], [("a", 0.0)], none, [{}]).empty


def test_a_field_that_is_traced_shorter_or_grows_dense_is_noted():
    rows = [("a", 0.0, 0, 236.0, 90), ("b", 1.0, 0, 176.0, 66), ("c", 2.0, 0, 170.0, 102), ("d", 3.0, 0, 172.0, 100)]
    dendrites = pd.DataFrame(rows, columns=["timepoint", "day", "dendrite", "length_um", "spines"])
    fragment = dendrites.head(1).assign(timepoint="d", dendrite=-1, length_um=90.0)
    dendrites = pd.concat([dendrites, fragment], ignore_index=True)
    shifts = pd.DataFrame(columns=["session", "other", "correlation", "turned", "sharpness"])
    spines = pd.DataFrame({"timepoint": list("abcd"), "dendrite": 0, "shaft_saturated": False})
    table = session_table([(name, day) for name, day, *_ in rows], spines, shifts, {}, dendrites)
    first, second, third, fourth = table["note"]
    assert first == "" and fourth == ""
    assert "traced length of its dendrites is 176 um, and 236 um in a" in second and "density" not in second
    assert third.startswith("density goes from 0.38 in b to 0.60 per um")
