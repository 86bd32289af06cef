"""Spines: where they sit, their shapes, and when they are there.

Shapes follow Harris & Stevens 1989 and Arellano et al. 2007 (neck 0-1.5 um, head 0.3-0.8 um, volume 0.01-0.5 um3).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from spinome.phantom.geometry import HEAD, NECK, Tubes, chain, join
from spinome.phantom.growth import STEP, Branch

# share, neck length, neck diameter and head diameter of each kind, nm
KINDS = {
    "thin": (0.50, (500, 1500), (110, 170), (300, 470)),
    "mushroom": (0.32, (300, 900), (150, 260), (480, 800)),
    "stubby": (0.18, (0, 150), (260, 380), (380, 600)),
}
# the same of filopodia, which are long and end without a head (Risher et al. 2014); how many there are depends on age
FILOPODIUM = ((2000, 3500), (150, 240), (180, 280))
CLEARANCE = 130.0  # between a head and what it does not belong to, nm


def place_spines(
    rng: np.random.Generator,
    branches: list[Branch],
    per_um: list[float],
    sessions: int,
    bare: list[float],
    spine_scale: float = 1.0,
    changing_spines: float = 0.3,
    filopodia: float = 0.0,
) -> pd.DataFrame:
    """Spines of dendrites, one row each, that touch neither one another nor another dendrite.

    Parameters
    ----------
    branches : the dendrites; `dendrite` counts in them
    per_um : mean number of spines per micrometre of each branch
    sessions : number of sessions; a spine is there from `first_timepoint` to `last_timepoint`
    bare : length without spines at the beginning of each branch, nm
    spine_scale : factor of the diameter of heads
    changing_spines : share of the spines that come or go within the series, half of them each
    filopodia : share of the spines that are filopodia

    Returns
    -------
    columns spine dendrite kind, axis_ base_ bend_ head_ and lobe_ positions `_z_nm _y_nm _x_nm`, head_diameter_nm
    neck_length_nm neck_diameter_nm volume_um3 first_timepoint last_timepoint
    """
    nodes = np.concatenate([branch.nodes for branch in branches])
    node_radii = np.concatenate([branch.radii for branch in branches])
    node_branch = np.concatenate([np.full(len(branch.nodes), index) for index, branch in enumerate(branches)])
    tree = cKDTree(nodes)
    rows: list[dict] = []
    balls: list[np.ndarray] = []
    for index, branch in enumerate(branches):
        length = (len(branch.nodes) - 1) * STEP
        place = bare[index] + rng.exponential(500.0 / per_um[index])
        while place < length - 250.0:
            for _ in range(24):
                row = _draw(rng, branch, place, spine_scale, filopodia)
                ball = _balls(row)
                if _is_free(ball, row, index, tree, nodes, node_radii, node_branch, balls):
                    balls.append(ball)
                    rows.append({"spine": len(rows), "dendrite": index, **row})
                    break
            place += max(250.0, rng.gamma(2.0, 500.0 / per_um[index]))
    frame = pd.DataFrame(rows)
    return frame.assign(**_presence(rng, len(frame), sessions, changing_spines))


def _draw(rng: np.random.Generator, branch: Branch, place: float, spine_scale: float, filopodia: float) -> dict:
    node = min(int(place / STEP), len(branch.nodes) - 2)
    share = place / STEP - node
    axis = (1 - share) * branch.nodes[node] + share * branch.nodes[node + 1]
    radius = (1 - share) * branch.radii[node] + share * branch.radii[node + 1]
    along = branch.nodes[node + 1] - branch.nodes[node]
    along /= np.linalg.norm(along)
    across = rng.normal(size=3)
    across -= (across @ along) * along
    across /= np.linalg.norm(across)
    shares = [*((1 - filopodia) * share for share, *_ in KINDS.values()), filopodia]
    kind = rng.choice([*KINDS, "filopodium"], p=shares)
    necks, neck_diameters, heads = FILOPODIUM if kind == "filopodium" else KINDS[kind][1:]
    neck, neck_diameter, head = rng.uniform(*necks), rng.uniform(*neck_diameters), spine_scale * rng.uniform(*heads)
    outward = across + rng.uniform(-0.45, 0.45) * along
    outward /= np.linalg.norm(outward)
    base = axis + across * radius
    centre = base + outward * (neck + 0.42 * head)
    bend = (base + centre) / 2 + rng.normal(0, 0.12 * neck, 3)
    stretch = rng.normal(size=3)
    stretch -= 0.6 * (stretch @ outward) * outward
    lobe = centre + stretch / np.linalg.norm(stretch) * 0.22 * head
    radius_head, radius_neck = head / 2, neck_diameter / 2
    volume = 4 / 3 * np.pi * radius_head**3 + np.pi * radius_head**2 * 0.22 * head * 0.5 + np.pi * radius_neck**2 * neck
    return {
        "kind": str(kind),
        **_columns("axis", axis),
        **_columns("base", base),
        **_columns("bend", bend),
        **_columns("head", centre),
        **_columns("lobe", lobe),
        "head_diameter_nm": head,
        "neck_length_nm": neck,
        "neck_diameter_nm": neck_diameter,
        "volume_um3": volume / 1e9,
    }


def _columns(name: str, point: np.ndarray) -> dict[str, float]:
    return {f"{name}_{axis}_nm": float(value) for axis, value in zip("zyx", point)}


def points(spines: pd.DataFrame, name: str) -> np.ndarray:
    """The positions `<name>_z_nm <name>_y_nm <name>_x_nm` as an array (N, 3)."""
    return spines[[f"{name}_{axis}_nm" for axis in "zyx"]].to_numpy(float)


def _balls(row: dict) -> np.ndarray:
    """Balls (N, 4) that cover a spine: z y x and radius in nm."""
    base, bend, head = (np.array([row[f"{name}_{axis}_nm"] for axis in "zyx"]) for name in ("base", "bend", "head"))
    neck_radius, head_radius = row["neck_diameter_nm"] / 2, 0.65 * row["head_diameter_nm"]
    quarter = (bend + head) / 2
    return np.array([[*bend, neck_radius], [*quarter, neck_radius], [*head, head_radius], [*base, neck_radius]])


def _is_free(ball, row, index, tree, nodes, node_radii, node_branch, balls) -> bool:
    for *centre, radius in ball[:3]:
        near = np.array(tree.query_ball_point(centre, radius + CLEARANCE + 700.0), int)
        gaps = np.linalg.norm(nodes[near] - centre, axis=1) - node_radii[near] - radius
        own = node_branch[near] == index
        if (gaps[~own] < CLEARANCE).any():
            return False
    # the head must not lie along its own shaft, unless it has no neck
    *centre, radius = ball[2]
    near = np.array(tree.query_ball_point(centre, radius + 900.0), int)
    gaps = np.linalg.norm(nodes[near] - centre, axis=1) - node_radii[near] - radius
    if row["neck_length_nm"] > 250.0 and (gaps < 60.0).any():
        return False
    if not balls:
        return True
    others = np.concatenate(balls)
    gaps = np.linalg.norm(others[None, :, :3] - ball[:, None, :3], axis=2) - others[None, :, 3] - ball[:, None, 3]
    return bool((gaps > CLEARANCE).all())


def _presence(rng: np.random.Generator, count: int, sessions: int, changing: float) -> dict[str, np.ndarray]:
    """First and last session of each spine: most are there all along, the others come or go."""
    first, last = np.zeros(count, int), np.full(count, sessions - 1)
    fate = rng.random(count)
    if sessions > 1:
        gained = (fate > 1 - changing) & (fate <= 1 - changing / 2)
        lost = fate > 1 - changing / 2
        first[gained] = rng.integers(1, sessions, gained.sum())
        last[lost] = rng.integers(0, sessions - 1, lost.sum())
    return {"first_timepoint": first, "last_timepoint": last}


def spine_tubes(spines: pd.DataFrame, owners: np.ndarray, head_scale: np.ndarray | None = None) -> Tubes:
    """Tubes of spines: a bent neck that widens at its base, and a head of one stretched ball.

    Parameters
    ----------
    spines : see `place_spines`
    owners : (N,) the dendrite that each tube belongs to
    head_scale : (N,) factor of each head's diameter
    """
    scale = np.ones(len(spines)) if head_scale is None else head_scale
    place = {name: points(spines, name) for name in ("axis", "base", "bend", "head", "lobe")}
    tubes = []
    share = np.linspace(0, 1, 7)[:, None]
    for index, row in enumerate(spines.itertuples()):
        axis, base, bend, head, lobe = (place[name][index] for name in place)
        radius = row.neck_diameter_nm / 2
        root = base + 0.3 * (axis - base)
        curve = (1 - share) ** 2 * root + 2 * share * (1 - share) * bend + share**2 * head
        radii = radius * (1 + 0.5 * np.exp(-((share[:, 0] * 6) ** 2) / 2))
        owner = int(owners[index])
        tubes.append(chain(curve, radii, NECK, owner, row.spine))
        head_radius = scale[index] * row.head_diameter_nm / 2
        tubes.append(chain(np.array([head, lobe]), [head_radius, 0.9 * head_radius], HEAD, owner, row.spine))
    return join(tubes)
