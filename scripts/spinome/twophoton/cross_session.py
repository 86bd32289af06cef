"""What the sessions around it say of a candidate: a spine is mostly there the session before and the one after."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from spinome.columns import POSITION
from spinome.twophoton.correspond import coarse_shifts, correspond_series, weighted_distance
from spinome.twophoton.fates import outside
from spinome.twophoton.sessions import UNLIKE
from spinome.twophoton.time_track import nearness

# how often a spine of one session is found in the next one (nine of ten stay for days, and of these nine of ten are
# seen), and how often what is none has a spine, or what a person missed, at its place there; neither was fitted, but
# both were set in view of fits on rr30a, where links are as good for 0.7 to 0.85 and 0.25 to 0.4
FOUND, CHANCE = 0.8, 0.3
# how many sessions before and after are asked for a candidate's score, and for its place
SCORED_BY, PLACED_BY = 1, 2
# candidates with a lower score neither speak nor are spoken for
LEAST = 0.1
# support that speaks neither for a candidate nor against it: FOUND and CHANCE weigh the same there
NEUTRAL = 0.5
# a candidate moves by what candidates at least this probable, within so much of where they are expected, say of its
# place: all of it along z, where a slice is a guess, and half of it in the plane; it counts itself as one of them
STEADY, NEAR_UM, MOVED = 0.3, 1.0, np.array([1.0, 0.5, 0.5])


def agreed(
    sessions: list[pd.DataFrame],
    projections: list[np.ndarray],
    voxels_um: list[tuple[float, float, float]],
    sizes_um: list[np.ndarray],
    max_shift_um: float,
    gate_um: float,
) -> list[pd.DataFrame]:
    """Candidates with scores and then places that the sessions agree on (`agreed_scores`, `agreed_places`), and what
    each scored before, as `score_alone`."""
    coarse = coarse_shifts(projections, voxels_um, max_shift_um, PLACED_BY - 1)
    more = (projections, voxels_um, sizes_um, max_shift_um, gate_um, coarse)
    scores = agreed_scores(sessions, *more)
    scored = [own.assign(score=score, score_alone=own["score"]) for own, score in zip(sessions, scores)]
    return agreed_places(scored, *more)


def agreed_scores(
    sessions: list[pd.DataFrame],
    projections: list[np.ndarray],
    voxels_um: list[tuple[float, float, float]],
    sizes_um: list[np.ndarray],
    max_shift_um: float,
    gate_um: float,
    coarse: dict[tuple[int, int], tuple[np.ndarray, float]] | None = None,
) -> list[np.ndarray]:
    """Scores of candidates with the sessions before and after weighed in, by Bayes' rule.

    The support of a candidate is the highest score of a candidate where it should lie in either of these sessions, less
    the farther that one lies off. Its odds are multiplied by how much likelier that support is of a spine (`FOUND`)
    than of anything else (`CHANCE`). Nothing in a session that does not show the place, or that looks like another
    field, speaks against a candidate, so a series of one session keeps its scores.

    Parameters
    ----------
    sessions : for each session in order, its candidates `score z_um y_um x_um`, scores being probabilities
    projections : for each session (Y, X)
    voxels_um : for each session, voxel (z, y, x)
    sizes_um : for each session, extent (z, y, x) of its stack
    max_shift_um, gate_um : largest shift between sessions and distance of a spine from where it is expected
    coarse : as `correspond_series` takes it

    Returns
    -------
    for each session the scores (N,)
    """
    judged = [np.clip(own["score"].to_numpy(float), 1e-4, 1 - 1e-4) for own in sessions]
    likely = [score >= LEAST for score in judged]
    places = [own[POSITION].to_numpy(float)[kept] for own, kept in zip(sessions, likely)]
    expected, shifts = correspond_series(places, projections, voxels_um, max_shift_um, gate_um, SCORED_BY - 1, coarse)
    alike = shifts.set_index(["session", "other"])["correlation"] >= UNLIKE
    support = [np.full(len(place), -np.inf) for place in places]
    for (one, other), own in expected.groupby(["session", "other"]):
        if alike[one, other] and len(places[other]):
            there = own[POSITION].to_numpy(float)
            distance = weighted_distance(there, places[other])
            near = nearness(distance, gate_um) * (distance <= 2 * gate_um)
            seen = (near * judged[other][likely[other]]).max(axis=1)
            seen = np.where(outside(there, sizes_um[other]), np.maximum(seen, NEUTRAL), seen)
            support[one] = np.maximum(support[one], seen)
    out = []
    for score, kept, seen in zip(judged, likely, support):
        seen = np.where(np.isfinite(seen), seen, NEUTRAL)
        of_spine, of_other = (share * seen + (1 - share) * (1 - seen) for share in (FOUND, CHANCE))
        agreed = score.copy()
        agreed[kept] = expit(logit(score[kept]) + np.log(of_spine / of_other))
        out.append(agreed)
    return out


def agreed_places(
    sessions: list[pd.DataFrame],
    projections: list[np.ndarray],
    voxels_um: list[tuple[float, float, float]],
    sizes_um: list[np.ndarray],
    max_shift_um: float,
    gate_um: float,
    coarse: dict[tuple[int, int], tuple[np.ndarray, float]] | None = None,
) -> list[pd.DataFrame]:
    """Candidates at places that the sessions around agree on.

    Each session places a head with an error of its own, along z above all. What the two sessions before and the two
    after say of its place, each by way of where the candidates around it moved, is averaged with what its own says. A
    candidate that stands alone stays.

    Parameters
    ----------
    sessions, projections, voxels_um, sizes_um, max_shift_um, gate_um, coarse : as `agreed_scores` takes them, the
        scores agreed

    Returns
    -------
    the sessions with other `z_um z_slice y_um x_um`
    """
    rows = [np.flatnonzero(own["score"].to_numpy(float) >= STEADY) for own in sessions]
    places = [own[POSITION].to_numpy(float)[kept] for own, kept in zip(sessions, rows)]
    scores = [own["score"].to_numpy(float)[kept] for own, kept in zip(sessions, rows)]
    expected, shifts = correspond_series(places, projections, voxels_um, max_shift_um, gate_um, PLACED_BY - 1, coarse)
    between = shifts.set_index(["session", "other"])
    moves, weights = [np.zeros_like(place) for place in places], [np.zeros(len(place)) for place in places]
    for (one, other), own in expected.groupby(["session", "other"]):
        pair = between.loc[(one, other)]
        if pair["correlation"] < UNLIKE or not len(places[other]):
            continue
        there = own[POSITION].to_numpy(float)
        distance = weighted_distance(there, places[other])
        weight = scores[other] * nearness(distance, gate_um) * (distance <= NEAR_UM)
        best = weight.argmax(axis=1)
        weight = weight[np.arange(len(best)), best]
        # where z runs the other way, so does what the other session says of it
        way = np.array([-1.0 if pair["turned"] != pair["other_turned"] else 1.0, 1.0, 1.0])
        moves[one] += weight[:, None] * way * (places[other][best] - there)
        weights[one] += weight
    out = []
    for own, kept, place, move, weight, voxel, size in zip(sessions, rows, places, moves, weights, voxels_um, sizes_um):
        moved = own[POSITION].to_numpy(float, copy=True)
        moved[kept] = (place + MOVED * move / (1 + weight)[:, None]).clip(0, np.maximum(size - voxel, 0))
        own = own.assign(**dict(zip(POSITION, moved.T)))
        out.append(own.assign(z_slice=own["z_um"] / voxel[0]))
    return out
