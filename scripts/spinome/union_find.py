"""Sets that are joined: a forest of parents in an array, for compiled loops (Tarjan 1975, with path halving)."""

from __future__ import annotations

import numba


@numba.njit(cache=True)
def find_root(parent, node):
    """The node that stands for the set of `node`; paths on the way are shortened in `parent`."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node
