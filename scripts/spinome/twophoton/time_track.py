"""One spine, one id over all sessions, with a probability on each link."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spinome.columns import POSITION
from spinome.twophoton.corrections import correct_links
from spinome.twophoton.correspond import weighted_distance
from spinome.twophoton.dendrites import align_along, dendrite_table, number_dendrites
from spinome.twophoton.fates import fates

# share of a gate that one standard deviation of the residual displacement takes
SIGMA = 0.45
# a link over one missed session is this much less likely than one between neighbours
SKIP = 0.2
# weight of the hypothesis that a spine has no partner, against a partner at one standard deviation
NO_PARTNER = 0.25
# a link less likely than this is worse than none
LEAST_PROBABILITY = 0.2
# how far two links over a third session count for the direct link
SUPPORT = 0.5
LINK_COLUMNS = ["first", "second", "first_session", "second_session", "probability", "distance_um"]


def nearness(distance: np.ndarray, gate_um: float) -> np.ndarray:
    """How much a spine so far from where one is expected speaks for being it: a normal density with its peak at 1."""
    return np.exp(-0.5 * (distance / (SIGMA * gate_um)) ** 2)


def candidate_links(
    expected: dict[tuple[int, int], np.ndarray], places: list[np.ndarray], gate_um: float
) -> pd.DataFrame:
    """Every pair of spines of two sessions that may be one spine, with the probability that it is.

    The weight of a pair is a Gaussian of its distance from where the spine is expected. A pair's probability
    is its weight over that of all hypotheses that exclude it: the other pairs of either spine, and that either
    has no partner. A pair that is also linked by way of a third session is believed the more.

    Parameters
    ----------
    expected : for sessions (i, j), i < j, where the spines of i should lie in j, (N_i, 3) z y x in um
    places : the spines of each session (N_j, 3)

    Returns
    -------
    frame with `LINK_COLUMNS`; `first` and `second` count the spines of their session
    """
    distances, direct = {}, {}
    for (i, j), positions in expected.items():
        if not len(positions) or not len(places[j]):
            continue
        distance = weighted_distance(positions, places[j])
        weight = nearness(distance, gate_um) * SKIP ** (j - i - 1) * (distance <= gate_um)
        others = weight.sum(axis=1, keepdims=True) + weight.sum(axis=0, keepdims=True) - weight
        distances[i, j], direct[i, j] = distance, weight / (others + NO_PARTNER)
    rows = []
    for (i, j), distance in distances.items():
        probability = _supported(direct, i, j, len(places))
        first, second = np.nonzero(direct[i, j])
        values = [first, second, np.full(len(first), i), np.full(len(first), j)]
        rows.append(np.column_stack([*values, probability[first, second], distance[first, second]]))
    frame = pd.DataFrame(np.concatenate(rows) if rows else np.zeros((0, 6)), columns=LINK_COLUMNS)
    return frame.astype(dict.fromkeys(LINK_COLUMNS[:4], int))


def _supported(direct: dict[tuple[int, int], np.ndarray], i: int, j: int, sessions: int) -> np.ndarray:
    """Probability of the pairs of sessions i and j, with the way over each third session as further evidence."""
    both_ways = direct | {(b, a): table.T for (a, b), table in direct.items()}
    doubt = 1 - direct[i, j]
    for k in range(sessions):
        if (i, k) in both_ways and (k, j) in both_ways:
            doubt = doubt * (1 - SUPPORT * both_ways[i, k] @ both_ways[k, j])
    return 1 - doubt


def time_track(
    candidates: pd.DataFrame,
    counts: list[int],
    same: Sequence[Sequence[int]] = (),
    different: Sequence[tuple[int, int]] = (),
) -> tuple[list[np.ndarray], pd.DataFrame]:
    """Choose links over all sessions at once and number the tracks.

    Each spine has at most one link to a later and one to an earlier session, so the best set of links over the
    whole series, gaps, births and deaths included, is one bipartite assignment of all spines as link starts to all
    spines as link ends. A link gains the logarithm of its probability over `LEAST_PROBABILITY`. No track holds two
    spines of one session, since every link goes forward in time.

    What a person said holds: a group that the best set tears apart is linked from session to session, and where it
    joins two spines that are different the least probable link between them is taken out; then all is assigned anew.

    Parameters
    ----------
    candidates : what `candidate_links` returns
    counts : number of spines in each session
    same, different : groups of spines that are one and pairs that are not, numbered through all sessions; no group
        holds a pair or two spines of one session (`spinome.twophoton.corrections`)

    Returns
    -------
    for each session the track of each spine, numbered from 0 by first appearance and never used again; and the
    chosen links, `corrected` where a person's word made or confirmed them (probability 1, distance not a number if none
    was known)
    """
    offset = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    start = offset[candidates["first_session"]] + candidates["first"].to_numpy()
    end = offset[candidates["second_session"]] + candidates["second"].to_numpy()
    gain = np.log(np.maximum(candidates["probability"].to_numpy(), 1e-6) / LEAST_PROBABILITY)
    apart = {tuple(pair) for pair in np.array(different, int).reshape(-1, 2).tolist()}
    worth = dict(zip(zip(start.tolist(), end.tolist()), gain.tolist()))
    # a link that gains nothing is as good as none
    gains = {link: value for link, value in worth.items() if value > 0 and link not in apart}
    forced: set[tuple[int, int]] = set()
    while True:
        before = assign(gains, forced)
        tracks = _number(before, offset[-1])
        torn = next((group for group in same if len({tracks[node] for node in group}) > 1), None)
        joined = next((pair for pair in different if tracks[pair[0]] == tracks[pair[1]]), None)
        if torn is not None:
            forced |= set(itertools.pairwise(torn))
        elif joined is not None:
            between = [link for link in _way(before, *joined) if link not in forced]
            del gains[min(between, key=gains.__getitem__)]
        else:
            break
    kept = np.array([before.get(int(b)) == a for a, b in zip(start, end)], bool)
    links = candidates[kept].assign(corrected=False).reset_index(drop=True)
    group_of = np.arange(-1, -1 - offset[-1], -1)
    for number, group in enumerate(same):
        group_of[list(group)] = number
    by_hand = group_of[start[kept]] == group_of[end[kept]]
    links.loc[by_hand, ["probability", "corrected"]] = [1.0, True]
    unknown = np.array(sorted(forced - set(zip(start.tolist(), end.tolist()))), int).reshape(-1, 2)
    if len(unknown):
        sessions = np.searchsorted(offset, unknown, side="right") - 1
        rows = np.column_stack([unknown - offset[sessions], sessions, np.ones(len(unknown))])
        given = pd.DataFrame(rows, columns=LINK_COLUMNS[:5]).assign(distance_um=np.nan, corrected=True)
        links = pd.concat([links, given], ignore_index=True) if len(links) else given
        links = links.astype(dict.fromkeys(LINK_COLUMNS[:4], int))
    return [tracks[a:b] for a, b in itertools.pairwise(offset)], links


def assign(gains: Mapping[tuple[int, int], float], forced: Collection[tuple[int, int]] = ()) -> dict[int, int]:
    """The spine before each spine (end to start) in the best set of links.

    Links that share a start or an end, directly or by way of others, are a group. Groups have nothing to do with one
    another, so that each is an assignment of its own, and what is held at once is one group.

    Parameters
    ----------
    gains : what each link (start, end) gains, above 0
    forced : links that are in the set whatever they gain
    """
    before = {end: start for start, end in forced}
    taken = set(before.values())
    free = [(*link, gain) for link, gain in gains.items() if link[0] not in taken and link[1] not in before]
    if not free:
        return before
    starts, rows = np.unique([start for start, _, _ in free], return_inverse=True)
    ends, columns = np.unique([end for _, end, _ in free], return_inverse=True)
    gain = np.array([gain for _, _, gain in free])
    count = len(starts) + len(ends)
    graph = coo_array((np.ones(len(free), bool), (rows, columns + len(starts))), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    order = np.argsort(group[rows], kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(group[rows[order]])) + 1):
        (high, row), (wide, column) = (np.unique(side[own], return_inverse=True) for side in (rows, columns))
        table = np.zeros((len(high), len(wide)))
        table[row, column] = gain[own]
        for one, other in zip(*linear_sum_assignment(table, maximize=True)):
            if table[one, other] > 0:
                before[int(ends[wide[other]])] = int(starts[high[one]])
    return before


def _number(before: dict[int, int], count: int) -> np.ndarray:
    """The track of each spine, numbered by first appearance."""
    tracks = np.full(count, -1)
    following = 0
    for node in range(count):
        if node in before:
            tracks[node] = tracks[before[node]]
        else:
            tracks[node], following = following, following + 1
    return tracks


def _way(before: dict[int, int], first: int, last: int) -> list[tuple[int, int]]:
    """The links of a track from its spine `first` to its spine `last`."""
    links = []
    while last > first:
        links.append((before[last], last))
        last = before[last]
    return links


def track_series(
    sessions: list[pd.DataFrame],
    days: list[tuple[str, float]],
    expected: pd.DataFrame,
    sizes_um: list[np.ndarray],
    traced: list[pd.DataFrame],
    gate_um: float,
    same: Sequence[Sequence[int]] = (),
    different: Sequence[tuple[int, int]] = (),
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Track the spines of a series.

    Parameters
    ----------
    sessions : the measured spines of each session
    days : timepoint and day of each session, in order
    expected : what `correspond_series` returns
    sizes_um : extent (z, y, x) of each session's stack
    traced : the dendrites of each session (`spinome.twophoton.backbone.nodes`)
    same, different : what a person said, as `time_track` takes it

    Returns
    -------
    spines : the sessions under each other with `timepoint day spine fate origin`; `dendrite` is renumbered so that
        a dendrite has one number through time, and `along_um` counted from one reference through time
    links : `spine timepoint next_timepoint probability distance_um support corrected`; `support` is the share of the
        spines around it whose places agree with the displacement by which it was expected
    dendrites : what `dendrite_table` returns
    """
    places = [session[POSITION].to_numpy(float) for session in sessions]
    reached = {key: group[POSITION].to_numpy(float) for key, group in expected.groupby(["session", "other"])}
    reached |= {(i, j): np.zeros((0, 3)) for i in range(len(sessions)) for j in (i - 1, i + 1) if (i, j) not in reached}
    forward = {(i, j): where for (i, j), where in reached.items() if 0 <= i < j < len(sessions)}
    candidates = candidate_links(forward, places, gate_um)
    tracks, chosen = time_track(candidates, [len(place) for place in places], same, different)
    count = len(sessions)
    fate = fates(tracks, reached, sizes_um)
    backward = {(count - 1 - i, count - 1 - j): where for (i, j), where in reached.items()}
    origin = fates(tracks[::-1], backward, sizes_um[::-1])[::-1]
    before = {"lost": "gained", "last": "first"}
    labels = [session["dendrite"].to_numpy() for session in sessions]
    numbers = number_dendrites(tracks, labels, traced, places, reached)
    dendrites = [np.array([number.get(int(own), -1) for own in label], int) for number, label in zip(numbers, labels)]
    along = align_along([session["along_um"].to_numpy() for session in sessions], tracks, labels)
    tables = [
        session.assign(
            timepoint=timepoint,
            day=float(day),
            spine=tracks[index],
            fate=fate[index],
            origin=[before.get(name, name) for name in origin[index]],
            dendrite=dendrites[index],
            along_um=along[index],
        )
        for index, (session, (timepoint, day)) in enumerate(zip(sessions, days))
    ]
    leading = ["timepoint", "day", "spine", *POSITION, "score"]
    spines = pd.concat(tables, ignore_index=True)
    spines = spines[leading + [column for column in spines if column not in leading]]
    names = np.array([timepoint for timepoint, _ in days], object)
    supports = expected.set_index(["session", "other", "row"])["support"]
    pairs = pd.MultiIndex.from_frame(chosen[["first_session", "second_session", "first"]])
    ids = [int(tracks[i][row]) for i, row in zip(chosen["first_session"], chosen["first"])]
    links = pd.DataFrame(
        {
            "spine": np.array(ids, int),
            "timepoint": names[chosen["first_session"]],
            "next_timepoint": names[chosen["second_session"]],
            "probability": chosen["probability"],
            "distance_um": chosen["distance_um"],
            "support": supports.reindex(pairs).to_numpy(float),
            "corrected": chosen["corrected"],
        }
    )
    spines = spines.astype({"timepoint": str, "fate": str, "origin": str})
    links = links.astype({"timepoint": str, "next_timepoint": str})
    return spines, links, dendrite_table(traced, days, labels, numbers)


def follow_series(
    sessions: dict[str, pd.DataFrame],
    day_of: Mapping[str, float],
    corrections: pd.DataFrame,
    expected: pd.DataFrame,
    sizes_um: list[np.ndarray],
    traced: list[pd.DataFrame],
    gate_um: float,
) -> dict[str, pd.DataFrame]:
    """Track the spines of a series as `track_series` does, and as a person corrected the links.

    Parameters
    ----------
    sessions : the measured spines of each session by timepoint, in order
    day_of : day by timepoint
    corrections : decisions on links (`spinome.twophoton.corrections`)

    Returns
    -------
    `spines`, `links` and `dendrites`, and `corrections` with what became of each
    """
    names = list(sessions)
    places = [session[POSITION].to_numpy(float) for session in sessions.values()]
    same, different, outcomes = correct_links(corrections, names, places)
    days = [(name, day_of[name]) for name in names]
    tables = track_series(list(sessions.values()), days, expected, sizes_um, traced, gate_um, same, different)
    return dict(zip(("spines", "links", "dendrites"), tables)) | {"corrections": outcomes}
