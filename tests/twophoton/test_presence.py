"""Gain, loss and detection told apart, on series of which all three are known."""

import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.presence import COVARIATES, covariates, estimate, histories, presence, taken, with_presence

SESSIONS = list("abcdef")


def made(seed, count=150, loss=0.1, gain=0.1, seen=0.75, spread=1.0, slope=0.7, sessions=6, gap=1, fleeting=0.0):
    """Spines as tracking gives them, the true turnover of each pair of sessions, and who was there when.

    Spines differ in how well they are seen, by their size and by what nothing tells. Tracking lets a spine go that is
    missed more than `gap` times, and takes it for a new one when it is back. In each session a share of `fleeting`
    spines more is there for this session only.
    """
    rng = np.random.default_rng(seed)
    there = [np.cumprod(np.r_[1, rng.random(sessions - 1) >= loss]).astype(bool) for _ in range(count)]
    born = []
    for t in range(1, sessions):
        for _ in range(rng.binomial(count, gain)):
            alive = np.cumprod(np.r_[1, rng.random(sessions - 1 - t) >= loss]).astype(bool)
            born.append(np.r_[np.zeros(t, bool), alive])
    once = [np.eye(sessions, dtype=bool)[t] for t in range(sessions) for _ in range(int(fleeting * count))]
    there = np.array([*there, *born, *once])
    size = rng.standard_normal(len(there))
    logit = np.log(seen / (1 - seen)) + slope * size + spread * rng.standard_normal(len(there))
    sighted = there & (rng.random(there.shape) < (1 / (1 + np.exp(-logit)))[:, None])
    rows, track = [], 0
    for own, log_size in zip(sighted, size):
        when = np.flatnonzero(own)
        for part in np.split(when, np.flatnonzero(np.diff(when) > gap + 1) + 1):
            for at, session in enumerate(part):
                fate = "last" if session == sessions - 1 else "lost" if at == len(part) - 1 else "stable"
                origin = "first" if session == 0 else "gained" if at == 0 else "stable"
                rows.append([SESSIONS[session], track, fate, origin, np.exp(log_size), 0])
            track += 1
    table = pd.DataFrame(rows, columns=["timepoint", "spine", "fate", "origin", COVARIATES[0], "dendrite"])
    changed, count = (there[:, 1:] != there[:, :-1]).sum(axis=0), there.sum(axis=0)
    return table, changed / (count[1:] + count[:-1])


@pytest.mark.parametrize(("loss", "gain"), [(0.0, 0.0), (0.1, 0.1), (0.2, 0.12)])
def test_turnover_is_found_whatever_is_missed(loss, gain):
    errors, inside = [], []
    for seed in range(3):
        table, true = made(seed, loss=loss, gain=gain)
        found = presence(table, SESSIONS, 1)
        errors.append(found.ratio - true)
        inside.append((found.low <= true) & (true <= found.high))
        np.testing.assert_allclose(found.seen, 0.72, atol=0.15)
    # counted as they are seen, a third of the spines would be taken for new or gone
    assert abs(np.mean(errors)) < 0.035 and np.mean(inside) > 0.75


def test_a_series_in_which_every_spine_is_stable_may_have_none_lost():
    table, true = made(5, loss=0.0, gain=0.0)
    assert not true.any()
    found = presence(table, SESSIONS, 1)
    assert (found.low == 0).mean() >= 0.8 and (found.ratio < 0.06).all()
    told = with_presence(table, SESSIONS, 1)
    assert told["lost_probability"].mean() < 0.5


def test_a_loss_that_is_certain_is_told_from_a_miss_that_is_likely():
    # well seen spines: forty stay, ten are gone for good after the second session
    history = np.ones((50, 6))
    history[40:, 2:4], history[40:, 4:] = 0, np.nan
    rng = np.random.default_rng(0)
    found = estimate(history, np.zeros((50, 0)), np.ones(50), np.arange(50))
    assert (found.lost_probability[40:] > 0.95).all() and np.isnan(found.lost_probability[:40]).all()
    assert found.ratio[1] == pytest.approx(10 / 90, abs=0.04)
    # poorly seen ones: a single miss at the end says little
    poor = (rng.random((80, 6)) < 0.6).astype(float)
    poor = poor[poor.any(axis=1)]
    found = estimate(poor, np.zeros((len(poor), 0)), np.ones(len(poor)), np.arange(len(poor)))
    ended = (poor[:, 4] == 1) & (poor[:, 5] == 0)
    assert (found.lost_probability[ended] < 0.4).all()


def test_what_is_not_known_is_no_miss():
    rows = [("b", 0, "out of field", "out of field"), ("c", 1, "lost", "gained"), ("a", 2, "hidden", "first")]
    rows += [("c", 2, "lost", "hidden")]
    table = pd.DataFrame(rows, columns=["timepoint", "spine", "fate", "origin"])
    tracks, history = histories(table, SESSIONS, 1)
    nan = np.nan
    expected = [[nan, 1, nan, nan, nan, nan], [0, 0, 1, 0, 0, nan], [1, 0, 1, 0, 0, nan]]
    assert tracks.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(history, expected)


