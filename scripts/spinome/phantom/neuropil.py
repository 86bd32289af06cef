"""Axons with boutons that pass through the cutout, bent around the dendrites and around one another."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from spinome.phantom.geometry import SHAFT, Tubes, chain, join, surface

STEP = 200.0  # between two nodes of an axon, nm
GRID = 70.0  # spacing of the map of free space, nm
MARGIN = 800.0  # axons reach this far out of the box, nm
SMALLEST_GAP = 175.0  # free space up to this radius is left to glia, nm


def grow_axons(
    rng: np.random.Generator, dendrites: Tubes, synapses: pd.DataFrame, box: np.ndarray, seed: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Axons through a box from (0, 0, 0) to `box` nm.

    Returns
    -------
    nodes : columns axon node z_nm y_nm x_nm radius_nm bouton (synapse id, 0 where none)
    owners : (S,) axon of each synapse, 0 where it lies outside of the box
    """
    origin = np.full(3, -MARGIN)
    shape = tuple(np.ceil((box + 2 * MARGIN) / GRID).astype(int))
    near = dendrites.touching(origin, box + MARGIN, 1000.0)
    room = surface(near, origin, np.full(3, GRID), shape, seed, margin=900.0).distance.clip(-500, 900)
    slope = np.stack(np.gradient(room, GRID))
    position = synapses[["z_nm", "y_nm", "x_nm"]].to_numpy()
    normal = synapses[["normal_z", "normal_y", "normal_x"]].to_numpy()
    inside = np.flatnonzero(((position > -300) & (position < box + 300)).all(axis=1))
    bouton_radius = rng.uniform(210, 380, len(synapses))
    centre = position + normal * (bouton_radius[:, None] + 10.0)
    owners = np.zeros(len(synapses), int)
    paths, radii, boutons = [], [], []
    left = list(rng.permutation(inside))
    while left:
        chosen, direction = _gather(rng, left, centre)
        left = [index for index in left if index not in chosen]
        path, bouton = _route(centre[chosen], direction, synapses["id"].to_numpy()[chosen], box)
        owners[chosen] = len(paths) + 1
        paths.append(path)
        boutons.append(bouton)
        radii.append(rng.uniform(75, 130))
    for path in _fill(rng, room, origin, paths, box):
        paths.append(path)
        boutons.append(np.zeros(len(path), int))
        radii.append(rng.uniform(60, 190))
    paths = _relax(paths, radii, boutons, room, slope, origin)
    size = dict(zip(synapses["id"], bouton_radius))
    frames = []
    for axon, (path, radius, bouton) in enumerate(zip(paths, radii, boutons), start=1):
        swelling = np.full(len(path), radius) * np.exp(rng.normal(0, 0.12, len(path)))
        for node in np.flatnonzero(bouton):
            way = np.linalg.norm(path - path[node], axis=1)
            swelling = np.maximum(swelling, radius + (size[bouton[node]] - radius) * np.exp(-((way / 300) ** 2)))
        frames.append(
            pd.DataFrame(
                {
                    "axon": axon,
                    "node": range(len(path)),
                    "z_nm": path[:, 0],
                    "y_nm": path[:, 1],
                    "x_nm": path[:, 2],
                    "radius_nm": swelling,
                    "bouton": bouton,
                }
            )
        )
    return pd.concat(frames, ignore_index=True), owners


def axon_tubes(nodes: pd.DataFrame) -> Tubes:
    """Tubes of axons; `owner` is the axon."""
    return join(
        chain(group[["z_nm", "y_nm", "x_nm"]].to_numpy(), group["radius_nm"].to_numpy(), SHAFT, int(axon))
        for axon, group in nodes.groupby("axon", sort=True)
    )


def _gather(rng, left: list[int], centre: np.ndarray) -> tuple[list[int], np.ndarray]:
    """A bouton, and sometimes one or two more that one axon could pass on its way; ordered along it."""
    first = left[0]
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    chosen = [first]
    if rng.random() < 0.6:
        others = np.array(left[1:], int)
        way = centre[others] - centre[first]
        length = np.linalg.norm(way, axis=1)
        fit = others[(length > 700) & (length < 3500)]
        if len(fit):
            second = int(rng.choice(fit))
            direction = centre[second] - centre[first]
            direction /= np.linalg.norm(direction)
            chosen.append(second)
            way = centre[others] - centre[second]
            length = np.linalg.norm(way, axis=1)
            ahead = (way @ direction > 0.85 * length) & (length > 700) & (length < 4000)
            if ahead.any() and rng.random() < 0.6:
                chosen.append(int(others[ahead][0]))
    # boutons that overlap are one bouton with two synapses
    for index in left:
        if index not in chosen and np.linalg.norm(centre[chosen] - centre[index], axis=1).min() < 260:
            chosen.append(index)
    order = np.argsort(centre[chosen] @ direction)
    return [chosen[i] for i in order], direction


