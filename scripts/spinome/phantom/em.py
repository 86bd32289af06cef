"""The EM cutout: what the microscope shows of the tissue, and what is known about it."""

from __future__ import annotations

import edt
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.special import expit

from spinome.phantom.geometry import noise
from spinome.phantom.specimen import Specimen
from spinome.phantom.staining import stained
from spinome.phantom.tissue import Tissue, around, detach, fill, synapse_labels

MEMBRANE_HALF = 13.0  # from the middle of the cleft to the outer edge of a membrane, nm
# a section is thick and membranes often run along it: the way across sections counts as if they were thinner
MEMBRANE_SECTION = 22.0
VESICLE_RADIUS, VESICLE_SPACING = 20.0, 42.0  # nm
VESICLES = (40, 160)  # a synapse
WEAK_SHARE = 0.75  # how much of the membrane map is lost in its weak spots

# grey values
CYTOPLASM, MEMBRANE, DENSITY, CLEFT, LUMEN = 158.0, 48.0, 40.0, 72.0, 214.0
MITOCHONDRION, CRISTAE = 96.0, 34.0


def render_cutout(specimen: Specimen, varied: bool = False) -> tuple[dict[str, np.ndarray], pd.DataFrame, pd.DataFrame]:
    """All volumes of a cutout by name, the truth of its links and of its synapses.

    Parameters
    ----------
    varied : grey values by `spinome.phantom.staining`, another look for each specimen

    Returns
    -------
    volumes : image uint8, membrane float32, segmentation uint32, detached uint32, vesicles uint8, synapses uint32,
        mask uint8 (1: tissue)
    links : see `spinome.phantom.tissue.detach`
    synapses : see `spinome.phantom.tissue.synapse_labels`
    """
    tissue = fill(specimen)
    detached, links = detach(specimen, tissue)
    densities, synapses = synapse_labels(specimen, tissue)
    vesicles, shade = draw_vesicles(specimen, vesicle_positions(specimen, tissue, synapses))
    boundary = boundary_nm(tissue, specimen.em_voxel_nm)
    if varied:
        grey, densities = stained(specimen, tissue, boundary, densities, shade)
    else:
        grey = image(specimen, tissue, boundary, densities, shade)
    volumes = {
        "image": grey,
        "membrane": membrane_probability(specimen, boundary),
        "segmentation": tissue.labels,
        "detached": detached,
        "vesicles": vesicles,
        "synapses": densities,
        "mask": (tissue.labels > 0).astype(np.uint8),
    }
    return volumes, links, synapses


def vesicle_positions(specimen: Specimen, tissue: Tissue, synapses: pd.DataFrame) -> np.ndarray:
    """Centres (N, 3) in nm of vesicles: a cloud on the presynaptic side of each synapse."""
    rng = np.random.default_rng([specimen.seed, 13])
    voxel, centres = specimen.em_voxel_nm, [np.zeros((0, 3))]
    normals = specimen.synapses.set_index("id")[["normal_z", "normal_y", "normal_x"]]
    for row in synapses.itertuples():
        start = np.array([row.z_nm, row.y_nm, row.x_nm]) + 150.0 * normals.loc[row.synapse].to_numpy()
        tries = start + rng.normal(0, 150.0, (1500, 3))
        index = np.round(tries / voxel).astype(int)
        inside = ((index >= 0) & (index < tissue.labels.shape)).all(axis=1)
        tries, index = tries[inside], tuple(index[inside].T)
        fits = (tissue.labels[index] == row.pre) & (tissue.axon_depth[index] < 10) & (tissue.distance[index] > 45)
        tries = tries[fits & ~tissue.mitochondria[index]]
        kept = np.ones(len(tries), bool)
        for first, second in sorted(cKDTree(tries).query_pairs(VESICLE_SPACING)) if len(tries) else []:
            if kept[first]:
                kept[second] = False
        centres.append(tries[kept][: rng.integers(*VESICLES)])
    return np.concatenate(centres)