def test_what_is_hardly_a_spine_hardly_counts():
    table, _ = made(1, loss=0.0, gain=0.0, seen=0.95, spread=0.1, slope=0.0)
    ghosts = pd.DataFrame({"timepoint": np.repeat(SESSIONS, 20), "spine": 10_000 + np.arange(120)})
    ghosts = ghosts.assign(fate="lost", origin="gained", dendrite=0)
    ghosts.loc[ghosts["timepoint"] == "f", "fate"] = "last"
    ghosts.loc[ghosts["timepoint"] == "a", "origin"] = "first"
    both = pd.concat([table.assign(score=1.0), ghosts.assign(score=0.05)], ignore_index=True)
    assert (presence(both, SESSIONS, 1).ratio < 0.06).all()
    assert (presence(both, SESSIONS, 1).seen > 0.9).all()
    # a person put them in, so they count, as spines that are fleeting: of 170 spines 20 are new and 20 gone each time
    assert (presence(both.assign(corrected=both["score"] < 0.1), SESSIONS, 1).ratio > 0.08).all()


def test_a_track_counts_by_what_its_candidates_score_alone():
    table, _ = made(1, loss=0.1, gain=0.1, seen=0.9)
    held_against = table.assign(score=np.where(table["spine"].map(table["spine"].value_counts()) == 1, 0.5, 1.0))
    alone = presence(held_against.assign(score_alone=1.0), SESSIONS, 1)
    np.testing.assert_allclose(alone.ratio, presence(table, SESSIONS, 1).ratio)
    assert (presence(held_against, SESSIONS, 1).ratio < alone.ratio).all()
    # a spine that a person put in has no score of its own
    given = held_against.assign(score_alone=np.nan)
    np.testing.assert_allclose(presence(given, SESSIONS, 1).ratio, presence(held_against, SESSIONS, 1).ratio)


def test_turnover_is_found_where_spines_are_fleeting():
    errors, inside = [], []
    for seed in range(3):
        table, true = made(seed, loss=0.03, gain=0.03, fleeting=0.12)
        found = presence(table, SESSIONS, 1)
        errors.append(found.ratio - true)
        inside.append((found.low <= true) & (true <= found.high))
    assert abs(np.mean(errors)) < 0.035 and np.mean(inside) > 0.75


def supported(scores_alone, supports, threshold=0.5):
    """Sightings that are accepted: what they score alone, and with the odds of what the sessions around say."""
    odds = scores_alone / (1 - scores_alone) * supports
    agreed = odds / (1 + odds)
    kept = agreed >= threshold
    table = pd.DataFrame({"score_alone": scores_alone, "score": agreed})[kept]
    return table.reset_index(drop=True).assign(timepoint="a", fate="lost", origin="gained")


def test_what_no_session_supports_stands_for_those_held_back():
    rng = np.random.default_rng(0)
    alone, supports = rng.uniform(0.02, 0.98, 4000), np.where(np.arange(4000) % 2, 2.7, 0.3)
    table = supported(alone, supports).assign(spine=lambda own: range(len(own)))
    share = taken(table, np.arange(len(table)))
    # of scores spread evenly those above 1 / (1 + 0.3) are kept where nothing supports, above 1 / (1 + 2.7) elsewhere
    lone = table["score"] < table["score_alone"]
    np.testing.assert_allclose(share[lone], (0.98 - 1 / 1.3) / (0.98 - 1 / 3.7), atol=0.03)
    np.testing.assert_allclose(share[~lone], 1.0, atol=0.01)
    # sightings of one track support each other; what a person put in, and what was never agreed on, is not held back
    assert (taken(table.assign(spine=0), np.array([0])) == 1).all()
    assert (taken(table.assign(corrected=True), np.arange(len(table))) == 1).all()
    assert (taken(table.drop(columns="score_alone"), np.arange(len(table))) == 1).all()


def test_intervals_are_wider_where_scores_are_doubtful():
    table, _ = made(3, loss=0.1, gain=0.1, seen=0.9, sessions=4)
    sure = presence(table.assign(score=0.999), SESSIONS[:4], 1)
    unsure = presence(table.assign(score=0.6), SESSIONS[:4], 1)
    assert ((unsure.high - unsure.low) > (sure.high - sure.low)).all()
    assert (sure.low <= sure.ratio).all() and (sure.ratio <= sure.high).all()


def test_few_doubtful_spines_have_a_whole_interval_or_none():
    seen = [("a", "b", "c", "d"), ("a", "b"), ("a", "b", "c", "d"), ("a", "b")]
    rows = [{"timepoint": day, "spine": number, "score": 0.6} for number, days in enumerate(seen) for day in days]
    frame = pd.DataFrame(rows).assign(fate="stable", origin="stable")
    found = presence(frame, list("abcd"), 1)
    known = np.isfinite(found.ratio)
    assert known.any() and (found.low[known] <= found.ratio[known]).all() and (found.ratio <= found.high)[known].all()
    assert (np.isfinite(found.low) == np.isfinite(found.high)).all()


def test_two_sessions_or_no_spine_tell_nothing():
    table, _ = made(0, count=20, sessions=2)
    assert presence(table, SESSIONS[:2], 1) is None
    told = with_presence(table, SESSIONS[:2], 1)
    assert told[["seen_probability", "lost_probability", "gained_probability"]].isna().all(axis=None)
    assert presence(table.head(0), SESSIONS, 1) is None
    assert len(with_presence(table.head(0), SESSIONS, 1)) == 0


def test_covariates_that_say_nothing_are_left_out():
    table = pd.DataFrame({"spine": [0, 0, 1], COVARIATES[0]: [1.0, np.nan, 0.0], "z_um": [2.0, 4.0, 9.0]})
    x = covariates(table, np.array([0, 1]))
    np.testing.assert_allclose(x, [[-1.0], [1.0]])
