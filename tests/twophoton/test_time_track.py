from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from spinome.columns import POSITION
from spinome.twophoton import time_track as time_track_module
from spinome.twophoton.correspond import correspond_series
from spinome.twophoton.time_track import assign, candidate_links, time_track, track_series


def linked(places, gate=1.2, reach=2):
    expected = {(i, j): places[i] for i in range(len(places)) for j in range(i + 1, min(i + 1 + reach, len(places)))}
    candidates = candidate_links(expected, places, gate)
    return time_track(candidates, [len(place) for place in places])


TRACED = pd.DataFrame({"dendrite": [1], "given": False, "length_um": [20.0], "y_um": [90.0], "x_um": [90.0]})
PLACE = np.array([[5.0, 2, 2], [5, 2, 6], [5, 8, 4]])


def test_spines_keep_their_ids():
    tracks, links = linked([PLACE, PLACE[::-1] + 0.1, PLACE])
    assert [list(ids) for ids in tracks] == [[0, 1, 2], [2, 1, 0], [0, 1, 2]]
    assert len(links) == 6 and (links["probability"] > 0.6).all()


def test_a_missed_spine_comes_back_under_its_id():
    tracks, _ = linked([PLACE, PLACE[1:], PLACE])
    assert [list(ids) for ids in tracks] == [[0, 1, 2], [1, 2], [0, 1, 2]]


def test_ids_are_never_used_again():
    tracks, _ = linked([PLACE, PLACE[1:], PLACE[1:], PLACE])
    assert tracks[3][0] not in tracks[0]
    assert list(tracks[3][1:]) == [1, 2]


def test_probability_falls_with_competition():
    near = np.array([[5.0, 2.3, 2], [5, 1.7, 2]])
    clear = candidate_links({(0, 1): PLACE[:1]}, [PLACE[:1], near[:1]], 1.2)["probability"].item()
    contested = candidate_links({(0, 1): PLACE[:1]}, [PLACE[:1], near], 1.2)["probability"]
    assert contested.max() < clear
    assert contested.sum() < 1


def test_the_whole_series_decides():
    # alone, the middle session's one spine would go to the nearer end of each pair
    first, middle, last = np.array([[5.0, 2, 2.0]]), np.array([[5.0, 2, 2.5], [5.0, 2, 3.4]]), np.array([[5.0, 2, 2.9]])
    tracks, _ = linked([first, middle, last])
    assert tracks[0][0] == tracks[1][0] == tracks[2][0]


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    place = np.column_stack([rng.uniform(8, 12, 40), rng.uniform(4, 26, 40), rng.uniform(4, 38.5, 40)])
    sessions = []
    for number in range(3):
        here = place + np.array([0.0, 0.0, 3.0 * number])
        keep = np.ones(40, bool)
        keep[number] = False
        table = pd.DataFrame(here[keep], columns=POSITION).assign(
            score=0.9, dendrite=1, along_um=0.0, candidate=range(39)
        )
        sessions.append(table[table["x_um"] < 39].reset_index(drop=True))
    size = np.array([20.0, 30.0, 40.0])
    places = [table[POSITION].to_numpy() for table in sessions]
    images = [np.zeros((250, 333), np.float32) for _ in sessions]
    for image, where in zip(images, places):
        rows, columns = (np.clip((where[:, axis] / 0.12).astype(int), 1, image.shape[axis - 1] - 3) for axis in (1, 2))
        for dy in range(3):
            for dx in range(3):
                image[rows + dy, columns + dx] = 100
    expected, _ = correspond_series(places, images, [(1.0, 0.12, 0.12)] * 3, 8.0, 1.2, 1)
    return track_series(sessions, [("a", 0.0), ("b", 2.0), ("c", 5.0)], expected, [size] * 3, [TRACED] * 3, 1.2)[:2]


