"""Which neurite fills which voxel of the cutout, which spines a segmentation lost, and where the synapses are."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numba
import numpy as np
import pandas as pd

from spinome.phantom.geometry import NECK, SHAFT, Tubes, chain, join, nearest_owner, noise, surface
from spinome.phantom.growth import STEP
from spinome.phantom.neuropil import axon_tubes
from spinome.phantom.specimen import Specimen

SLAB = 16  # slices filled at once
AXON_GROWTH = 75.0  # how far an axon fills the space around its tube, nm; what is left is glia
AXON_WARP, WARP_LENGTH = 85.0, 300.0  # waviness of axons: amplitude and length, nm
FIRST_AXON, FIRST_OTHER = 1000, 10_000
SMALLEST_PIECE = 3000  # voxels; smaller pieces go to a neighbour
DETACHED_SHARE = 0.7
LARGEST_GAP = 300.0  # nm of neck that go to the neighbours with a detached spine
SMALLEST_ORPHAN = 400  # voxels
POST_DEPTH, PRE_DEPTH = 42.0, 26.0  # depth of a synapse's mask on either side of the cleft, nm
SMALLEST_SYNAPSE = 60  # voxels
VESSEL_RADIUS = 0.2  # of the blood vessel, share of the cutout's width


@dataclass(frozen=True)
class Tissue:
    """What fills a cutout, arrays (Z, Y, X).

    labels : uint32 neurites, 0 in the blood vessel; dendrites carry the number of their neuron
    spine : int32 spine of each voxel, -1 where none
    along : uint16, nm from the base of the spine; 60000 in its head
    distance : int16 signed distance to the dendrites' surface, nm, clipped to 250
    axon_depth : int16 signed distance to the axons' tubes, nm, clipped to 250
    mitochondria : bool
    """

    labels: np.ndarray
    spine: np.ndarray
    along: np.ndarray
    distance: np.ndarray
    axon_depth: np.ndarray
    mitochondria: np.ndarray


def fill(specimen: Specimen) -> Tissue:
    """Fill the cutout: dendrites as their geometry says, axons around their tubes, glia in what is left."""
    shape, voxel = tuple(specimen.em_shape), specimen.em_voxel_nm
    tubes = specimen.tubes().touching(np.zeros(3), shape * voxel, 300.0)
    axons, organelles = axon_tubes(specimen.axons), mitochondria(specimen)
    tissue = Tissue(
        np.zeros(shape, np.uint32),
        np.full(shape, -1, np.int32),
        np.zeros(shape, np.uint16),
        np.zeros(shape, np.int16),
        np.zeros(shape, np.int16),
        np.zeros(shape, bool),
    )
    neuron = np.append(specimen.neuron_of, 1)
    for first in range(0, shape[0], SLAB):
        slab = slice(first, min(first + SLAB, shape[0]))
        origin = np.array([first * voxel[0], 0.0, 0.0])
        size = tissue.labels[slab].shape
        inside = surface(tubes, origin, voxel, size, specimen.seed)
        warp = np.stack([noise(origin, voxel, size, WARP_LENGTH, specimen.seed + 50 + axis) for axis in range(3)])
        near = axons.touching(origin, origin + size * voxel, 300.0)
        depth, axon = nearest_owner(near, origin, voxel, size, AXON_GROWTH, AXON_WARP * warp)
        dendrite = inside.distance < 0
        tube = inside.tube[dendrite]
        tissue.distance[slab] = inside.distance.clip(-250, 250)
        tissue.axon_depth[slab] = depth.clip(-250, 250)
        tissue.labels[slab] = np.where(axon > 0, FIRST_AXON + axon, FIRST_OTHER)
        tissue.labels[slab][dendrite] = neuron[tubes.owner[tube]]
        tissue.spine[slab][dendrite] = tubes.spine[tube]
        tissue.along[slab][dendrite] = np.where(tubes.part[tube] == NECK, tubes.along[tube], 60_000)
        depth, _ = nearest_owner(organelles, origin, voxel, size, 0.0, 0.5 * AXON_WARP * warp)
        deep = (inside.distance < -50) | ((tissue.axon_depth[slab] < -30) & (inside.distance > 50))
        tissue.mitochondria[slab] = (depth < 0) & deep
    tissue.labels[_vessel(specimen) & (tissue.distance > 0)] = 0
    tissue.labels[:] = _one_piece_each(tissue.labels)
    return tissue


def detach(specimen: Specimen, tissue: Tissue) -> tuple[np.ndarray, pd.DataFrame]:
    """Cut spines off at their necks, as automated segmentations do.

    The gap, of 0 to 300 nm drawn at random, is given to the neurites around it. Spines without a neck are cut
    at their base without a gap.

    Returns
    -------
    labels with the cut spines as labels of their own, and the table `orphan shaft spine gap_nm` of truth
    """
    rng = np.random.default_rng([specimen.seed, 11])
    labels, links = tissue.labels.copy(), []
    orphan = int(labels.max())
    boxes = cc3d.statistics((tissue.spine + 1).astype(np.uint32))["bounding_boxes"]
    for row in specimen.spines.itertuples():
        chosen, share, place = rng.random() < DETACHED_SHARE, *rng.random(2)
        necked = row.neck_length_nm > 150
        gap = share * min(LARGEST_GAP, 0.6 * row.neck_length_nm) if necked else 0.0
        inner = 0.3 * np.hypot(*(row.base_z_nm - row.axis_z_nm, row.base_x_nm - row.axis_x_nm))
        cut = inner + place * 0.35 * row.neck_length_nm
        if not chosen or row.spine + 1 >= len(boxes):
            continue
        box = boxes[row.spine + 1]
        if any(axis.stop - axis.start < 3 for axis in box):
            continue
        box = tuple(slice(max(axis.start - 6, 0), axis.stop + 6) for axis in box)
        mine, part = tissue.spine[box] == row.spine, labels[box]
        pieces = cc3d.connected_components(mine & (tissue.along[box] > cut + gap), connectivity=6)
        sizes = np.bincount(pieces.ravel())[1:]
        has_shaft = ((part == row.neuron) & (tissue.spine[box] < 0)).any()
        if not has_shaft or len(sizes) == 0 or sizes.max() < SMALLEST_ORPHAN:
            continue
        orphan += 1
        head = pieces == 1 + sizes.argmax()
        lost = mine & (tissue.along[box] > cut) & ~head
        part[head] = orphan
        part[lost] = _grow(np.where((part == row.neuron) | (part == orphan) | lost, 0, part), lost)[lost]
        links.append({"orphan": orphan, "shaft": row.neuron, "spine": row.spine, "gap_nm": gap})
    return labels, pd.DataFrame(links, columns=["orphan", "shaft", "spine", "gap_nm"])


def synapse_labels(specimen: Specimen, tissue: Tissue) -> tuple[np.ndarray, pd.DataFrame]:
    """Truth of the synapses: labels of cleft and density on both sides, and a table with one row per synapse.

    The table has columns synapse z_nm y_nm x_nm tag spine pre post: partners are labels of the truth.
    """
    labels = np.zeros(tissue.labels.shape, np.uint32)
    rows = []
    for row in specimen.synapses.itertuples():
        centre = np.array([row.z_nm, row.y_nm, row.x_nm])
        box, offsets = around(centre, row.radius_nm + 40.0, specimen.em_voxel_nm, labels.shape)
        if box is None:
            continue
        near = (offsets**2).sum(axis=0) < row.radius_nm**2
        depth = tissue.distance[box]
        mask = near & (depth > -POST_DEPTH) & (depth < PRE_DEPTH) & (tissue.labels[box] > 0) & (labels[box] == 0)
        post, pre = mask & (depth < 0), near & (depth > 0) & (depth < 150) & (tissue.labels[box] > 0)
        if mask.sum() < SMALLEST_SYNAPSE or not post.any() or not pre.any():
            continue
        partners = [int(np.bincount(tissue.labels[box][side]).argmax()) for side in (pre, post)]
        labels[box][mask] = row.id
        rows.append([row.id, *centre, row.tag, row.spine, *partners])
    return labels, pd.DataFrame(rows, columns=["synapse", "z_nm", "y_nm", "x_nm", "tag", "spine", "pre", "post"])


def mitochondria(specimen: Specimen) -> Tubes:
    """Mitochondria: tubes along stretches of the shafts and in some boutons."""
    rng = np.random.default_rng([specimen.seed, 29])
    tubes = []
    for dendrite, nodes in specimen.dendrites.groupby("dendrite"):
        line, radii = nodes[["z_nm", "y_nm", "x_nm"]].to_numpy(), nodes["radius_nm"].to_numpy()
        first = rng.integers(0, 12)
        while first < len(line) - 3:
            last = min(first + int(rng.uniform(800, 3000) / STEP), len(line))
            shifted = line[first:last] + rng.normal(0, 0.2 * radii[first], 3)
            if last - first > 2:
                tubes.append(chain(shifted, 0.48 * radii[first:last], SHAFT, int(dendrite) + 1))
            first = last + int(rng.uniform(300, 3500) / STEP)
    nodes = specimen.axons
    for row in nodes[nodes["bouton"] > 0].itertuples():
        if rng.random() < 0.4:
            centre = np.array([row.z_nm, row.y_nm, row.x_nm])
            ends = centre + rng.normal(0, 0.35 * row.radius_nm, (2, 3))
            tubes.append(chain(ends, np.full(2, 0.42 * row.radius_nm), SHAFT, 1))
    return join(tubes)


def around(centre: np.ndarray, reach: float, voxel: np.ndarray, shape: tuple[int, int, int]):
    """The part of a volume within `reach` nm of a point, and the offsets (3, ...) of its voxels from the point.

    Returns (None, None) where nothing of it lies inside of the volume.
    """
    low = np.maximum(np.floor((centre - reach) / voxel).astype(int), 0)
    high = np.minimum(np.ceil((centre + reach) / voxel).astype(int) + 1, shape)
    if (low >= high).any():
        return None, None
    box = tuple(slice(a, b) for a, b in zip(low, high))
    axes = [np.arange(a, b) * size - place for a, b, size, place in zip(low, high, voxel, centre)]
    return box, np.stack(np.meshgrid(*axes, indexing="ij"))


def _vessel(specimen: Specimen) -> np.ndarray:
    """A blood vessel that cuts the edge of the cutout farthest from the dendrites."""
    shape, voxel = specimen.em_shape, specimen.em_voxel_nm
    box = shape * voxel
    nodes = specimen.dendrites[["z_nm", "y_nm", "x_nm"]].to_numpy()
    corners = np.array([[y, x] for y in (0, box[1]) for x in (0, box[2])])
    inside = nodes[((nodes > 0) & (nodes < box)).all(axis=1), 1:]
    corner = corners[np.argmax([np.linalg.norm(inside - corner, axis=1).min() for corner in corners])]
    tilt = np.random.default_rng([specimen.seed, 23]).uniform(-0.25, 0.25, 2)
    z, y, x = (np.arange(length) * size for length, size in zip(shape, voxel))
    dy = (y[None, :] - corner[0]) - tilt[0] * (z[:, None] - box[0] / 2)
    dx = (x[None, :] - corner[1]) - tilt[1] * (z[:, None] - box[0] / 2)
    return dy[:, :, None] ** 2 + dx[:, None, :] ** 2 < (VESSEL_RADIUS * min(box[1:])) ** 2


def _one_piece_each(labels: np.ndarray) -> np.ndarray:
    """Give disconnected pieces of axons and glia labels of their own, and small ones to a neighbour."""
    pieces = cc3d.connected_components(labels, connectivity=6)
    sizes = np.bincount(pieces.ravel())
    label_of = np.zeros(len(sizes), np.uint32)
    label_of[pieces.ravel()] = labels.ravel()
    new, lost = label_of.copy(), np.zeros(len(sizes), bool)
    following = FIRST_OTHER
    for label in np.unique(label_of[label_of >= FIRST_AXON]):
        mine = np.flatnonzero(label_of == label)
        for rank, piece in enumerate(mine[np.argsort(-sizes[mine], kind="stable")]):
            if sizes[piece] < SMALLEST_PIECE:
                lost[piece] = True
            elif rank > 0 or label >= FIRST_OTHER:
                following += 1
                new[piece] = following
    empty, new[lost] = lost[pieces], 0
    filled = new[pieces]
    dendrites = (filled > 0) & (filled < FIRST_AXON)
    grown = _grow(np.where(dendrites, 0, filled), empty)
    grown[dendrites] = filled[dendrites]
    return grown


def _grow(labels: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Fill `empty` voxels step by step from the neighbours that have a label, those in plane first."""
    places = np.argwhere(empty)
    labels = labels.copy()
    while len(places):
        found = _neighbour_labels(labels, places)
        if not found.any():
            break
        labels[tuple(places[found > 0].T)] = found[found > 0]
        places = places[found == 0]
    return labels


@numba.njit(cache=True)
def _neighbour_labels(labels, places):
    found = np.zeros(len(places), labels.dtype)
    depth, height, width = labels.shape
    for n in range(len(places)):
        i, j, k = places[n]
        if k > 0 and labels[i, j, k - 1]:
            found[n] = labels[i, j, k - 1]
        elif k < width - 1 and labels[i, j, k + 1]:
            found[n] = labels[i, j, k + 1]
        elif j > 0 and labels[i, j - 1, k]:
            found[n] = labels[i, j - 1, k]
        elif j < height - 1 and labels[i, j + 1, k]:
            found[n] = labels[i, j + 1, k]
        elif i > 0 and labels[i - 1, j, k]:
            found[n] = labels[i - 1, j, k]
        elif i < depth - 1 and labels[i + 1, j, k]:
            found[n] = labels[i + 1, j, k]
    return found
