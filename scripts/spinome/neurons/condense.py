"""Vertices of similar heat kernel signature as connected domains, far fewer than the vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from spinome.mesh.chunks import edge_graph
from spinome.mesh.surface import vertex_areas
from spinome.mesh.ward import ward


@dataclass(frozen=True)
class Domains:
    """`label` (V,) int32, the domain of each vertex; `log_hks` (D, T) float32; `centre_nm` (D, 3); `area_nm2` (D,).

    The file of a neuron has the label of each vertex of its own mesh, not of the simplified one.

    `around_log_hks` (D, T) float32 is the area-weighted mean of `log_hks` over a domain and those that it touches.
    `vertices` says how many vertices with a face its own mesh has at different places, None where all (V,) are such.
    """

    label: np.ndarray
    log_hks: np.ndarray
    around_log_hks: np.ndarray
    centre_nm: np.ndarray
    area_nm2: np.ndarray
    vertices: int | None = None


def condense(vertices: np.ndarray, faces: np.ndarray, log_hks: np.ndarray, distance: float = 3.0) -> Domains:
    """Group vertices of similar heat kernel signature into connected domains.

    Ward clustering on log HKS with the mesh's edges as connectivity (Pedigo et al. 2026), once
    over the whole mesh, so that no domain is cut by a chunk's border.

    Parameters
    ----------
    vertices : (V, 3) nm
    faces : (F, 3)
    log_hks : (V, T), natural log of HKS in nm^-2
    distance : merge height at which the tree is cut

    Returns
    -------
    Domains; `log_hks` is the log of the area-weighted mean of HKS

    Raises
    ------
    ValueError: if a vertex has no finite feature; the message counts them.
    """
    lacking = ~np.isfinite(log_hks).all(axis=1)
    if lacking.any():
        raise ValueError(f"{lacking.sum()} of {len(log_hks)} vertices have no finite heat kernel signature")
    graph = edge_graph(vertices, faces)
    label = ward(graph, log_hks, distance)
    area = vertex_areas(vertices, faces)
    # a vertex whose faces have no area still counts a little, so that its domain has a mean
    weight = np.maximum(area, 1e-6 * area.max())
    members = sp.csr_array((weight, (label, np.arange(len(label)))), shape=(label.max() + 1, len(label)))
    total = members.sum(axis=1)[:, None]
    mean = np.log(members @ np.exp(log_hks.astype(np.float64)) / total)
    around = _mean_around(graph, label, mean, total[:, 0])
    return Domains(
        label,
        mean.astype(np.float32),
        around.astype(np.float32),
        members @ vertices / total,
        np.bincount(label, area),
    )


def _mean_around(graph: sp.csr_array, label: np.ndarray, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted mean (D, T) of the values of each domain and of the domains that an edge of the mesh leads to."""
    count = len(values)
    edges = graph.tocoo()
    pairs = np.unique(label[edges.row].astype(np.int64) * count + label[edges.col])
    pairs = np.union1d(pairs, np.arange(count) * (count + 1))
    one, other = np.divmod(pairs, count)
    touching = sp.csr_array((weight[other], (one, other)), shape=(count, count))
    return touching @ values / touching.sum(axis=1)[:, None]
