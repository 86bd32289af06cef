"""Synapses on spines, shafts and soma: where each touches the surface, and how big it is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.phantom.geometry import SHAFT, SOMA, Tubes, onto_surface, surface_at
from spinome.phantom.growth import STEP, Branch
from spinome.phantom.spines import points

CLEFT = 12.0  # from the surface to the middle of the cleft, nm
SHAFT_PER_UM = 0.3
SOMA_PER_UM2 = 0.15
TWO_SYNAPSES = {"thin": 0.04, "mushroom": 0.22, "stubby": 0.06, "filopodium": 0.0}
NO_SYNAPSE = 0.04


def place_synapses(
    rng: np.random.Generator,
    tubes: Tubes,
    branches: list[Branch],
    spines: pd.DataFrame,
    soma: np.ndarray,
    soma_radius: float,
    seed: int,
) -> pd.DataFrame:
    """Synapses of all dendrites, one row each.

    Parameters
    ----------
    tubes, seed : the surface of all dendrites
    branches : `dendrite` counts in them
    spines : the spines that carry synapses (those there at the time of the EM)

    Returns
    -------
    columns id tag spine (-1: none) dendrite (-1: soma) neuron, z_nm y_nm x_nm (middle of the cleft), normal_z
    normal_y normal_x (outward), radius_nm (of the active zone)
    """
    rows = []
    heads = points(spines, "head")
    outward = heads - points(spines, "base")
    for index, spine in enumerate(spines.itertuples()):
        fate = rng.random()
        count = 0 if fate < NO_SYNAPSE else 2 if fate > 1 - TWO_SYNAPSES[spine.kind] else 1
        radius = spine.head_diameter_nm / 2
        used: list[np.ndarray] = []
        for _ in range(count):
            direction = _free_direction(rng, tubes, heads[index], radius, outward[index], used, seed)
            used.append(direction)
            rows.append(
                {
                    "tag": "spine",
                    "spine": spine.spine,
                    "dendrite": spine.dendrite,
                    "neuron": branches[spine.dendrite].neuron,
                    "guess": heads[index] + direction * 1.1 * radius,
                    "radius_nm": radius * rng.uniform(0.5, 0.75) * (0.8 if count == 2 else 1.0),
                }
            )
    for index, branch in enumerate(branches):
        length = (len(branch.nodes) - 1) * STEP
        for _ in range(rng.poisson(SHAFT_PER_UM * length / 1000)):
            guess = _on_shaft(rng, branch, tubes, seed)
            if guess is not None:
                rows.append(
                    {
                        "tag": "shaft",
                        "spine": -1,
                        "dendrite": index,
                        "neuron": branch.neuron,
                        "guess": guess,
                        "radius_nm": rng.uniform(120, 220),
                    }
                )
    for _ in range(rng.poisson(SOMA_PER_UM2 * 4 * np.pi * (soma_radius / 1000) ** 2)):
        direction = rng.normal(size=3)
        guess = soma + direction / np.linalg.norm(direction) * 1.1 * soma_radius
        if tubes.part[surface_at(tubes, guess[None], seed).tube[0]] == SOMA:
            rows.append({"tag": "soma", "spine": -1, "dendrite": -1, "neuron": 1, "guess": guess, "radius_nm": 180.0})
    frame = pd.DataFrame(rows)
    position, normal = onto_surface(tubes, np.stack(frame.pop("guess").to_list()), seed)
    position += CLEFT * normal
    for axis, name in enumerate("zyx"):
        frame[f"{name}_nm"], frame[f"normal_{name}"] = position[:, axis], normal[:, axis]
    frame.insert(0, "id", np.arange(1, len(frame) + 1))
    return frame


def _free_direction(rng, tubes, head, radius, outward, used, seed) -> np.ndarray:
    """A direction from a head with room for a bouton, away from the neck and from the head's other synapses."""
    directions = rng.normal(size=(24, 3)) + 0.9 * outward / np.linalg.norm(outward)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    room = surface_at(tubes, head + directions * (1.1 * radius + 300.0), seed).distance.clip(0, 300)
    away = directions @ (outward / np.linalg.norm(outward))
    score = room / 300 + 0.5 * (away > -0.2) + rng.random(len(directions)) * 0.3
    for other in used:
        score -= 2.0 * (directions @ other > 0.3)
    return directions[np.argmax(score)]


def _on_shaft(rng, branch: Branch, tubes: Tubes, seed: int) -> np.ndarray | None:
    for _ in range(12):
        node = rng.integers(1, len(branch.nodes) - 1)
        along = branch.nodes[node + 1] - branch.nodes[node - 1]
        across = np.cross(along, rng.normal(size=3))
        across /= np.linalg.norm(across)
        guess = branch.nodes[node] + across * 1.1 * branch.radii[node]
        ring = guess + 200.0 * np.array([along, -along, across * np.linalg.norm(along)]) / np.linalg.norm(along)
        near = surface_at(tubes, np.concatenate([guess[None], ring]), seed)
        if (tubes.part[near.tube] == SHAFT).all():
            return guess
    return None