def draw_vesicles(specimen: Specimen, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voxels inside of vesicles (uint8), and what they do to the grey value (int8): dark rings, pale inside."""
    shape, voxel = tuple(specimen.em_shape), specimen.em_voxel_nm
    mask, shade = np.zeros(shape, np.uint8), np.zeros(shape, np.int8)
    for centre in centres:
        box, offsets = around(centre, VESICLE_RADIUS + voxel.max(), voxel, shape)
        if box is None:
            continue
        # half a section of slack in z, for sections show a projection
        height = (np.abs(offsets[0]) - voxel[0] / 2).clip(0)
        radius = np.sqrt(height**2 + offsets[1] ** 2 + offsets[2] ** 2)
        mask[box][radius < VESICLE_RADIUS] = 1
        ring = 95.0 * np.exp(-(((radius - 0.85 * VESICLE_RADIUS) / 7.0) ** 2)) - 30.0 * np.exp(-((radius / 9.0) ** 2))
        shade[box] = np.where(np.abs(ring) > np.abs(shade[box]), ring, shade[box]).astype(np.int8)
    return mask, shade


def boundary_nm(tissue: Tissue, voxel: np.ndarray) -> np.ndarray:
    """Distance (float32, nm) from each voxel to the nearest face between two labels."""
    anisotropy = (min(voxel[0], MEMBRANE_SECTION), voxel[1], voxel[2])
    distance = edt.edt(tissue.labels + np.uint32(1), anisotropy=anisotropy, black_border=False, parallel=1)
    distance -= 0.5 * voxel[2]
    return distance


def membrane_probability(specimen: Specimen, boundary: np.ndarray) -> np.ndarray:
    """A membrane map (float32) as a good predictor would give it: blurred, noisy, with weak spots."""
    rng = np.random.default_rng([specimen.seed, 17])
    probability = np.empty(boundary.shape, np.float32)
    for index, distance in enumerate(boundary):
        plane = expit((MEMBRANE_HALF + 1.0 - distance) / 3.5)
        plane *= 1.0 - WEAK_SHARE * (_clouds(specimen, index, (150, 250, 250), 3) > 0.62)
        plane = gaussian_filter(plane, 0.8)
        fuzz = gaussian_filter(rng.standard_normal(plane.shape, np.float32), 1.0) * 0.22
        probability[index] = (plane + fuzz * (0.25 + plane) + 0.02).clip(0, 1)
    return probability


def image(
    specimen: Specimen, tissue: Tissue, boundary: np.ndarray, synapses: np.ndarray, vesicle_shade: np.ndarray
) -> np.ndarray:
    """Grey values (uint8): dark membranes, vesicles and densities in grey cytoplasm, noise and uneven slices."""
    rng = np.random.default_rng([specimen.seed, 19])
    tone = rng.normal(0, 9, 8191).astype(np.float32)
    grey = np.empty(tissue.labels.shape, np.uint8)
    drift = 0.0
    for index, labels in enumerate(tissue.labels):
        plane = CYTOPLASM + tone[labels % 8191]
        plane += 10.0 * _clouds(specimen, index, (150, 120, 120), 5) + 8.0 * _clouds(
            specimen, index, (400, 900, 900), 7
        )
        # filaments and ribosomes: grains of one or two voxels
        plane += 30.0 * gaussian_filter(rng.standard_normal(plane.shape, np.float32), 1.1)
        inner = tissue.mitochondria[index]
        folds = CRISTAE * (np.abs(_clouds(specimen, index, (160, 60, 160), 9)) < 0.15)
        plane[inner] = (MITOCHONDRION - folds + 0.3 * (plane - CYTOPLASM))[inner]
        rim = edt.edt(inner, anisotropy=tuple(specimen.em_voxel_nm[1:]), black_border=False, parallel=1)
        plane -= 45.0 * (inner & (rim < 20))
        plane -= vesicle_shade[index]
        density = (synapses[index] > 0) & (tissue.distance[index] < 4)
        cleft = (synapses[index] > 0) & ~density
        plane[density] += 0.85 * (DENSITY - plane[density])
        plane[cleft] += 0.5 * (CLEFT - plane[cleft])
        dark = expit((MEMBRANE_HALF - 1.0 - boundary[index]) / 3.0)
        plane += dark * (MEMBRANE - plane)
        plane[(labels == 0) & (boundary[index] > 60)] = LUMEN
        plane = gaussian_filter(plane, 0.7) + 9.0 * rng.standard_normal(plane.shape, np.float32)
        drift = 0.7 * drift + rng.normal(0, 2.5)
        plane = (plane - 128.0) * (1.0 + rng.normal(0, 0.04)) + 128.0 + drift
        grey[index] = np.round(plane).clip(0, 255)
    return grey


def _clouds(specimen: Specimen, index: int, length: tuple[float, float, float], stream: int) -> np.ndarray:
    """Smooth noise on one slice."""
    voxel = specimen.em_voxel_nm
    origin = np.array([index * voxel[0], 0.0, 0.0])
    return noise(origin, voxel, (1, *specimen.em_shape[1:]), length, specimen.seed + 1000 * stream)[0]
