"""Dendrites: persistent walks from the soma to targets spread over the field, and passing ones in the cutout.

Lengths in this module are nm, positions (z, y, x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

STEP = 250.0  # between two nodes, nm


@dataclass(frozen=True)
class Branch:
    """An unbranched piece of dendrite: `nodes` (N, 3) z y x in nm, `radii` (N,) in nm, `neuron` it belongs to."""

    nodes: np.ndarray
    radii: np.ndarray
    neuron: int


def grow_arbour(
    rng: np.random.Generator, soma: np.ndarray, soma_radius: float, targets: np.ndarray, fork: np.ndarray
) -> list[Branch]:
    """A trunk from the soma to `fork`, then forks until every target (T, 3) has a branch of its own."""
    direction = (fork - soma) / np.linalg.norm(fork - soma)
    start = soma + direction * 0.8 * soma_radius
    trunk = walk(rng, start, fork, direction)
    branches = [Branch(trunk, taper(rng, len(trunk), 520.0, 430.0), 1)]
    order = np.argsort(targets[:, 1])
    return branches + _fork(rng, trunk, targets[order], 400.0)


def _fork(rng: np.random.Generator, parent: np.ndarray, targets: np.ndarray, radius: float) -> list[Branch]:
    start, heading = parent[-1], parent[-1] - parent[-4]
    heading = heading / np.linalg.norm(heading)
    if len(targets) == 1:
        nodes = walk(rng, start, targets[0], heading)
        return [Branch(nodes, taper(rng, len(nodes), radius, max(0.6 * radius, 190.0)), 1)]
    cut = len(targets) // 2 if rng.random() < 0.5 else (len(targets) + 1) // 2
    branches = []
    for group in (targets[:cut], targets[cut:]):
        if len(group) == 1:
            branches += _fork(rng, parent, group, 0.85 * radius)
            continue
        share = rng.uniform(0.25, 0.4)
        nodes = walk(rng, start, start + share * (group.mean(axis=0) - start), heading)
        branches.append(Branch(nodes, taper(rng, len(nodes), radius, 0.9 * radius), 1))
        branches += _fork(rng, nodes, group, 0.8 * radius)
    return branches


def walk(rng: np.random.Generator, start: np.ndarray, target: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Nodes (N, 3) from `start` to about `target`: a persistent walk that leaves along `heading`."""
    nodes, direction = [np.asarray(start, float)], np.asarray(heading, float)
    wander = np.zeros(3)
    first = np.linalg.norm(target - nodes[0])
    for _ in range(int(1.5 * first / STEP)):
        way = target - nodes[-1]
        remaining = np.linalg.norm(way)
        if remaining < 2 * STEP:
            break
        wander = 0.93 * wander + rng.normal(0, 0.11, 3) * [0.6, 1, 1]
        direction = 0.8 * direction + 0.2 * (way / remaining + wander * min(1.0, remaining / 4000))
        direction /= np.linalg.norm(direction)
        nodes.append(nodes[-1] + STEP * direction)
    while len(nodes) < 4:
        nodes.append(nodes[-1] + STEP * direction)
    return np.array(nodes)


def taper(rng: np.random.Generator, count: int, first: float, last: float, roughness: float = 0.15) -> np.ndarray:
    """Radii (count,) from `first` to `last` with slow varicosities."""
    slow = np.interp(
        np.arange(count), np.arange(0, count + 5, 5), rng.normal(0, roughness, len(range(0, count + 5, 5)))
    )
    return np.linspace(first, last, count) * np.exp(slow)


def passing_branches(
    rng: np.random.Generator,
    box: np.ndarray,
    count: int,
    nodes: np.ndarray,
    first_neuron: int,
    margin: float = 2000.0,
) -> list[Branch]:
    """Dendrites of other neurons that pass through a box from (0, 0, 0) to `box` (nm).

    Drawn at random and kept where they stay away from other dendrites' `nodes` (N, 3) and from one another; the
    distance asked for shrinks until there are `count` of them.
    """
    branches: list[Branch] = []
    clearance = 1600.0
    while len(branches) < count and clearance > 700.0:
        for _ in range(80):
            path = _through(rng, box, margin)
            inside = ((path > 0) & (path < box)).all(axis=1).sum() * STEP
            if inside < 0.8 * box[1:].min() or len(path) < 8:
                continue
            if cKDTree(nodes).query(path)[0].min() < clearance:
                continue
            radius = rng.uniform(170, 400)
            branches.append(Branch(path, taper(rng, len(path), radius, radius), first_neuron + len(branches)))
            nodes = np.concatenate([nodes, path])
            break
        else:
            clearance *= 0.9
    return branches


def _through(rng: np.random.Generator, box: np.ndarray, margin: float) -> np.ndarray:
    """Nodes of a walk through a box, most of them in plane, that end `margin` nm outside of it."""
    centre = rng.uniform([0.05, 0.1, 0.1], [0.95, 0.9, 0.9]) * box
    direction = rng.normal(size=3) * [0.1, 1.0, 1.0]
    direction /= np.linalg.norm(direction)
    half = np.linalg.norm(box) / 2 + margin
    nodes = walk(rng, centre - half * direction, centre + half * direction, direction)
    near = np.flatnonzero(((nodes > -margin) & (nodes < box + margin)).all(axis=1))
    return nodes[near[0] : near[-1] + 1] if len(near) else nodes[:0]
