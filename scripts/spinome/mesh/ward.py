"""Ward clustering of neighbours on a graph, up to a height (Ward 1963).

The same partition as scikit-learn's `AgglomerativeClustering` with a connectivity, which builds the whole tree and
takes about 80 us a vertex; this stops at the height, keeps one nearest neighbour a cluster instead of every edge in
its heap, and takes about 2.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numba import njit

from spinome.union_find import find_root


def ward(graph: sp.csr_array, features: np.ndarray, distance: float) -> np.ndarray:
    """Merge the two nearest neighbouring clusters until none are nearer than a distance.

    The distance of two clusters of n and m members is sqrt(2 n m / (n + m)) times that of their means.

    Parameters
    ----------
    graph : (V, V) symmetric; its entries say which vertices are neighbours, their values do not count
    features : (V, T)
    distance : height at which merging ends

    Returns
    -------
    (V,) int32, the cluster of each vertex, numbered by their first vertices
    """
    means = np.array(features, np.float64)
    parent = _merge(graph.indptr, graph.indices, means, distance**2 / 2)
    _, first, label = np.unique(parent, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[label]


@njit(cache=True, fastmath={"contract", "reassoc"})
def _inertia(means, size, a, b):
    """What the sum of squares within clusters grows by when two of them become one."""
    total = 0.0
    for k in range(means.shape[1]):
        difference = means[a, k] - means[b, k]
        total += difference * difference
    return total * size[a] * size[b] / (size[a] + size[b])


@njit(cache=True)
def _push(heights, nodes, stamps, count, height, node, stamp):
    """Put an entry into a binary heap, the lowest height first and of equal heights the lowest node."""
    place = count
    while place > 0:
        above = (place - 1) >> 1
        if heights[above] < height or (heights[above] == height and nodes[above] <= node):
            break
        heights[place], nodes[place], stamps[place] = heights[above], nodes[above], stamps[above]
        place = above
    heights[place], nodes[place], stamps[place] = height, node, stamp
    return count + 1


@njit(cache=True)
def _pop(heights, nodes, stamps, count):
    """Take the first entry out of the heap; returns it and the new length."""
    height, node, stamp = heights[0], nodes[0], stamps[0]
    count -= 1
    last_height, last_node, last_stamp = heights[count], nodes[count], stamps[count]
    place = 0
    while True:
        below = 2 * place + 1
        if below >= count:
            break
        right = below + 1
        if right < count and (
            heights[right] < heights[below] or (heights[right] == heights[below] and nodes[right] < nodes[below])
        ):
            below = right
        if last_height < heights[below] or (last_height == heights[below] and last_node <= nodes[below]):
            break
        heights[place], nodes[place], stamps[place] = heights[below], nodes[below], stamps[below]
        place = below
    heights[place], nodes[place], stamps[place] = last_height, last_node, last_stamp
    return height, node, stamp, count


@njit(cache=True)
def _scan(node, parent, head, follow, targets, seen, mark, means, size):
    """The nearest neighbour of a cluster and its height; drops neighbours that it has swallowed or that are twice."""
    best, nearest = np.inf, -1
    before, place = -1, head[node]
    while place != -1:
        other = find_root(parent, targets[place])
        if other == node or seen[other] == mark:
            if before == -1:
                head[node] = follow[place]
            else:
                follow[before] = follow[place]
        else:
            seen[other] = mark
            targets[place] = other
            height = _inertia(means, size, node, other)
            if height < best or (height == best and other < nearest):
                best, nearest = height, other
            before = place
        place = follow[place]
    return best, nearest, before


@njit(cache=True)
def _merge(starts, columns, means, limit):
    """The root of each vertex's cluster; `means` (V, T) is overwritten."""
    count = len(starts) - 1
    parent, size = np.arange(count), np.ones(count)
    targets, follow = columns.astype(np.int32), np.arange(1, len(columns) + 1).astype(np.int32)
    head, tail = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    for node in range(count):
        if starts[node + 1] > starts[node]:
            head[node] = starts[node]
            follow[starts[node + 1] - 1] = -1
    seen, mark = np.full(count, -1, np.int64), 0
    nearest, lowest, stamp = np.full(count, -1, np.int64), np.full(count, np.inf), np.zeros(count, np.int32)
    heights, nodes, stamps = np.empty(2 * count), np.empty(2 * count, np.int32), np.empty(2 * count, np.int32)
    waiting = 0
    for node in range(count):
        mark += 1
        lowest[node], nearest[node], tail[node] = _scan(node, parent, head, follow, targets, seen, mark, means, size)
        if lowest[node] < limit:
            waiting = _push(heights, nodes, stamps, waiting, lowest[node], node, 0)
    while waiting > 0:
        height, node, entered, waiting = _pop(heights, nodes, stamps, waiting)
        if parent[node] != node or stamp[node] != entered:
            continue
        other = nearest[node]
        # the lower number stays, so that clusters do not depend on which of the two was in front
        kept, gone = min(node, other), max(node, other)
        together = size[kept] + size[gone]
        for k in range(means.shape[1]):
            means[kept, k] = (size[kept] * means[kept, k] + size[gone] * means[gone, k]) / together
        size[kept] = together
        parent[gone] = kept
        if head[gone] != -1:
            if head[kept] == -1:
                head[kept] = head[gone]
            else:
                follow[tail[kept]] = head[gone]
        mark += 1
        lowest[kept], nearest[kept], tail[kept] = _scan(kept, parent, head, follow, targets, seen, mark, means, size)
        stamp[kept] += 1
        if lowest[kept] < limit:
            if waiting == len(heights):
                heights, nodes, stamps = _longer(heights, nodes, stamps)
            waiting = _push(heights, nodes, stamps, waiting, lowest[kept], kept, stamp[kept])
        place = head[kept]
        while place != -1:
            other = targets[place]
            if nearest[other] == kept or nearest[other] == gone:
                mark += 1
                height, near, tail[other] = _scan(other, parent, head, follow, targets, seen, mark, means, size)
            else:
                height = _inertia(means, size, other, kept)
                near = kept
                if height > lowest[other] or (height == lowest[other] and nearest[other] < kept):
                    place = follow[place]
                    continue
            lowest[other], nearest[other] = height, near
            stamp[other] += 1
            if height < limit:
                if waiting == len(heights):
                    heights, nodes, stamps = _longer(heights, nodes, stamps)
                waiting = _push(heights, nodes, stamps, waiting, height, other, stamp[other])
            place = follow[place]
    for node in range(count):
        parent[node] = find_root(parent, node)
    return parent


@njit(cache=True)
def _longer(heights, nodes, stamps):
    """The same heap with twice the room."""
    room = 2 * len(heights)
    more_heights, more_nodes, more_stamps = np.empty(room), np.empty(room, np.int32), np.empty(room, np.int32)
    more_heights[: len(heights)], more_nodes[: len(nodes)], more_stamps[: len(stamps)] = heights, nodes, stamps
    return more_heights, more_nodes, more_stamps
