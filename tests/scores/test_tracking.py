import numpy as np
import pandas as pd
import pytest

from spinome.scores.tracking import hota, idf1, link_counts, link_f1, mota


def points(rows):
    return pd.DataFrame(rows, columns=["time", "track", "true"])


PERFECT = points([(0, 0, 5), (1, 0, 5), (2, 0, 5), (0, 1, 6), (2, 1, 6)])


def test_perfect_tracks_score_one():
    assert (link_f1(PERFECT), idf1(PERFECT), mota(PERFECT), hota(PERFECT)) == (1, 1, 1, 1)
    assert link_counts(PERFECT) == (3, 0, 0)


def test_a_swap_breaks_links_and_identities():
    swapped = points([(0, 0, 5), (1, 0, 5), (2, 1, 5), (0, 1, 6), (1, 1, 6), (2, 0, 6)])
    assert link_counts(swapped) == (2, 2, 2)
    assert idf1(swapped) == pytest.approx(2 * 4 / 12)
    assert mota(swapped) == pytest.approx(1 - 2 / 6)


def test_a_missed_spine_and_a_false_alarm():
    frame = points([(0, 0, 5), (1, -1, 5), (2, 0, 5), (1, 3, -1)])
    # the found link passes over the session in which the spine was missed: it is no link of the truth
    assert link_counts(frame) == (0, 1, 2)
    assert mota(frame) == pytest.approx(1 - 2 / 3)
    assert idf1(frame) == pytest.approx(2 * 2 / 6)


def test_names_of_tracks_do_not_matter():
    renamed = PERFECT.assign(track=PERFECT["track"].map({0: 70, 1: 3}))
    assert (link_f1(renamed), idf1(renamed)) == (1, 1)


def test_nothing_at_all_is_not_a_number():
    assert np.isnan(link_f1(points([]))) and np.isnan(idf1(points([]).astype(int)))


def test_hota_by_hand():
    # a true track of four points, found as two tracks of two: each hit agrees by 2 / 4
    halves = points([(0, 0, 5), (1, 0, 5), (2, 1, 5), (3, 1, 5)])
    assert hota(halves) == pytest.approx(np.sqrt(0.5))
    # two hits of a track that misses one point and has one false: agreement 2 / 4; two hits of four points
    frame = points([(0, 0, 5), (1, 0, 5), (2, -1, 5), (2, 0, -1)])
    assert hota(frame) == pytest.approx(np.sqrt(2 / 4 * 2 / 4))
    assert hota(points([(0, -1, 5), (0, 2, -1)])) == 0
    assert np.isnan(hota(points([])))
