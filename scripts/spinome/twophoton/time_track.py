"""One spine, one id over all sessions, with a probability on each link."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from spinome.twophoton.correspond import weighted_distance

# share of a gate that one standard deviation of the residual displacement takes
SIGMA = 0.45
# a link over one missed session is this much less likely than one between neighbours
SKIP = 0.3
# weight of the hypothesis that a spine has no partner, against a partner at one standard deviation
NO_PARTNER = 0.25
# a link less likely than this is worse than none
LEAST_PROBABILITY = 0.12
LINK_COLUMNS = ["first", "second", "first_session", "second_session", "probability", "distance_um"]


def candidate_links(
    expected: dict[tuple[int, int], np.ndarray], places: list[np.ndarray], gate_um: float
) -> pd.DataFrame:
    """Every pair of spines of two sessions that may be one spine, with the probability that it is.

    The weight of a pair is a Gaussian of its distance from where the spine is expected. A pair's probability
    is its weight over that of all hypotheses that exclude it: the other pairs of either spine, and that either
    has no partner.

    Parameters
    ----------
    expected : for sessions (i, j), i < j, where the spines of i should lie in j, (N_i, 3) z y x in um
    places : the spines of each session (N_j, 3)

    Returns
    -------
    frame with `LINK_COLUMNS`; `first` and `second` count the spines of their session
    """
    rows = []
    for (i, j), positions in expected.items():
        if not len(positions) or not len(places[j]):
            continue
        distance = weighted_distance(positions, places[j])
        weight = np.exp(-0.5 * (distance / (SIGMA * gate_um)) ** 2) * SKIP ** (j - i - 1) * (distance <= gate_um)
        others = weight.sum(axis=1, keepdims=True) + weight.sum(axis=0, keepdims=True) - weight
        probability = weight / (others + NO_PARTNER)
        first, second = np.nonzero(weight)
        values = [first, second, np.full(len(first), i), np.full(len(first), j)]
        rows.append(np.column_stack([*values, probability[first, second], distance[first, second]]))
    frame = pd.DataFrame(np.concatenate(rows) if rows else np.zeros((0, 6)), columns=LINK_COLUMNS)
    return frame.astype(dict.fromkeys(LINK_COLUMNS[:4], int))


def time_track(candidates: pd.DataFrame, counts: list[int]) -> tuple[list[np.ndarray], pd.DataFrame]:
    """Choose links over all sessions at once and number the tracks.

    Each spine has at most one link to a later and one to an earlier session, so the best set of links over the
    whole series, gaps, births and deaths included, is one bipartite assignment of all spines as link starts to all
    spines as link ends. A link gains the logarithm of its probability over `LEAST_PROBABILITY`. Links that would put two
    spines of one session on one track cannot arise, as every link goes forward in time.

    Parameters
    ----------
    candidates : of `candidate_links`
    counts : number of spines in each session

    Returns
    -------
    for each session the track of each spine, numbered from 0 by first appearance and never used again; and the
    chosen links
    """
    offset = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    start = offset[candidates["first_session"]] + candidates["first"].to_numpy()
    end = offset[candidates["second_session"]] + candidates["second"].to_numpy()
    gain = np.log(np.maximum(candidates["probability"].to_numpy(), 1e-6) / LEAST_PROBABILITY)
    table = np.zeros((offset[-1], offset[-1]))
    table[start, end] = np.maximum(gain, 0)
    rows, columns = linear_sum_assignment(table, maximize=True)
    chosen = {(a, b) for a, b in zip(rows, columns) if table[a, b] > 0}
    kept = np.array([pair in chosen for pair in zip(start, end)], bool)
    before = {int(b): int(a) for a, b in zip(start[kept], end[kept])}
    tracks = np.full(offset[-1], -1)
    following = 0
    for node in range(offset[-1]):
        if node in before:
            tracks[node] = tracks[before[node]]
        else:
            tracks[node], following = following, following + 1
    per_session = [tracks[a:b] for a, b in zip(offset, offset[1:])]
    return per_session, candidates[kept].reset_index(drop=True)
