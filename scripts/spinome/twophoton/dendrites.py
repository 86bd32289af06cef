"""Dendrites through time: one number each, one measure along each, and the density of spines on each."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2

# shafts of two sessions that share so many spines are one dendrite; so many give its direction from one to the next
SHARED, ALIGNED = 2, 3
# what is shorter than this in every session is a bright fragment and no dendrite
FRAGMENT_UM = 8.0
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
    tracks: list[np.ndarray], labels: list[np.ndarray], lengths: list[pd.DataFrame]
) -> list[np.ndarray]:
    """Number dendrites through time.

    Parameters
    ----------
    tracks, labels : for each session the track of each spine and the label of its shaft, -1 where there is none
    lengths : what `spinome.twophoton.backbone.lengths` returns, for each session

    Returns
    -------
    for each session the dendrite of each spine, -1 where there is none or a fragment (`FRAGMENT_UM`)
    """
    nodes = pd.DataFrame(
        {
            "session": np.repeat(np.arange(len(labels)), [len(own) for own in labels]),
            "label": np.concatenate([*labels, np.zeros(0, int)]),
            "track": np.concatenate([*tracks, np.zeros(0, int)]),
        }
    )
    known = nodes[nodes["label"] >= 0]
    keys = {key: index for index, key in enumerate(dict.fromkeys(zip(known["session"], known["label"])))}
    graph = np.zeros((len(keys), len(keys)), int)
    shared = known.merge(known, on="track")
    for row in shared.itertuples():
        graph[keys[row.session_x, row.label_x], keys[row.session_y, row.label_y]] += 1
    _, component = connected_components(csr_array(graph >= SHARED), directed=False)
    longest: dict[int, float] = {}
    for session, table in enumerate(lengths):
        for label, length in zip(table["dendrite"], table["length_um"]):
            if (session, label) in keys:
                dendrite = component[keys[session, label]]
                longest[dendrite] = max(longest.get(dendrite, 0.0), length)
    number = [component[keys[key]] if key in keys else -1 for key in zip(nodes["session"], nodes["label"])]
    number = [dendrite if longest.get(dendrite, 0.0) >= FRAGMENT_UM else -1 for dendrite in number]
    edges = np.cumsum([0, *(len(own) for own in labels)])
    return [np.array(number[a:b], int) for a, b in itertools.pairwise(edges)]


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
    lengths: list[pd.DataFrame],
    days: list[tuple[str, float]],
    labels: list[np.ndarray],
    numbers: list[np.ndarray],
) -> pd.DataFrame:
    """Length and spine density of every dendrite in every session.

    Parameters
    ----------
    lengths : what `spinome.twophoton.backbone.lengths` returns, for each session
    days : timepoint and day of each
    labels, numbers : for each session the label of the shaft of each spine, and its number through time

    Returns
    -------
    frame with `DENDRITE_COLUMNS`, the density with its exact Poisson interval of 95 %; `dendrite` is -1 for a fragment,
    and for one that carries no spine in that session by which it could be followed
    """
    rows = []
    for table, (timepoint, day), label, number in zip(lengths, days, labels, numbers):
        followed = dict(zip(label.tolist(), number.tolist()))
        for shaft, length in zip(table["dendrite"], table["length_um"]):
            count = int((label == shaft).sum())
            low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
            high = chi2.ppf(0.975, 2 * count + 2) / 2
            density = [value / length if length > 0 else np.nan for value in (count, low, high)]
            rows.append([timepoint, float(day), followed.get(shaft, -1), length, count, *density])
    return pd.DataFrame(rows, columns=DENDRITE_COLUMNS).astype({"timepoint": str, "dendrite": int, "spines": int})
