"""Merge superpixels in the order of a priority, learned or simple, and keep the whole merge tree.

The loop is Gala's (Nunez-Iglesias et al. 2013): the pair of the lowest priority is merged and its neighbours are
scored again. An edge whose regions grew since it was scored is scored again when its turn comes, before it counts.
"""

from __future__ import annotations

import copy
from heapq import heapify, heappop, heappush

import numpy as np
import pandas as pd
from numba import njit
from sklearn.ensemble import ExtraTreesClassifier

from spinome.flat_forest import FlatForest, flatten_forest, forest_probability, no_forest
from spinome.linking.contacts import EMPTY, find_slot, grow
from spinome.linking.edge_features import SHAPES, WIDTH, edge_features, quantile, shape_of
from spinome.linking.region_graph import RegionGraph
from spinome.linking.stakes import weigh
from spinome.scores.overlap import overlaps
from spinome.union_find import find_root

PRIORITIES = {"mean": 0, "median": 1, "forest": 2}


TREE_COLUMNS = {
    "step": "int64",
    "left": "uint64",
    "right": "uint64",
    "priority": "float64",
    "height": "float64",
    "left_voxels": "int64",
    "right_voxels": "int64",
}


def agglomerate(graph: RegionGraph, priority: str = "forest", forest: FlatForest | None = None) -> pd.DataFrame:
    """Merge all that touches, lowest priority first, and return the merge tree.

    Parameters
    ----------
    graph : region graph; it is not changed (`agglomerate_in_place` holds no second copy of it)
    priority : `mean` or `median` membrane probability of the contact, or the `forest`'s probability that the two
        regions are different neurites, weighed by what is at stake (`stakes.weigh`)
    forest : needed for the priority `forest`

    Returns
    -------
    Table of one row per merge in its order: `step left right priority height left_voxels right_voxels`. `left` and
    `right` are labels of superpixels, one in each merged region; `height` is the highest priority so far, so that
    merging what is below a height gives the segmentation of a loop that stopped at that threshold.
    """
    return agglomerate_in_place(copy.deepcopy(graph), priority, forest)


def agglomerate_in_place(
    graph: RegionGraph,
    priority: str = "forest",
    forest: FlatForest | None = None,
    frozen: np.ndarray | None = None,
    limit: float = np.inf,
) -> pd.DataFrame:
    """As `agglomerate`, but the sums of the graph are used up: those of merged regions take their place.

    Parameters
    ----------
    frozen : (N,) bool, regions of which a part is not known here. Where the turn of one of their edges comes nobody
        knows whether it would have merged, so nothing is merged and the region on its other side is frozen too
    limit : merges of this priority or a higher one are not done
    """
    if priority == "forest" and forest is None:
        raise ValueError("the priority 'forest' needs a forest")
    no_truth = np.zeros(len(graph.labels), dtype=np.int64)
    ice = np.zeros(len(graph.labels), np.bool_) if frozen is None else frozen.copy()
    left, right, priorities, left_voxels, right_voxels, _, _ = _merge(
        *_statistics(graph), PRIORITIES[priority], forest or no_forest(), no_truth, False, ice, float(limit)
    )
    return pd.DataFrame(
        {
            "step": np.arange(len(left)),
            "left": graph.labels[left],
            "right": graph.labels[right],
            "priority": priorities,
            "height": np.maximum.accumulate(priorities) if len(priorities) else priorities,
            "left_voxels": left_voxels,
            "right_voxels": right_voxels,
        }
    )


def cut(tree: pd.DataFrame, labels: np.ndarray, threshold: float) -> np.ndarray:
    """The segment of each superpixel when the merge tree is cut at a threshold.

    Parameters
    ----------
    tree : merge tree of `agglomerate`
    labels : (N,) sorted labels of the superpixels
    threshold : merges whose height lies below it are done

    Returns
    -------
    (N,) int64, segments 1..S in the order of their lowest superpixel
    """
    done = tree[tree["height"] < threshold]
    left = np.searchsorted(labels, done["left"].to_numpy())
    right = np.searchsorted(labels, done["right"].to_numpy())
    roots = roots_of(len(labels), left, right)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64) + 1


