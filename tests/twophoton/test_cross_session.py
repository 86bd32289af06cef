import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from spinome.columns import POSITION
from spinome.twophoton import cross_session
from spinome.twophoton.cross_session import agreed_places, agreed_scores

VOXEL, PIXEL = (1.0, 0.12, 0.12), 0.12
SIZE = np.array([24.0, 30.0, 40.0])
MOVE = np.array([0.0, 0.6, -0.84])


@pytest.fixture(scope="module")
def field():
    """Places of spines and a projection that shows them on a texture, as of one session and of the next one."""
    rng = np.random.default_rng(0)
    place = rng.uniform([4, 4, 4], [20, 26, 36], (40, 3))
    light = ndimage.gaussian_filter(rng.random((250, 333)) ** 8, 2) * 500
    for _, y, x in place:
        light[int(y / PIXEL), int(x / PIXEL)] += 2000
    light = ndimage.gaussian_filter(light, 2).astype(np.float32)
    return place, light, ndimage.shift(light, MOVE[1:] / PIXEL, mode="nearest")


def candidates(place, score):
    return pd.DataFrame(place, columns=POSITION).assign(score=score)


def agreed(sessions, projections):
    count = len(sessions)
    return agreed_scores(sessions, projections, [VOXEL] * count, [SIZE] * count, 6.0, 1.5)


def test_what_is_seen_again_gains_and_what_is_not_loses(field):
    place, first, second = field
    scores = np.full(40, 0.6)
    scores[:2] = 0.4
    # the first of the second session is missed there, and one stands alone
    later = candidates(np.vstack([place[1:] + MOVE, [[10.0, 28.5, 3.0]]]), 0.9)
    one, other = agreed([candidates(place, scores), later], [first, second])
    assert one[1] > 0.5 > 0.25 > one[0]
    assert (one[2:] > 0.6).mean() > 0.9
    assert (other[:-1] > 0.9).mean() > 0.8
    assert other[-1] < 0.9


def test_both_neighbours_are_asked_and_one_is_enough(field):
    place, first, second = field
    middle = candidates(place, 0.4)
    seen, missed = candidates(place + MOVE, 0.9), candidates(place[20:] + MOVE, 0.9)
    gained = agreed([missed, middle, seen], [second, first, second])[1]
    assert (gained > 0.4).mean() > 0.9


def test_one_session_and_another_field_say_nothing(field):
    place, first, _ = field
    alone = candidates(place, 0.4)
    assert agreed([alone], [first])[0] == pytest.approx(0.4)
    elsewhere = np.random.default_rng(9).random(first.shape).astype(np.float32)
    one, other = agreed([alone, candidates(place[:5], 0.9)], [first, elsewhere])
    assert one == pytest.approx(0.4)
    assert other == pytest.approx(0.9)


def test_what_the_other_session_does_not_show_is_not_held_against_a_spine(field):
    place, first, second = field
    at_the_edge = np.vstack([place, [[10.0, 0.2, 20.0], [10.0, 15.0, 39.9]]])
    moved = -MOVE
    scores = agreed([candidates(at_the_edge, 0.4), candidates(place + moved, 0.9)], [second, first])[0]
    assert scores[-2:] == pytest.approx([0.4, 0.4])


def test_sessions_without_a_candidate_change_nothing(field):
    place, first, second = field
    one, none = agreed([candidates(place, 0.4), candidates(place[:0], 0.4)], [first, second])
    assert one == pytest.approx(0.4)
    assert len(none) == 0


def test_candidates_of_no_weight_keep_their_score(field):
    place, first, second = field
    scores = np.full(40, 0.6)
    scores[0] = 0.05
    assert agreed([candidates(place, scores), candidates(place + MOVE, 0.9)], [first, second])[0][0] == 0.05


def test_depths_that_err_by_session_are_steadied(field):
    place, first, second = field
    rng = np.random.default_rng(4)
    error = np.column_stack([rng.normal(0, 1.0, 120), np.zeros((120, 2))]).reshape(3, 40, 3)
    moves = [np.zeros(3), MOVE, np.zeros(3)]
    true = [place + move for move in moves]
    sessions = [candidates(own + wrong, 0.9) for own, wrong in zip(true, error)]
    # one that no other session has, and one too doubtful to move
    alone = candidates([[12.0, 2.5, 38.0]], 0.9)
    doubtful = candidates(place[:1] + np.array([1.0, 0, 0]), 0.2)
    sessions[0] = pd.concat([sessions[0], alone, doubtful], ignore_index=True)
    out = agreed_places(sessions, [first, second, first], [VOXEL] * 3, [SIZE] * 3, 6.0, 1.5)
    for own, wrong, found in zip(true, error, out):
        left = found["z_um"].to_numpy()[:40] - own[:, 0]
        assert left.std() < 0.9 * wrong[:, 0].std()
        np.testing.assert_allclose(found["z_slice"], found["z_um"] / VOXEL[0])
    np.testing.assert_allclose(out[0][POSITION].tail(2), sessions[0][POSITION].tail(2))


def test_a_session_of_turned_depths_steadies_the_others_the_right_way(field):
    place, first, _ = field
    turned = np.column_stack([24 - place[:, 0], place[:, 1:]])
    high = place + np.array([1.0, 0, 0])
    sessions = [candidates(high[:1], 0.9), *(candidates(own, 0.9) for own in (turned, place))]
    sessions[0] = pd.concat([sessions[0], candidates(place[1:], 0.9)], ignore_index=True)
    out = agreed_places(sessions, [first] * 3, [VOXEL] * 3, [SIZE] * 3, 6.0, 1.5)
    assert place[0, 0] < out[0]["z_um"][0] < high[0, 0] - 0.3


def test_scores_and_places_together_register_the_projections_once(field, monkeypatch):
    place, first, second = field
    rng = np.random.default_rng(6)
    moves = [np.zeros(3), MOVE, np.zeros(3)]
    sessions = [candidates(place + move + rng.normal(0, 0.2, place.shape), rng.uniform(0.2, 0.9, 40)) for move in moves]
    more = [first, second, first], [VOXEL] * 3, [SIZE] * 3, 6.0, 1.5
    apart = [own.assign(score=score) for own, score in zip(sessions, agreed_scores(sessions, *more))]
    apart = agreed_places(apart, *more)
    calls = []
    original = cross_session.coarse_shifts
    monkeypatch.setattr(cross_session, "coarse_shifts", lambda *given: calls.append(given) or original(*given))
    # whatever asks for a registration of its own does so by this
    monkeypatch.setattr("spinome.twophoton.correspond.coarse_shifts", None)
    together = cross_session.agreed(sessions, *more)
    for own, before in zip(together, sessions):
        np.testing.assert_array_equal(own["score_alone"], before["score"])
    assert len(calls) == 1
    for one, other in zip(apart, together):
        pd.testing.assert_frame_equal(one, other.drop(columns="score_alone"))