def test_series_tells_lost_from_out_of_field(series):
    spines, links = series
    assert not spines.duplicated(["timepoint", "spine"]).any()
    first = spines[spines["timepoint"] == "a"]
    assert (first["fate"] == "stable").sum() > 25
    gone = first[first["x_um"] > 36.2]
    assert len(gone) and (gone["fate"] == "out of field").all()
    assert set(spines.loc[spines["timepoint"] == "a", "origin"]) == {"first"}
    assert (spines.loc[spines["timepoint"] == "b", "origin"] == "gained").sum() == 1
    assert (spines["fate"] == "hidden").sum() >= 1
    assert links["probability"].between(0, 1).all() and links["support"].between(0.3, 1).all()
    assert set(spines["dendrite"]) == {0}


def test_a_series_of_one_session():
    table = pd.DataFrame(PLACE, columns=POSITION).assign(
        score=0.9, dendrite=[1, 1, -1], along_um=0.0, candidate=[0, 1, 2]
    )
    expected, _ = correspond_series([PLACE], [np.zeros((9, 9))], [(1.0, 0.12, 0.12)], 5.0, 1.2, 1)
    spines, links = track_series([table], [("0", 0.0)], expected, [np.array([20.0, 20, 20])], [TRACED], 1.2)[:2]
    assert len(links) == 0 and list(spines["spine"]) == [0, 1, 2]
    assert set(spines["fate"]) == {"last"} and set(spines["origin"]) == {"first"}


def test_a_third_session_decides_between_rivals():
    first, rivals, third = np.array([[5.0, 2, 2.0]]), np.array([[5.0, 2, 1.5], [5, 2, 2.5]]), np.array([[5.0, 2, 2.6]])
    expected = {(0, 1): first, (0, 2): first, (1, 2): rivals}
    candidates = candidate_links(expected, [first, rivals, third], 1.2)
    pair = candidates[(candidates["first_session"] == 0) & (candidates["second_session"] == 1)]
    assert pair.set_index("second")["probability"].idxmax() == 1
    tracks, _ = time_track(candidates, [1, 2, 1])
    assert tracks[0][0] == tracks[1][1] == tracks[2][0]


def dense(gains, forced, count):
    """The best set of links from one table of all spines."""
    table = np.zeros((count, count))
    for link, gain in gains.items():
        table[link] = gain
    for start, end in forced:
        table[start], table[:, end] = 0, 0
    for link in forced:
        table[link] = 1e6
    rows, columns = linear_sum_assignment(table, maximize=True)
    return {int(end): int(start) for start, end in zip(rows, columns) if table[start, end] > 0}


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_groups_give_the_links_of_one_table(seed):
    """Draws series from a few links to all, in groups or all in one, with links that a person forces, without ties."""
    random = Random(seed)
    count = random.randint(2, 40)
    pairs = [(a, b) for a in range(count) for b in range(a + 1, min(a + random.choice([2, 5, 40]), count))]
    gains = {pair: random.random() for pair in pairs if random.random() < random.choice([0.1, 0.5, 1])}
    forced = {(a, a + 1) for a in range(count - 1) if random.random() < 0.05}
    assert assign(gains, forced) == dense(gains, forced, count)


def test_a_long_series_is_never_one_table(monkeypatch):
    """30 sessions of 1,000 spines: one table of all would have 9e8 entries."""
    rng, largest = np.random.default_rng(0), []

    def watched(table, maximize):
        largest.append(table.size)
        return linear_sum_assignment(table, maximize=maximize)

    monkeypatch.setattr(time_track_module, "linear_sum_assignment", watched)
    gains = {(1000 * s + n, 1000 * (s + 1) + n): 1.0 + rng.random() for s in range(29) for n in range(1000)}
    gains |= {(1000 * s + n, 1000 * (s + 1) + n + 1): rng.random() for s in range(29) for n in range(0, 999, 2)}
    before = assign(gains)
    assert len(before) == 29_000 and all(end - start == 1000 for end, start in before.items())
    assert max(largest) <= 9
