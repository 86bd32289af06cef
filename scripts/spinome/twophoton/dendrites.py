"""Dendrites through time: one number each, one measure along each, and the density of spines on each."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.stats import chi2

from spinome.twophoton.backbone import lengths_of

# shafts of two sessions that share so many spines are one dendrite; so many give its direction from one to the next
SHARED, ALIGNED = 2, 3
# what is shorter than this in every session is a bright fragment and no dendrite
FRAGMENT_UM = 8.0
# a shaft lies on another where so much of it is no farther away than this, moved as its nearest spines are
OVERLAP, APART_UM, NEIGHBOURS = 0.5, 1.2, 5
DENDRITE_COLUMNS = [
    "timepoint",
    "day",
    "dendrite",
    "length_um",
    "spines",
    "density_per_um",
    "density_low",
    "density_high",
]


def number_dendrites(
    tracks: list[np.ndarray],
    labels: list[np.ndarray],
    traced: list[pd.DataFrame],
    places: list[np.ndarray],
    expected: Mapping[tuple[int, int], np.ndarray],
) -> list[dict[int, int]]:
    """Number dendrites through time.

    Shafts of two sessions are one dendrite where they share `SHARED` spines, or where one lies on the other once it is
    moved as the spines around it are: a dendrite that has few spines, or falls into pieces on a dim day, is one all the
    same. Where a person traced the dendrites of both sessions, the person's numbers say which are one.

    Parameters
    ----------
    tracks, labels : for each session the track of each spine and the label of its shaft, -1 where there is none
    traced : what `spinome.twophoton.backbone.nodes` returns, for each session
    places : the spines of each session (N, 3) z y x in um
    expected : for sessions (i, j), where the spines of i should lie in j, (N, 3)

    Returns
    -------
    for each session the dendrite of each label, -1 for a fragment (`FRAGMENT_UM`); the numbers that a person gave are
    kept where all sessions have such
    """
    known = {(session, int(label)) for session, table in enumerate(traced) for label in table["dendrite"]}
    known |= {(session, int(label)) for session, own in enumerate(labels) for label in own[own >= 0]}
    keys = {key: index for index, key in enumerate(sorted(known))}
    given = [bool(len(table) and table["given"].all()) for table in traced]
    if traced and all(given):
        return [{label: label for session, label in keys if session == own} for own in range(len(labels))]
    graph = np.zeros((len(keys), len(keys)), int)
    owned = pd.DataFrame(
        {
            "session": np.repeat(np.arange(len(labels)), [len(own) for own in labels]),
            "label": np.concatenate([*labels, np.zeros(0, int)]),
            "track": np.concatenate([*tracks, np.zeros(0, int)]),
        }
    )
    owned = owned[owned["label"] >= 0]
    for row in owned.merge(owned, on="track").itertuples():
        graph[keys[row.session_x, row.label_x], keys[row.session_y, row.label_y]] += 1
    joined = graph >= SHARED
    for i, j in expected:
        if not (0 <= i < j < len(traced)):
            continue
        for one, other in _lying_on(traced[i], traced[j], places[i], expected[i, j]):
            joined[keys[i, one], keys[j, other]] = True
    for i, j in itertools.combinations(np.flatnonzero(given), 2):
        for label in set(traced[i]["dendrite"]) & set(traced[j]["dendrite"]):
            joined[keys[i, label], keys[j, label]] = True
    _, component = connected_components(csr_array(joined), directed=False)
    longest: dict[int, float] = {}
    for session, table in enumerate(traced):
        lengths = lengths_of(table)
        numbers = [int(component[keys[session, label]]) for label in lengths["dendrite"]]
        for number, length in lengths["length_um"].groupby(numbers).sum().items():
            longest[number] = max(longest.get(number, 0.0), length)
    number = [int(own) if longest.get(int(own), 0.0) >= FRAGMENT_UM else -1 for own in component]
    return [
        {label: number[keys[session, label]] for session, label in keys if session == own} for own in range(len(labels))
    ]


def _lying_on(
    first: pd.DataFrame, second: pd.DataFrame, places: np.ndarray, expected: np.ndarray
) -> list[tuple[int, int]]:
    """Labels of two sessions of which the shorter lies on the other for at least `OVERLAP` of its nodes."""
    if first.empty or second.empty or not len(places):
        return []
    near = cKDTree(places[:, 1:]).query(first[["y_um", "x_um"]], min(NEIGHBOURS, len(places)))[1]
    moves = (expected - places)[:, 1:]
    moved = first[["y_um", "x_um"]].to_numpy() + np.median(moves[near].reshape(len(first), -1, 2), axis=1)
    ends = (first["dendrite"].to_numpy(), second["dendrite"].to_numpy())
    pairs = []
    for one in np.unique(ends[0]):
        for other in np.unique(ends[1]):
            nodes = [moved[ends[0] == one], second.loc[ends[1] == other, ["y_um", "x_um"]].to_numpy()]
            short, long = sorted(nodes, key=len)
            if (cKDTree(long).query(short)[0] <= APART_UM).mean() >= OVERLAP:
                pairs.append((int(one), int(other)))
    return pairs


def align_along(along_um: list[np.ndarray], tracks: list[np.ndarray], labels: list[np.ndarray]) -> list[np.ndarray]:
    """Bring distances along dendrites of all sessions to the reference of the first session that shows each.

    A shaft enters the field at another place in each session. The spines that it shares with sessions before say how
    far the reference moved (median) and whether the direction turned.

    Parameters
    ----------
    along_um : for each session the distance of each spine along its shaft, from that session's own reference
    tracks, labels : see `number_dendrites`
    """
    known: dict[int, float] = {}
    out = []
    for own, ids, shaft in zip(along_um, tracks, labels):
        place = np.array(own, float)
        for label in np.unique(shaft[shaft >= 0]):
            rows = np.flatnonzero((shaft == label) & np.isfinite(place))
            shared = np.array([row for row in rows if ids[row] in known], int)
            if len(shared) >= ALIGNED:
                before = np.array([known[ids[row]] for row in shared])
                if np.cov(before, place[shared])[0, 1] < 0:
                    place[rows] *= -1
                place[rows] += np.median(before - place[shared])
        known |= {int(track): float(value) for track, value in zip(ids, place) if np.isfinite(value)}
        out.append(place)
    return out


def dendrite_table(
    traced: list[pd.DataFrame],
    days: list[tuple[str, float]],
    labels: list[np.ndarray],
    numbers: list[dict[int, int]],
) -> pd.DataFrame:
    """Length and spine density of every dendrite in every session, its pieces together.

    Parameters
    ----------
    traced : what `spinome.twophoton.backbone.nodes` returns, for each session
    days : timepoint and day of each
    labels : for each session the label of the shaft of each spine
    numbers : what `number_dendrites` returns

    Returns
    -------
    frame with `DENDRITE_COLUMNS`, the density with its exact Poisson interval of 95 %; `dendrite` is -1 for a fragment,
    each in a row of its own
    """
    rows = []
    for table, (timepoint, day), label, number in zip(traced, days, labels, numbers):
        shafts = lengths_of(table)
        shafts["number"] = [number[shaft] for shaft in shafts["dendrite"]]
        shafts["spines"] = [int((label == shaft).sum()) for shaft in shafts["dendrite"]]
        whole = shafts[shafts["number"] >= 0].groupby("number", as_index=False)[["length_um", "spines"]].sum()
        for row in pd.concat([whole, shafts[shafts["number"] < 0]], ignore_index=True).itertuples():
            low = chi2.ppf(0.025, 2 * row.spines) / 2 if row.spines else 0.0
            high = chi2.ppf(0.975, 2 * row.spines + 2) / 2
            length = row.length_um
            density = [value / length if length > 0 else np.nan for value in (row.spines, low, high)]
            rows.append([timepoint, float(day), row.number, length, row.spines, *density])
    return pd.DataFrame(rows, columns=DENDRITE_COLUMNS).astype({"timepoint": str, "dendrite": int, "spines": int})
