"""The EM cutout: which neurite fills which voxel, and what the microscope would show of it."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import edt
import numba
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, zoom

from spinome.phantom.geometry import NECK, distance_to_nearest, surface
from spinome.phantom.neuropil import axon_tubes
from spinome.phantom.specimen import Specimen

SLAB = 16  # slices rendered at once
AXON_GROWTH = 90.0  # how far an axon fills the space around its tube, nm; what is left is glia
FIRST_AXON, FIRST_OTHER = 1000, 10_000
SMALLEST_PIECE = 3000  # voxels; smaller pieces go to a neighbour
DETACHED_SHARE = 0.7
LARGEST_GAP = 300.0
POST_DEPTH, PRE_DEPTH = 42.0, 26.0  # depth of a synapse's mask on either side of the cleft, nm
VESICLE_RADIUS = 20.0


@dataclass(frozen=True)
class Tissue:
    """What fills a cutout, arrays (Z, Y, X).

    labels : uint32 neurites, 0 in the blood vessel; dendrites carry the number of their neuron
    spine : int32 spine of each voxel, -1 where none
    along : uint16, nm from the base of the spine
    distance : float32 signed distance to the dendrites' surface in nm, clipped to 250
    """

    labels: np.ndarray
    spine: np.ndarray
    along: np.ndarray
    distance: np.ndarray
    axon_depth: np.ndarray


def render_cutout(specimen: Specimen) -> tuple[dict[str, np.ndarray], pd.DataFrame, pd.DataFrame]:
    """All volumes of a cutout by name, the truth of its links and of its synapses.

    Returns
    -------
    volumes : image uint8, membrane float32, segmentation uint32, detached uint32, vesicles uint8, synapses uint32,
        mask uint8 (1: tissue)
    links : see `detach`
    synapses : see `synapse_labels`
    """
    shape, voxel = tuple(specimen.em_shape), specimen.em_voxel_nm
    tissue = fill(specimen)
    detached, links = detach(specimen, tissue)
    densities, synapses = synapse_labels(specimen, tissue)
    vesicles = vesicle_mask(vesicle_positions(specimen, tissue, synapses), shape, voxel)
    boundary = boundary_nm(tissue.labels, voxel)
    volumes = {
        "image": image(specimen, tissue, boundary, densities, vesicles),
        "membrane": membrane_probability(specimen, boundary),
        "segmentation": tissue.labels,
        "detached": detached,
        "vesicles": vesicles,
        "synapses": densities,
        "mask": (tissue.labels > 0).astype(np.uint8),
    }
    return volumes, links, synapses


def fill(specimen: Specimen) -> Tissue:
    """Fill the cutout: dendrites as their geometry says, axons around their tubes, glia in what is left."""
    shape, voxel = tuple(specimen.em_shape), specimen.em_voxel_nm
    tubes = specimen.tubes()
    tubes = tubes.touching(np.zeros(3), shape * voxel, 300.0)
    axons = axon_tubes(specimen.axons)
    labels, spine = np.zeros(shape, np.uint32), np.full(shape, -1, np.int32)
    along = np.zeros(shape, np.uint16)
    distance, axon_depth = np.empty(shape, np.float32), np.empty(shape, np.float32)
    neuron = np.append(specimen.neuron_of, 1)
    for first in range(0, shape[0], SLAB):
        slab = slice(first, min(first + SLAB, shape[0]))
        origin = np.array([first * voxel[0], 0.0, 0.0])
        size = labels[slab].shape
        inside = surface(tubes, origin, voxel, size, specimen.seed)
        distance[slab] = inside.distance.clip(-250, 250)
        near = axons.touching(origin, origin + size * voxel, 500.0)
        to_axon, axon = distance_to_nearest(near, origin, voxel, size, 400.0)
        axon_depth[slab] = to_axon.clip(-500, 400)
        dendrite = inside.distance < 0
        tube = inside.tube[dendrite]
        labels[slab] = np.where(to_axon < AXON_GROWTH, FIRST_AXON + axon, FIRST_OTHER)
        labels[slab][dendrite] = neuron[tubes.owner[tube]]
        spine[slab][dendrite] = tubes.spine[tube]
        along[slab][dendrite] = np.where(tubes.part[tube] == NECK, tubes.along[tube], 60_000)
    labels[_vessel(specimen) & (distance > 0)] = 0
    return Tissue(_one_piece_each(labels), spine, along, distance, axon_depth)


def detach(specimen: Specimen, tissue: Tissue) -> tuple[np.ndarray, pd.DataFrame]:
    """Cut spines off at their necks, as automated segmentations do.

    The gap, of 0 to 300 nm drawn at random, is given to the neurites around it. Spines without a neck are cut
    at their base without a gap.

    Returns
    -------
    labels with the cut spines as labels of their own, and the table `orphan shaft` of truth
    """
    rng = np.random.default_rng([specimen.seed, 11])
    labels, links = tissue.labels.copy(), []
    orphan = int(labels.max())
    boxes = cc3d.statistics((tissue.spine + 1).astype(np.uint32))["bounding_boxes"]
    for row in specimen.spines[specimen.spines["spine"] < len(boxes) - 1].itertuples():
        chosen = rng.random() < DETACHED_SHARE
        gap = rng.uniform(0, min(LARGEST_GAP, 0.6 * row.neck_length_nm)) if row.neck_length_nm > 150 else 0.0
        cut = rng.uniform(0.0, 0.35) * row.neck_length_nm + 0.35 * specimen.dendrites["radius_nm"].mean()
        box = boxes[row.spine + 1]
        if not chosen or box is None or any(axis.stop - axis.start < 3 for axis in box):
            continue
        box = tuple(slice(max(axis.start - 6, 0), axis.stop + 6) for axis in box)
        mine = tissue.spine[box] == row.spine
        shaft = row.neuron
        if not ((labels[box] == shaft) & (tissue.spine[box] < 0)).any():
            continue
        cut_off = mine & (tissue.along[box] > cut + gap)
        pieces = cc3d.connected_components(cut_off, connectivity=6)
        if not pieces.any():
            continue
        cut_off = pieces == np.bincount(pieces[pieces > 0]).argmax()
        if cut_off.sum() < 400:
            continue
        orphan += 1
        part = labels[box]
        part[cut_off] = orphan
        lost = mine & (tissue.along[box] > cut) & ~cut_off
        others = np.where((part == shaft) | (part == orphan) | lost, 0, part)
        part[lost] = _grow(others, lost)[lost]
        links.append({"orphan": orphan, "shaft": shaft, "spine": row.spine, "gap_nm": gap})
    return labels, pd.DataFrame(links, columns=["orphan", "shaft", "spine", "gap_nm"])


def synapse_labels(specimen: Specimen, tissue: Tissue) -> tuple[np.ndarray, pd.DataFrame]:
    """Truth of the synapses: labels of cleft and density on both sides, and a table with one row a synapse.

    The table has columns synapse z_nm y_nm x_nm tag spine pre post: partners are labels of the truth.
    """
    voxel = specimen.em_voxel_nm
    labels = np.zeros(tissue.labels.shape, np.uint32)
    rows = []
    for row in specimen.synapses.itertuples():
        centre = np.array([row.z_nm, row.y_nm, row.x_nm])
        box, offsets = _around(centre, row.radius_nm + 40.0, voxel, labels.shape)
        if box is None:
            continue
        near = (offsets**2).sum(axis=0) < row.radius_nm**2
        depth = tissue.distance[box]
        mask = near & (depth > -POST_DEPTH) & (depth < PRE_DEPTH) & (tissue.labels[box] > 0) & (labels[box] == 0)
        post, pre = mask & (depth < 0), near & (depth > 0) & (depth < 150)
        if mask.sum() < 60 or not post.any() or not pre.any():
            continue
        partners = [int(np.bincount(tissue.labels[box][side]).argmax()) for side in (pre, post)]
        labels[box][mask] = row.id
        rows.append([row.id, *centre, row.tag, row.spine, *partners])
    return labels, pd.DataFrame(rows, columns=["synapse", "z_nm", "y_nm", "x_nm", "tag", "spine", "pre", "post"])


def vesicle_positions(specimen: Specimen, tissue: Tissue, synapses: pd.DataFrame) -> np.ndarray:
    """Centres (N, 3) in nm of vesicles: a cloud on the presynaptic side of each synapse."""
    rng = np.random.default_rng([specimen.seed, 13])
    voxel, centres = specimen.em_voxel_nm, []
    normals = specimen.synapses.set_index("id")[["normal_z", "normal_y", "normal_x"]]
    for row in synapses.itertuples():
        start = np.array([row.z_nm, row.y_nm, row.x_nm]) + 130.0 * normals.loc[row.synapse].to_numpy()
        tries = start + rng.normal(0, 130.0, (400, 3))
        index = np.round(tries / voxel).astype(int)
        inside = ((index >= 0) & (index < tissue.labels.shape)).all(axis=1)
        tries, index = tries[inside], tuple(index[inside].T)
        fits = (tissue.labels[index] == row.pre) & (tissue.axon_depth[index] < 20.0) & (tissue.distance[index] > 55.0)
        kept: list[np.ndarray] = []
        for centre in tries[fits]:
            if all(((centre - other) ** 2).sum() > 46.0**2 for other in kept):
                kept.append(centre)
        centres += kept[: rng.integers(15, 60)]
    return np.array(centres).reshape(-1, 3)


def vesicle_mask(centres: np.ndarray, shape: tuple[int, int, int], voxel: np.ndarray) -> np.ndarray:
    """Voxels (uint8) inside of vesicles."""
    mask = np.zeros(shape, np.uint8)
    for centre in centres:
        box, offsets = _around(centre, VESICLE_RADIUS + voxel[0] / 2, voxel, shape)
        if box is not None:
            mask[box][(offsets[0] ** 2 * 0.4 + offsets[1] ** 2 + offsets[2] ** 2) < VESICLE_RADIUS**2] = 1
    return mask


def boundary_nm(labels: np.ndarray, voxel: np.ndarray) -> np.ndarray:
    """Distance (float32, nm) from each voxel to the nearest face between two labels.

    Sections are thick and membranes often run along them: the way in z counts as if voxels were thinner.
    """
    anisotropy = (min(voxel[0], 22.0), voxel[1], voxel[2])
    return edt.edt(labels + np.uint32(1), anisotropy=anisotropy, black_border=False, parallel=1) - 0.5 * voxel[2]


def membrane_probability(specimen: Specimen, boundary: np.ndarray) -> np.ndarray:
    """A membrane map (float32) as a good predictor would give it: blurred, noisy, with weak spots."""
    rng = np.random.default_rng([specimen.seed, 17])
    truth = 1.0 / (1.0 + np.exp((boundary - 14.0) / 3.5))
    truth *= 1.0 - 0.75 * (_blotches(rng, boundary.shape, (3, 14, 14)) > 2.0)
    truth = gaussian_filter(truth, (0.0, 0.8, 0.8))
    noise = gaussian_filter(rng.standard_normal(boundary.shape, np.float32), (0, 1.0, 1.0)) * 0.22
    return np.clip(truth + noise * (0.25 + truth) + 0.02, 0, 1).astype(np.float32)


def image(
    specimen: Specimen, tissue: Tissue, boundary: np.ndarray, synapses: np.ndarray, vesicles: np.ndarray
) -> np.ndarray:
    """Grey values (uint8): dark membranes, vesicles and densities in grey cytoplasm, noise and uneven slices."""
    rng = np.random.default_rng([specimen.seed, 19])
    shape, voxel = tissue.labels.shape, specimen.em_voxel_nm
    tone = rng.normal(0, 7, 8191).astype(np.float32)
    grey = 158.0 + tone[tissue.labels % 8191]
    grey += 7.0 * _blotches(rng, shape, (1.5, 5, 5)) + 5.0 * _blotches(rng, shape, (4, 40, 40))
    grey += 9.0 * gaussian_filter(rng.standard_normal(shape, np.float32), (0.4, 1.1, 1.1)) * 3
    _darken(grey, _mitochondria(specimen, tissue), 62.0, 0.85)
    ring = edt.edt(vesicles, anisotropy=tuple(voxel), black_border=False, parallel=1)
    _darken(grey, vesicles > 0, 45.0, 0.75)
    grey[ring > 1.2 * voxel[1]] += 35.0
    density = (synapses > 0) & (tissue.distance < 4.0)
    _darken(grey, density, 42.0, 0.85)
    _darken(grey, (synapses > 0) & ~density, 70.0, 0.5)
    dark = 1.0 / (1.0 + np.exp((boundary - 12.0) / 3.0))
    grey += dark * (48.0 - grey)
    lumen = tissue.labels == 0
    grey[lumen & (boundary > 60)] = 216.0
    grey = gaussian_filter(grey, (0.25, 0.7, 0.7))
    grey += 9.0 * rng.standard_normal(shape, np.float32)
    contrast = 1.0 + rng.normal(0, 0.03, shape[0]) + 0.02 * np.sin(np.arange(shape[0]) / 9.0)
    offset = rng.normal(0, 3.0, shape[0])
    grey = (grey - 128.0) * contrast[:, None, None] + 128.0 + offset[:, None, None]
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)


def _vessel(specimen: Specimen) -> np.ndarray:
    """A blood vessel that cuts a corner or edge of the cutout, far from the neuron."""
    shape, voxel = specimen.em_shape, specimen.em_voxel_nm
    box = shape * voxel
    nodes = specimen.dendrites[["z_nm", "y_nm", "x_nm"]].to_numpy()
    corners = np.array([[y, x] for y in (0, box[1]) for x in (0, box[2])])
    inside = nodes[((nodes > 0) & (nodes < box)).all(axis=1), 1:]
    corner = corners[np.argmax([np.linalg.norm(inside - corner, axis=1).min() for corner in corners])]
    rng = np.random.default_rng([specimen.seed, 23])
    tilt = rng.uniform(-0.25, 0.25, 2)
    z, y, x = (np.arange(length) * size for length, size in zip(shape, voxel))
    radius = 0.2 * min(box[1:])
    dy = (y[None, :] - corner[0]) - tilt[0] * (z[:, None] - box[0] / 2)
    dx = (x[None, :] - corner[1]) - tilt[1] * (z[:, None] - box[0] / 2)
    return dy[:, :, None] ** 2 + dx[:, None, :] ** 2 < radius**2


def _mitochondria(specimen: Specimen, tissue: Tissue) -> np.ndarray:
    """Mitochondria in the shafts of dendrites: voxels deep inside along stretches of the shaft."""
    rng = np.random.default_rng([specimen.seed, 29])
    stretch = _blotches(rng, tissue.labels.shape, (14, 40, 40)) > 0.5
    return stretch & (tissue.spine < 0) & (tissue.distance < -130.0)


def _blotches(rng: np.random.Generator, shape: tuple[int, int, int], size: tuple[float, float, float]) -> np.ndarray:
    """Smooth noise of unit variance with a length of `size` voxels."""
    coarse = tuple(int(np.ceil(length / step)) + 3 for length, step in zip(shape, size))
    noise = gaussian_filter(rng.standard_normal(coarse, np.float32), 0.7)
    fine = zoom(noise, [(length + 2) / (count - 1) for length, count in zip(shape, coarse)], order=1, grid_mode=False)
    fine = fine[tuple(slice(0, length) for length in shape)]
    return (fine / noise.std()).astype(np.float32)


def _darken(grey: np.ndarray, where: np.ndarray, level: float, weight: float) -> None:
    grey[where] += weight * (level - grey[where])


def _around(centre, reach, voxel, shape):
    """The part of a volume within `reach` nm of a point, and the offsets (3, ...) of its voxels from the point."""
    low = np.maximum(np.floor((centre - reach) / voxel).astype(int), 0)
    high = np.minimum(np.ceil((centre + reach) / voxel).astype(int) + 1, shape)
    if (low >= high).any():
        return None, None
    box = tuple(slice(a, b) for a, b in zip(low, high))
    axes = [np.arange(a, b) * size - place for a, b, size, place in zip(low, high, voxel, centre)]
    return box, np.stack(np.meshgrid(*axes, indexing="ij"))


def _one_piece_each(labels: np.ndarray) -> np.ndarray:
    """Give disconnected pieces of axons and glia labels of their own, and small ones to a neighbour."""
    pieces = cc3d.connected_components(labels, connectivity=6)
    count = int(pieces.max())
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    label_of = np.zeros(count + 1, np.int64)
    label_of[pieces.ravel()] = labels.ravel()
    new = label_of.copy()
    following = FIRST_OTHER
    for label in np.unique(label_of[label_of >= FIRST_AXON]):
        mine = np.flatnonzero(label_of == label)
        mine = mine[np.argsort(-sizes[mine], kind="stable")]
        for rank, piece in enumerate(mine):
            if sizes[piece] < SMALLEST_PIECE:
                new[piece] = -1
            elif rank > 0 or label >= FIRST_OTHER:
                following += 1
                new[piece] = following
    empty = (new < 0)[pieces]
    filled = new[pieces].clip(0).astype(np.uint32)
    return _grow(np.where(filled >= FIRST_AXON, filled, 0), empty, filled)


def _grow(sources: np.ndarray, empty: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Fill `empty` voxels step by step from the neighbours that have a source."""
    filled = sources.copy()
    while True:
        more = _grow_once(filled, empty)
        if (more == filled).all():
            break
        filled = more
    return filled if labels is None else np.where(empty, filled, labels)


@numba.njit(cache=True)
def _grow_once(labels, empty):
    grown = labels.copy()
    depth, height, width = labels.shape
    for i in range(depth):
        for j in range(height):
            for k in range(width):
                if not empty[i, j, k] or labels[i, j, k]:
                    continue
                if k > 0 and labels[i, j, k - 1]:
                    grown[i, j, k] = labels[i, j, k - 1]
                elif k < width - 1 and labels[i, j, k + 1]:
                    grown[i, j, k] = labels[i, j, k + 1]
                elif j > 0 and labels[i, j - 1, k]:
                    grown[i, j, k] = labels[i, j - 1, k]
                elif j < height - 1 and labels[i, j + 1, k]:
                    grown[i, j, k] = labels[i, j + 1, k]
                elif i > 0 and labels[i - 1, j, k]:
                    grown[i, j, k] = labels[i - 1, j, k]
                elif i < depth - 1 and labels[i + 1, j, k]:
                    grown[i, j, k] = labels[i + 1, j, k]
    return grown
