"""Which pieces of what runs together are taken for it: the likeliest set of components, none within another.

Two synapses side by side are one component above a low threshold and two above a high one; a faint synapse is none
above the latter. So components above several thresholds are held against each other, each by how likely it is a synapse
by itself.
"""

from __future__ import annotations

import numpy as np

# a piece has to be more likely than this to count for anything
LEAST = 0.2


def choose_pieces(level: np.ndarray, parent: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Of each component at the lowest level take itself or what it holds: the greatest sum of what exceeds `LEAST`.

    Where nothing exceeds it, the likeliest one is taken, so that each component at the lowest level leaves one.

    Parameters
    ----------
    level : (N,) of each component, from 0
    parent : (N,) the component of a lower level that each lies in, -1 for none; of those in one, the order is that in
        which they are added up
    probability : (N,) of being a synapse

    Returns
    -------
    (N,) bool; of two of them neither lies in the other
    """
    own = probability - LEAST
    worth, split = own.copy(), np.zeros(len(own), bool)
    held, best = np.zeros(len(own)), np.full(len(own), -np.inf)
    for at in range(level.max(initial=0), -1, -1):
        here = np.flatnonzero(level == at)
        split[here] = held[here] > np.maximum(own[here], 0)
        # where nothing is likely, the likeliest
        faint = here[~split[here] & (own[here] <= 0) & (best[here] > own[here])]
        worth[here] = np.where(split[here], held[here], own[here])
        worth[faint] = best[faint]
        inner = here[parent[here] >= 0]
        np.add.at(held, parent[inner], np.maximum(worth[inner], 0))
        np.maximum.at(best, parent[inner], worth[inner])
    passed = ~split & (worth > own)
    taken, asked = np.zeros(len(own), bool), parent < 0
    for at in range(level.max(initial=0) + 1):
        here = np.flatnonzero(level == at)
        inner = here[parent[here] >= 0]
        above = parent[inner]
        asked[inner] = asked[above] & (
            (split[above] & (worth[inner] > 0)) | (passed[above] & _first_best(above, worth[inner]))
        )
        taken[here] = asked[here] & ~split[here] & ~passed[here]
    return taken


def _first_best(group: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Which one of each group has the greatest value, the first of equal ones: (N,) bool."""
    order = np.lexsort((np.arange(len(value)), -value, group))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(group[order]) != 0
    best = np.zeros(len(order), bool)
    best[order[first]] = True
    return best
