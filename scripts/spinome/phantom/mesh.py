"""The neuron of a specimen as a labelled triangle mesh, and its input synapses with their truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from spinome.mesh.surface import Mesh
from spinome.phantom.geometry import HEAD, NECK, SHAFT, SOMA, Tubes, surface, surface_at
from spinome.phantom.specimen import NEURON, Specimen

BLOCK = 64
MARGIN = 800.0  # nm; wider than every smooth union, so that blocks agree where they meet
LABELS = {SHAFT: 0, NECK: 1, HEAD: 1, SOMA: 2}
ROOT_ID = 1  # of the neuron in `post_pt_root_id`


def neuron_mesh(specimen: Specimen, grid_nm: float) -> Mesh:
    """Mesh of the neuron at the last session, vertices x y z in nm, with `label` and `spine_id` for each vertex.

    Raises
    ------
    ValueError: if the grid is so coarse that necks break; the message names the key to change.
    """
    tubes = specimen.tubes(neuron=NEURON)
    mesh = tubes_mesh(tubes, grid_nm, specimen.seed)
    there = np.unique(mesh.vertex_data["spine_id"])
    spines = np.unique(tubes.spine)
    if lost := len(np.setdiff1d(spines, there)):
        raise ValueError(f"a grid of {grid_nm} nm breaks the necks of {lost} spines; make mesh_grid_nm smaller")
    return mesh


def tubes_mesh(tubes: Tubes, grid_nm: float, seed: int) -> Mesh:
    """Closed mesh of the largest piece of the surface of tubes, by marching cubes block by block.

    Neighbouring blocks share a layer of samples, so that their vertices there are the same and can be joined.
    """
    reach = np.maximum(tubes.start_radius, tubes.end_radius)[:, None] + 4 * grid_nm + 100.0
    low = np.minimum(tubes.start, tubes.end).min(axis=0) - reach.max()
    high = np.maximum(tubes.start, tubes.end).max(axis=0) + reach.max()
    blocks = np.ceil((high - low) / (grid_nm * BLOCK)).astype(int)
    vertices, faces, labels, spines = [], [], [], []
    count = 0
    for block in np.ndindex(*blocks):
        corner = np.array(block) * BLOCK
        first = low + corner * grid_nm
        near = tubes.touching(first, first + BLOCK * grid_nm, MARGIN)
        if not len(near):
            continue
        distance = surface(near, first, np.full(3, grid_nm), (BLOCK + 1,) * 3, seed, margin=MARGIN).distance
        if distance.min() >= 0 or distance.max() < 0:
            continue
        # a vertex that sits on a grid point would be shared by edges that meet there
        tiny = 1e-3 * grid_nm
        distance = np.where(np.abs(distance) < tiny, np.where(distance < 0, -tiny, tiny), distance).clip(-1e4, 1e4)
        points, triangles, *_ = marching_cubes(distance, 0.0, allow_degenerate=True)
        points = (points.astype(float) + corner) * grid_nm
        nearest = surface_at(near, low + points, seed).tube
        vertices.append(points)
        faces.append(triangles.astype(np.int64) + count)
        labels.append(np.array([LABELS[part] for part in range(4)], np.uint8)[near.part[nearest]])
        spines.append(near.spine[nearest])
        count += len(points)
    points, faces = np.concatenate(vertices), np.concatenate(faces)
    _, first, joined = np.unique(
        np.round(points / grid_nm * 1e5).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    faces = joined.reshape(-1)[faces]
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    keep = _largest_piece(faces, len(first))
    number = np.cumsum(keep) - 1
    chosen = first[keep]
    data = {"label": np.concatenate(labels)[chosen], "spine_id": np.concatenate(spines)[chosen]}
    return Mesh((points[chosen] + low)[:, ::-1], number[faces[keep[faces[:, 0]]]][:, ::-1], data)


def mesh_synapses(specimen: Specimen) -> pd.DataFrame:
    """Input synapses of the neuron in the columns of CAVE, with `tag` (spine, shaft, soma) and `spine` (-1: none)."""
    chosen = specimen.synapses[specimen.synapses["neuron"] == NEURON]
    rng = np.random.default_rng([specimen.seed, 5])
    elsewhere = 100_000 + rng.integers(0, 3 * len(chosen) + 1, len(chosen))
    area = np.pi * (chosen["radius_nm"] / 16.0) ** 2
    return pd.DataFrame(
        {
            "id": chosen["id"],
            "size": np.round(area * rng.lognormal(0, 0.15, len(chosen))).astype(int),
            "pre_pt_root_id": np.where(chosen["axon"] > 0, 1000 + chosen["axon"], elsewhere),
            "post_pt_root_id": ROOT_ID,
            **{f"ctr_pt_position_{axis}": chosen[f"{axis}_nm"] + rng.normal(0, 15, len(chosen)) for axis in "xyz"},
            "tag": chosen["tag"],
            "spine": chosen["spine"],
        }
    ).reset_index(drop=True)


def _largest_piece(faces: np.ndarray, count: int) -> np.ndarray:
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    _, piece = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(count, count)), directed=False)
    return piece == np.bincount(piece[faces[:, 0]]).argmax()