def _route(
    centres: np.ndarray, direction: np.ndarray, ids: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A polyline through boutons and out of the box at both ends, and the bouton (or 0) at each node."""
    reach = np.linalg.norm(box) + MARGIN
    corners = [centres[0] - reach * direction, *centres, centres[-1] + reach * direction]
    path, bouton = [], []
    for index, (a, b) in enumerate(itertools.pairwise(corners)):
        count = max(1, round(np.linalg.norm(b - a) / STEP))
        path.append(a + np.arange(count)[:, None] / count * (b - a))
        bouton.append(np.r_[0 if index == 0 else ids[index - 1], np.zeros(count - 1, int)])
    path, bouton = np.concatenate(path), np.concatenate(bouton).astype(int)
    return _clip(path, bouton, box)


def _clip(path: np.ndarray, bouton: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    near = np.flatnonzero(((path > -MARGIN) & (path < box + MARGIN)).all(axis=1))
    return path[near[0] : near[-1] + 1], bouton[near[0] : near[-1] + 1]


def _fill(rng, room: np.ndarray, origin: np.ndarray, paths: list[np.ndarray], box: np.ndarray) -> list[np.ndarray]:
    """Straight axons through the largest gaps, one after the other, until only narrow ones are left."""
    room = room[::2, ::2, ::2]
    steps = np.stack(np.meshgrid(*map(np.arange, room.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    grid = origin + 2 * GRID * steps
    inside = ((grid > -200) & (grid < box + 200)).all(axis=1)
    grid, gap = grid[inside], room.reshape(-1)[inside].astype(float)
    if paths:
        gap = np.minimum(gap, cKDTree(np.concatenate(paths)).query(grid)[0] - 130.0)
    added = []
    while len(added) < 2000:
        widest = np.argmax(gap)
        if gap[widest] < SMALLEST_GAP:
            break
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        path, _ = _route(grid[widest][None], direction, np.zeros(1, int), box)
        added.append(path)
        way = grid - grid[widest]
        along = way @ direction
        gap = np.minimum(gap, np.linalg.norm(way - along[:, None] * direction, axis=1) - 150.0)
    return added


def _relax(paths, radii, boutons, room, slope, origin, rounds: int = 60) -> list[np.ndarray]:
    """Push axons out of dendrites and apart from one another, and keep them smooth; boutons stay where they are."""
    starts = np.cumsum([0, *map(len, paths)])
    nodes = np.concatenate(paths)
    owner = np.repeat(np.arange(len(paths)), np.diff(starts))
    radius = np.asarray(radii)[owner]
    pinned = np.concatenate(boutons) > 0
    ends = np.zeros(len(nodes), bool)
    ends[starts[:-1]] = ends[starts[1:] - 1] = True
    for _ in range(rounds):
        shift = np.zeros_like(nodes)
        pairs = cKDTree(nodes).query_pairs(400.0, output_type="ndarray")
        pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
        way = nodes[pairs[:, 0]] - nodes[pairs[:, 1]]
        length = np.maximum(np.linalg.norm(way, axis=1), 1.0)
        push = (radius[pairs].sum(axis=1) + 40.0 - length).clip(0, 120)[:, None] * way / length[:, None] * 0.25
        for axis in range(3):
            shift[:, axis] += np.bincount(pairs[:, 0], push[:, axis], len(nodes))
            shift[:, axis] -= np.bincount(pairs[:, 1], push[:, axis], len(nodes))
        middle = (np.roll(nodes, 1, axis=0) + np.roll(nodes, -1, axis=0)) / 2
        shift += np.where(ends[:, None], 0, 0.35 * (middle - nodes))
        index = ((nodes + shift - origin) / GRID).T
        free = map_coordinates(room, index, order=1, mode="nearest")
        uphill = np.stack([map_coordinates(part, index, order=1, mode="nearest") for part in slope], axis=1)
        uphill /= np.maximum(np.linalg.norm(uphill, axis=1, keepdims=True), 0.2)
        shift += (radius + 50.0 - free).clip(0, 150)[:, None] * uphill * 0.8
        nodes = nodes + np.where(pinned[:, None], 0, shift.clip(-150, 150))
    return [nodes[a:b] for a, b in itertools.pairwise(starts)]
