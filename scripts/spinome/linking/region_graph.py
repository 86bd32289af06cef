"""The region graph of a labelled volume: which regions touch, and what lies in and between them.

Every statistic is a sum (power sums and a histogram), so that those of merged regions are sums of their parts'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinome.io.units import VoxelSize
from spinome.linking.contacts import BINS, FACE, LOWER_BITS, UNIT, Contacts, face_areas, find_contacts

# rows of a table that are turned at once
ROWS = 1 << 16


@dataclass(frozen=True)
class RegionGraph:
    """Regions 0..N-1 and the E pairs of them that share a face.

    Attributes
    ----------
    labels : (N,) the label of each region in the volume
    pairs : (E, 2) int64, regions in contact, lower number first, sorted
    region_moments : (N, 5) float64, sums of p**0..p**4 of the membrane probability p over the region's voxels
    region_histogram : (N, BINS) float32, voxels by membrane probability
    edge_moments, edge_histogram : (E, 5) float64 and (E, BINS) float32, the same over the contact's faces, weighted by
        their area in um2; the value of a face is the higher probability of its two voxels
    voxel_um3 : volume of a voxel
    """

    labels: np.ndarray
    pairs: np.ndarray
    region_moments: np.ndarray
    region_histogram: np.ndarray
    edge_moments: np.ndarray
    edge_histogram: np.ndarray
    voxel_um3: float


def region_graph(labels: np.ndarray, membrane: np.ndarray, voxel_nm: VoxelSize) -> RegionGraph:
    """Build the region graph of a labelled volume that fits into memory from its face contacts.

    Parameters
    ----------
    labels : (Z, Y, X) int, 0 is no region and has no contact
    membrane : (Z, Y, X) float in [0, 1]
    voxel_nm : size of a voxel (z, y, x)

    Raises
    ------
    ValueError: if the shapes differ or there is no region.
    """
    contacts = find_contacts(labels, membrane, voxel_nm)
    if not len(contacts.labels):
        raise ValueError("there is no region in the label volume: every voxel is 0")
    return graph_of_contacts(contacts, voxel_nm)


def graph_of_contacts(contacts: Contacts, voxel_nm: VoxelSize) -> RegionGraph:
    """The region graph of a volume from its contacts, those of one cuboid or joined from many.

    The contacts are used up: their histograms become those of the graph, since two of them may not fit into memory.
    """
    # the area that stands for one part of the largest face
    largest = float(face_areas(voxel_nm).max())
    return RegionGraph(
        contacts.labels,
        np.searchsorted(contacts.labels, contacts.sides),
        _moments(contacts.region_sums, 1.0, 1.0),
        _as_floats(contacts.region_histogram, 1.0),
        _moments(contacts.face_sums, largest / FACE, largest),
        _as_floats(contacts.face_histogram, largest / FACE),
        voxel_um3=float(np.prod(voxel_nm)) / 1e9,
    )


def _as_floats(counts: np.ndarray, unit: float) -> np.ndarray:
    """Counts (N, BINS) int64 in a unit, float32 in the first half of the place of the counts; the rest is given back.

    Quantiles are all that is taken of them, and half of the graph's memory is histograms.
    """
    counts = np.ascontiguousarray(counts)
    floats = counts.view(np.float32).reshape(-1)
    for start in range(0, len(counts), ROWS):
        rows = (counts[start : start + ROWS] * unit).astype(np.float32).ravel()
        floats[start * BINS : start * BINS + rows.size] = rows
    shape = len(counts), BINS
    if counts.base is None:
        del floats
        # no one else may hold the counts: `refcheck` would count the names of this function's caller
        counts.resize((shape[0] + 1) // 2, BINS, refcheck=False)
        floats = counts.view(np.float32).reshape(-1)
    return floats[: shape[0] * BINS].reshape(shape)


def _moments(sums: np.ndarray, weight: float, unit: float) -> np.ndarray:
    """Moments (N, 5) float64 from whole sums: the first counts in `weight`, the others in `unit`."""
    moments = np.empty((len(sums), 5))
    moments[:, 0] = sums[:, 0] * weight
    for order in range(1, 5):
        upper, lower = sums[:, 2 * order - 1], sums[:, 2 * order]
        moments[:, order] = (upper * (2.0**LOWER_BITS / UNIT) + lower * (1 / UNIT)) * unit
    return moments