def training_edges(
    graph: RegionGraph, assignment: np.ndarray, forest: FlatForest | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features of edges and whether the two regions are different neurites, to train a forest on.

    Parameters
    ----------
    graph : region graph
    assignment : (N,) int, true neurite of each region, 0 where it has none
    forest : none for the flat epoch, over all edges before any merge; else the active epoch: merges follow the
        forest, every edge whose turn comes is taken, and only right merges are done

    Returns
    -------
    features (M, WIDTH) float32 and labels (M,) bool
    """
    if forest is None:
        features = initial_features(graph)
        first, second = assignment[graph.pairs[:, 0]], assignment[graph.pairs[:, 1]]
        known = (first > 0) & (second > 0)
        return features[known], (first != second)[known]
    own = _statistics(copy.deepcopy(graph))
    ice = np.zeros(len(graph.labels), np.bool_)
    result = _merge(*own, PRIORITIES["forest"], forest, assignment.astype(np.int64), True, ice, np.inf)
    return result[5], result[6]


def train_forest(graphs: list[tuple[RegionGraph, np.ndarray]], seed: int, trees: int = 100) -> ExtraTreesClassifier:
    """Train on pairs of a region graph and its assignment: one flat epoch, then one active epoch.

    Raises
    ------
    ValueError: if the truth has no two regions to merge, or none to keep apart.
    """
    epochs = [training_edges(graph, assignment) for graph, assignment in graphs]
    forest = _fit(epochs, seed, trees)
    flat = flatten_forest(forest)
    epochs += [training_edges(graph, assignment, flat) for graph, assignment in graphs]
    return _fit(epochs, seed, trees)


def assign(superpixels: np.ndarray, truth: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """True neurite of each superpixel: the label it shares most voxels with, 0 where most of it has none.

    Parameters
    ----------
    superpixels, truth : (Z, Y, X) int
    labels : (N,) the superpixels to assign
    """
    pairs, counts = overlaps(superpixels, truth)
    order = np.lexsort((pairs[:, 1], counts))
    best = dict(zip(pairs[order, 0].tolist(), pairs[order, 1].tolist()))
    return np.array([best.get(int(label), 0) for label in labels], dtype=np.int64)


def initial_features(graph: RegionGraph) -> np.ndarray:
    """Features (E, WIDTH) float32 of all edges before any merge."""
    return _initial(*_statistics(graph))


def _fit(epochs: list[tuple[np.ndarray, np.ndarray]], seed: int, trees: int) -> ExtraTreesClassifier:
    features = np.concatenate([epoch[0] for epoch in epochs])
    labels = np.concatenate([epoch[1] for epoch in epochs])
    if len(np.unique(labels)) < 2:
        raise ValueError(
            f"the truth has {len(labels)} contacts of superpixels, all of one kind; train on a volume with regions "
            "to merge and regions to keep apart"
        )
    # with random splits and broad leaves a forest of another seed says nearly the same
    forest = ExtraTreesClassifier(
        trees, criterion="entropy", max_depth=20, min_samples_leaf=8, random_state=seed, n_jobs=1
    )
    return forest.fit(features, labels)


def _statistics(graph: RegionGraph) -> tuple:
    return (
        graph.pairs,
        graph.region_moments,
        graph.region_histogram,
        graph.edge_moments,
        graph.edge_histogram,
        graph.voxel_um3,
    )


@njit(cache=True)
def roots_of(n, left, right):
    """The lowest region (n,) that each of n regions is joined with by the pairs of `left` and `right`."""
    parent = np.arange(n)
    for number in range(len(left)):
        a, b = find_root(parent, left[number]), find_root(parent, right[number])
        # the lowest superpixel is the root, so that segments count in their order
        parent[max(a, b)] = min(a, b)
    for node in range(n):
        parent[node] = find_root(parent, node)
    return parent


@njit(cache=True)
def _adjacency(pairs, n):
    """A chain of edge ends for each region, and a hash table from a pair to its edge."""
    edges = len(pairs)
    size = 1 << 10
    while size < 4 * edges:
        size *= 2
    table = np.full((size, 2), EMPTY, dtype=np.int64)
    head = np.full(n, EMPTY, dtype=np.int64)
    follow = np.full(2 * edges, EMPTY, dtype=np.int64)
    end = np.empty(2 * edges, dtype=np.int64)
    degree = np.zeros(n, dtype=np.int64)
    for edge in range(edges):
        slot = find_slot(table, pairs[edge, 0] * n + pairs[edge, 1])
        table[slot, 0] = pairs[edge, 0] * n + pairs[edge, 1]
        table[slot, 1] = edge
        for side in range(2):
            node = pairs[edge, side]
            end[2 * edge + side] = node
            follow[2 * edge + side] = head[node]
            head[node] = 2 * edge + side
            degree[node] += 1
    return table, head, follow, end, degree


@njit(cache=True)
def _lookup(table, a, b, n):
    key = a * n + b if a < b else b * n + a
    return table[find_slot(table, key), 1]


@njit(cache=True)
def _common(table, head, follow, end, dead, degree, a, b, n):
    """Number of regions that touch both."""
    if degree[a] > degree[b]:
        a, b = b, a
    count = 0
    slot = head[a]
    while slot != EMPTY:
        if not dead[slot >> 1]:
            other = end[slot ^ 1]
            if other != b:
                edge = _lookup(table, b, other, n)
                if edge != EMPTY and not dead[edge]:
                    count += 1
        slot = follow[slot]
    return count


@njit(cache=True)
def _features(edge, u, v, region_m, region_h, edge_m, edge_h, shapes, surface, degree, common, voxel_um3, out):
    if region_m[u, 0] > region_m[v, 0] or (region_m[u, 0] == region_m[v, 0] and u > v):
        u, v = v, u
    edge_features(
        edge_m[edge],
        edge_h[edge],
        (region_m[u, 0], region_m[v, 0]),
        region_h[u],
        region_h[v],
        shapes[u],
        shapes[v],
        surface[u],
        surface[v],
        (degree[u], degree[v]),
        common,
        voxel_um3,
        out,
    )


@njit(cache=True)
def _initial(pairs, region_m, region_h, edge_m, edge_h, voxel_um3):
    n, edges = len(region_m), len(pairs)
    table, head, follow, end, degree = _adjacency(pairs, n)
    dead = np.zeros(edges, dtype=np.bool_)
    surface = _surfaces(pairs, edge_m, n)
    shapes = _shapes(region_m, region_h)
    out = np.empty((edges, WIDTH), dtype=np.float32)
    for edge in range(edges):
        u, v = pairs[edge]
        common = _common(table, head, follow, end, dead, degree, u, v, n)
        _features(edge, u, v, region_m, region_h, edge_m, edge_h, shapes, surface, degree, common, voxel_um3, out[edge])
    return out


@njit(cache=True)
def _shapes(region_m, region_h):
    """What `shape_of` says of each region (n, SHAPES): it changes with a merge alone, and is asked for by each edge."""
    shapes = np.empty((len(region_m), SHAPES), dtype=np.float32)
    for region in range(len(region_m)):
        shape_of(region_m[region], region_h[region], shapes[region], 0)
    return shapes


@njit(cache=True)
def _surfaces(pairs, edge_m, n):
    surface = np.zeros(n)
    for edge in range(len(pairs)):
        surface[pairs[edge, 0]] += edge_m[edge, 0]
        surface[pairs[edge, 1]] += edge_m[edge, 0]
    return surface


@njit(cache=True)
def _score(edge, priority, forest, sums, surface, table, chains, changes, stamp, out):
    """Priority of an edge as it is now; for the forest its features are left in `out`."""
    region_m, region_h, edge_m, edge_h, shapes, voxel_um3 = sums
    head, follow, end, dead, degree = chains
    u, v = end[2 * edge], end[2 * edge + 1]
    stamp[edge] = changes[u] + changes[v]
    if priority == 0:
        return edge_m[edge, 1] / edge_m[edge, 0]
    if priority == 1:
        return quantile(edge_h[edge], 0.5)
    common = _common(table, head, follow, end, dead, degree, u, v, len(degree))
    _features(edge, u, v, region_m, region_h, edge_m, edge_h, shapes, surface, degree, common, voxel_um3, out)
    return weigh(forest_probability(forest, out), min(region_m[u, 0], region_m[v, 0]) * voxel_um3)


@njit(cache=True)
def _merge(pairs, region_m, region_h, edge_m, edge_h, voxel_um3, priority, forest, truth, learn, frozen, limit):
    n, edges = len(region_m), len(pairs)
    table, head, follow, end, degree = _adjacency(pairs, n)
    filled = edges
    dead = np.zeros(edges, dtype=np.bool_)
    surface = _surfaces(pairs, edge_m, n)
    changes = np.zeros(n, dtype=np.int64)
    stamp = np.zeros(edges, dtype=np.int64)
    serial = np.zeros(edges, dtype=np.int64)
    out = np.empty(WIDTH, dtype=np.float32)

    shapes = _shapes(region_m, region_h) if priority == 2 else np.empty((0, SHAPES), dtype=np.float32)
    sums = (region_m, region_h, edge_m, edge_h, shapes, voxel_um3)
    chains = (head, follow, end, dead, degree)
    heap = [
        (_score(edge, priority, forest, sums, surface, table, chains, changes, stamp, out), edge, np.int64(0))
        for edge in range(edges)
    ]
    heapify(heap)
    left = np.empty(n, dtype=np.int64)
    right = np.empty(n, dtype=np.int64)
    priorities = np.empty(n)
    left_voxels = np.empty(n, dtype=np.int64)
    right_voxels = np.empty(n, dtype=np.int64)
    rows = np.empty((edges if learn else 0, WIDTH), dtype=np.float32)
    labels = np.empty(len(rows), dtype=np.bool_)
    taken, merges = 0, 0
    while len(heap):
        value, edge, number = heappop(heap)
        if dead[edge] or number != serial[edge]:
            continue
        u, v = end[2 * edge], end[2 * edge + 1]
        if stamp[edge] != changes[u] + changes[v]:
            fresh = _score(edge, priority, forest, sums, surface, table, chains, changes, stamp, out)
            if fresh > value:
                serial[edge] += 1
                heappush(heap, (fresh, edge, serial[edge]))
                continue
            value = fresh
        if value >= limit:
            continue
        if frozen[u] or frozen[v]:
            frozen[u] = frozen[v] = True
            continue
        if learn:
            if truth[u] == 0 or truth[v] == 0:
                continue
            if taken == len(rows):
                rows = np.concatenate((rows, np.empty_like(rows)))
                labels = np.concatenate((labels, np.empty_like(labels)))
            _score(edge, priority, forest, sums, surface, table, chains, changes, stamp, out)
            rows[taken] = out
            labels[taken] = truth[u] != truth[v]
            taken += 1
            if truth[u] != truth[v]:
                continue
        # the region of fewer neighbours moves into the other one
        if degree[u] < degree[v]:
            u, v = v, u
        left[merges], right[merges], priorities[merges] = u, v, value
        left_voxels[merges], right_voxels[merges] = np.int64(region_m[u, 0]), np.int64(region_m[v, 0])
        merges += 1
        dead[edge] = True
        degree[u] -= 1
        surface[u] += surface[v] - 2 * edge_m[edge, 0]
        region_m[u] += region_m[v]
        region_h[u] += region_h[v]
        if priority == 2:
            shape_of(region_m[u], region_h[u], shapes[u], 0)
        changes[u] += 1
        touched = np.empty(degree[v], dtype=np.int64)
        count = 0
        slot = head[v]
        while slot != EMPTY:
            after = follow[slot]
            moving = slot >> 1
            if not dead[moving]:
                other = end[slot ^ 1]
                same = _lookup(table, u, other, n)
                if same != EMPTY and not dead[same]:
                    edge_m[same] += edge_m[moving]
                    edge_h[same] += edge_h[moving]
                    dead[moving] = True
                    degree[other] -= 1
                    touched[count] = same
                else:
                    end[slot] = u
                    follow[slot] = head[u]
                    head[u] = slot
                    degree[u] += 1
                    key = u * n + other if u < other else other * n + u
                    place = find_slot(table, key)
                    if table[place, 0] == EMPTY:
                        filled += 1
                    table[place, 0] = key
                    table[place, 1] = moving
                    if 2 * filled > table.shape[0]:
                        table = grow(table)
                    touched[count] = moving
                count += 1
            slot = after
        head[v] = EMPTY
        for index in range(count):
            edge = touched[index]
            serial[edge] += 1
            value = _score(edge, priority, forest, sums, surface, table, chains, changes, stamp, out)
            heappush(heap, (value, edge, serial[edge]))
    return (
        left[:merges],
        right[:merges],
        priorities[:merges],
        left_voxels[:merges],
        right_voxels[:merges],
        rows[:taken],
        labels[:taken],
    )
