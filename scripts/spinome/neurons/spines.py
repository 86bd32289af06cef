"""Spines as instances: which vertices, how large, and what they carry."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, dijkstra

from spinome.io.meshes import mesh_edges, vertex_areas
from spinome.neurons.classify import CLASSES
from spinome.neurons.synapses import with_columns

SPINE = CLASSES.index("spine")
# width of the rings along a spine, from its base to its tip
RING_NM = 80.0
# the neck ends where the spine is this far from its narrowest to its widest; a narrowing less than this is none
NECK_END, NARROWING = 0.5, 0.85
COLUMNS = {
    "source": "string",
    "neuron": "string",
    "spine": "Int64",
    "z_nm": "float64",
    "y_nm": "float64",
    "x_nm": "float64",
    "volume_um3": "float64",
    "area_um2": "float64",
    "head_diameter_nm": "float64",
    "neck_length_nm": "float64",
    "length_nm": "float64",
    "base_z_nm": "float64",
    "base_y_nm": "float64",
    "base_x_nm": "float64",
    "vertices": "Int64",
    "synapses": "Int64",
    "partners": "Int64",
    "multi_input": "boolean",
    "probability": "float64",
}


def spine_regions(label: np.ndarray, faces: np.ndarray, area: np.ndarray, min_area_um2: float = 0.2) -> np.ndarray:
    """Number the connected regions of spine vertices: (V,) int32, -1 where there is none.

    Parameters
    ----------
    label : (V,) codes of `CLASSES`
    faces : (F, 3) of the welded mesh
    area : (V,) nm^2
    min_area_um2 : smaller regions are no spines; a number of vertices would depend on how dense the mesh is
    """
    a, b = mesh_edges(faces).T
    inside = (label[a] == SPINE) & (label[b] == SPINE)
    graph = sp.coo_array((np.ones(inside.sum()), (a[inside], b[inside])), shape=(len(label),) * 2)
    _, region = connected_components(graph, directed=False)
    large = np.bincount(region, np.where(label == SPINE, area, 0)) >= max(min_area_um2 * 1e6, np.finfo(float).tiny)
    number = np.where(large, np.cumsum(large) - 1, -1)
    return np.where(label == SPINE, number[region], -1).astype(np.int32)


def measure_spines(
    vertices: np.ndarray, faces: np.ndarray, spine_of: np.ndarray, probability: np.ndarray
) -> pd.DataFrame:
    """Measure each spine on its own surface.

    Volume is that of the surface, closed at the base and at any hole by a fan to the middle of the border, by the
    divergence theorem. A spine is cut into rings of equal distance from its base along the surface: a ring's area
    over its width is its girth, so the widest girth of the outer half gives the head's diameter (exact for a
    sphere on a stalk), and the neck reaches from the base to where the girth is half way from its narrowest
    to its widest.

    Parameters
    ----------
    vertices : (V, 3) nm and faces : (F, 3), welded
    spine_of : (V,) from `spine_regions`
    probability : (V,) of being spine

    Returns
    -------
    Table of `COLUMNS` without what the synapses tell; a spine that touches no shaft has neither base, neck nor
    length, and the head's diameter of the sphere of its volume
    """
    count = int(spine_of.max()) + 1
    area = vertex_areas(vertices, faces)
    members = np.flatnonzero(spine_of >= 0)
    spine = spine_of[members]
    volume = closed_volumes(vertices, faces, spine_of)
    surface = np.bincount(spine, area[members], minlength=count)
    base, distance = _distance_from_base(vertices, faces, spine_of)
    head, neck, length, centre = _shape(vertices[members], area[members], spine, distance[members], count)
    based = np.isfinite(base).all(axis=1)
    head[~based] = 2 * (3 * volume[~based] / (4 * np.pi)) ** (1 / 3)
    return with_columns(
        pd.DataFrame(
            {
                "spine": np.arange(count),
                **{f"{axis}_nm": centre[:, i] for i, axis in enumerate("xyz")},
                "volume_um3": volume / 1e9,
                "area_um2": surface / 1e6,
                "head_diameter_nm": head,
                "neck_length_nm": neck,
                "length_nm": length,
                **{f"base_{axis}_nm": base[:, i] for i, axis in enumerate("xyz")},
                "vertices": np.bincount(spine, minlength=count),
                "probability": _weighted(probability[members], area[members], spine, count),
            }
        ),
        COLUMNS,
    )


def closed_volumes(vertices: np.ndarray, faces: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Volume (R,) of each region of a surface, its borders closed by fans, by the divergence theorem.

    A face belongs to the region of two or more of its corners.
    """
    count = int(region.max()) + 1
    corner = region[faces]
    owner = np.where(corner[:, 1] == corner[:, 2], corner[:, 1], corner[:, 0])
    two = (corner[:, 0] == corner[:, 1]) | (corner[:, 1] == corner[:, 2]) | (corner[:, 2] == corner[:, 0])
    faces, owner = faces[two & (owner >= 0)], owner[two & (owner >= 0)]
    if not len(faces):
        return np.zeros(count)
    # about the origin of its own region each term is small, and the sums are exact
    origin = np.stack([_weighted(vertices[faces].mean(axis=1)[:, i], None, owner, count) for i in range(3)], axis=1)
    a, b, c = (vertices[faces] - origin[owner][:, None]).transpose(1, 0, 2)
    volume = np.bincount(owner, np.einsum("ij,ij->i", a, np.cross(b, c)), minlength=count)
    tail, head, owner = _borders(faces, owner, len(vertices))
    if len(tail):
        # a loop of the border has a middle of its own; loops of different regions never meet in a node
        nodes, place = np.unique(np.r_[tail, head] * count + np.r_[owner, owner], return_inverse=True)
        tail_node, head_node = np.split(place, 2)
        links = sp.coo_array((np.ones(len(tail)), (tail_node, head_node)), shape=(len(nodes),) * 2)
        _, loop = connected_components(links, directed=False)
        position = vertices[nodes // count] - origin[nodes % count]
        middle = np.stack([_weighted(position[:, i], None, loop, loop.max() + 1) for i in range(3)], axis=1)
        a, b, c = position[head_node], position[tail_node], middle[loop[tail_node]]
        volume += np.bincount(owner, np.einsum("ij,ij->i", a, np.cross(b, c)), minlength=count)
    return np.abs(volume) / 6


def carried(spines: pd.DataFrame, synapses: pd.DataFrame, same_head_nm: float = 1500.0) -> pd.DataFrame:
    """Count the synapses and presynaptic partners of each spine, and mark multi-input spines.

    A spine is multi-input when it carries synapses of two or more presynaptic neurons and they all lie within
    `same_head_nm` of one another: farther apart they are more likely on two spines that share a base. Where the
    presynaptic neurons are not known, so are not the partners, and whether several synapses make it multi-input.

    Parameters
    ----------
    spines : from `measure_spines`, of one neuron
    synapses : from `label_synapses`, of the same neuron
    """
    on_spine = synapses[synapses["spine"].notna()]
    groups = on_spine.groupby(on_spine["spine"].astype("int64"))
    number, partners = groups.size(), groups["pre_pt_root_id"].nunique()
    known = groups["pre_pt_root_id"].count() == number
    spread = np.sqrt(sum((groups[axis].max() - groups[axis].min()) ** 2 for axis in ("z_nm", "y_nm", "x_nm")))
    key = spines["spine"].astype("int64")
    several = ((partners > 1) & (spread <= same_head_nm)).astype("boolean").where(known | (number == 1), pd.NA)
    return spines.assign(
        synapses=key.map(number).fillna(0).astype("Int64"),
        partners=key.map(partners.astype("Int64").where(known, -1)).fillna(0).astype("Int64").replace(-1, pd.NA),
        multi_input=key.map(several).astype("boolean").where(key.isin(several.index), False),
    )


def _borders(faces: np.ndarray, owner: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directed edges of each region without one the other way: tail, head, region."""
    tail, head = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    region = np.repeat(owner, 3)
    low, high = np.minimum(tail, head).astype(np.int64), np.maximum(tail, head)
    regions = int(owner.max()) + 1
    keys, place = np.unique((low * size + high) * regions + region, return_inverse=True)
    excess = np.bincount(place, np.where(tail < head, 1, -1)).astype(int)
    kept = np.repeat(np.arange(len(keys)), np.abs(excess))
    edge, region = keys[kept] // regions, keys[kept] % regions
    low, high, forward = edge // size, edge % size, excess[kept] > 0
    return np.where(forward, low, high), np.where(forward, high, low), region


def _distance_from_base(vertices: np.ndarray, faces: np.ndarray, spine_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Base of each spine (R, 3), the middle of its border with the shaft, and the way from it (V,) along edges."""
    a, b = mesh_edges(faces).T
    length = np.linalg.norm(vertices[a] - vertices[b], axis=1)
    inside = (spine_of[a] == spine_of[b]) & (spine_of[a] >= 0)
    graph = sp.coo_array((length[inside], (a[inside], b[inside])), shape=(len(vertices),) * 2).tocsr()
    border = spine_of[a] != spine_of[b]
    ends = np.concatenate([np.stack([a, b], 1)[border], np.stack([b, a], 1)[border]])
    ends = ends[spine_of[ends[:, 0]] >= 0]
    count = int(spine_of.max()) + 1
    outer = vertices[ends[:, 1]]
    base = np.stack([_weighted(outer[:, i], None, spine_of[ends[:, 0]], count) for i in range(3)], axis=1)
    start = np.unique(ends[:, 0])
    if not len(start):
        return base, np.full(len(vertices), np.inf)
    return base, dijkstra(graph, directed=False, indices=start, min_only=True)


def _shape(
    vertices: np.ndarray, area: np.ndarray, spine: np.ndarray, distance: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Head diameter, neck length and length (R,) and the head's middle (R, 3), from rings of equal distance."""
    head, neck, length = (np.full(count, np.nan) for _ in range(3))
    centre = np.stack([_weighted(vertices[:, i], area, spine, count) for i in range(3)], axis=1)
    order = np.argsort(spine, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(spine, minlength=count))[:-1]):
        way = distance[rows]
        # a mesh without a spine splits into one empty group
        if not len(rows) or not np.isfinite(way).all():
            continue
        number = spine[rows[0]]
        length[number] = way.max()
        ring = (way / RING_NM).astype(int)
        girth = np.convolve(np.bincount(ring, area[rows]), [0.25, 0.5, 0.25], mode="same") / RING_NM
        outer = len(girth) // 2
        widest = outer + int(girth[outer:].argmax())
        head[number] = girth[widest] / np.pi
        narrowest = int(girth[: widest + 1].argmin())
        neck[number] = 0.0
        if narrowest < widest and girth[narrowest] < NARROWING * girth[widest]:
            limit = girth[narrowest] + NECK_END * (girth[widest] - girth[narrowest])
            neck[number] = RING_NM * (np.flatnonzero(girth[narrowest:widest] <= limit)[-1] + narrowest + 1)
        in_head = rows[way >= neck[number]]
        if len(in_head):
            centre[number] = np.average(vertices[in_head], axis=0, weights=np.maximum(area[in_head], 1e-9))
    return head, neck, length, centre


def _weighted(value: np.ndarray, weight: np.ndarray | None, group: np.ndarray, count: int) -> np.ndarray:
    """Mean of each group, NaN where it is empty."""
    weight = np.ones(len(value)) if weight is None else np.maximum(weight, 1e-9)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(group, value * weight, minlength=count) / np.bincount(group, weight, minlength=count)
