"""What the sessions around it say of a candidate: a spine is mostly there the session before and the one after."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from spinome.twophoton.correspond import POSITION, correspond_series, weighted_distance
from spinome.twophoton.fates import outside
from spinome.twophoton.sessions import UNLIKE
from spinome.twophoton.time_track import SIGMA

# how often a spine of one session is found in the next one (nine of ten stay for days, and of these nine of ten are
# seen), and how often what is none has a spine, or what a person missed, at its place there; neither was fitted, but
# both were set in view of fits on rr30a, where links are as good for 0.7 to 0.85 and 0.25 to 0.4
FOUND, CHANCE = 0.8, 0.3
# candidates with a lower score neither speak nor are spoken for
LEAST = 0.1
# support that speaks neither for a candidate nor against it: FOUND and CHANCE weigh the same there
NEUTRAL = 0.5


def agreed_scores(
    sessions: list[pd.DataFrame],
    projections: list[np.ndarray],
    voxels_um: list[tuple[float, float, float]],
    sizes_um: list[np.ndarray],
    max_shift_um: float,
    gate_um: float,
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

    Returns
    -------
    for each session the scores (N,)
    """
    judged = [np.clip(own["score"].to_numpy(float), 1e-4, 1 - 1e-4) for own in sessions]
    likely = [score >= LEAST for score in judged]
    places = [own[POSITION].to_numpy(float)[kept] for own, kept in zip(sessions, likely)]
    expected, shifts = correspond_series(places, projections, voxels_um, max_shift_um, gate_um, 0)
    alike = shifts.set_index(["session", "other"])["correlation"] >= UNLIKE
    support = [np.full(len(place), -np.inf) for place in places]
    for (one, other), own in expected.groupby(["session", "other"]):
        if alike[one, other] and len(places[other]):
            there = own[POSITION].to_numpy(float)
            distance = weighted_distance(there, places[other])
            near = np.exp(-0.5 * (distance / (SIGMA * gate_um)) ** 2) * (distance <= 2 * gate_um)
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
