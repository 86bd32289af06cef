"""A cutout as real tissue looks: stained, cut and imaged in another way from one specimen to the next.

Real sections hold what a plain rendering leaves out: grey thin clefts beside dark ones, dense bars on the presynaptic
side, vesicles that are grey disks, vesicles with a dense core, vesicles far from any synapse, dark mitochondria, long
organelles, pale cisterns in a dark membrane, specks, spots of membrane that are dark without being a synapse, membranes
that a thick section cuts obliquely, myelin, dark glia with glycogen, and sections that fade. How much there is of each,
and how strong all contrasts are, is drawn for each specimen (`Staining`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import edt
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from spinome.phantom.geometry import noise
from spinome.phantom.specimen import Specimen
from spinome.phantom.tissue import FIRST_AXON, FIRST_OTHER, Tissue, around

# grey values that everything is painted with, before contrast and brightness
CYTOPLASM, DARK, PALE = 160.0, 45.0, 205.0
# nm between an axis and the rim of a bar on the presynaptic side, and how far it reaches into the axon
BAR_RADIUS, BAR_DEPTH = (30.0, 75.0), (40.0, 85.0)
# of the bodies that are placed at random: radius in nm
CORE_RADIUS, ORGANELLE_RADIUS, SPECK_RADIUS = (28.0, 55.0), (40.0, 180.0), (12.0, 45.0)
GRANULE_RADIUS, RING_RADIUS, CISTERN_RADIUS = (11.0, 17.0), (16.0, 24.0), (25.0, 110.0)
# these are up to so many times longer than wide, in the plane of a section
LONG, STRETCH = (ORGANELLE_RADIUS, CISTERN_RADIUS), (1.0, 5.0)
# share of a long body's radius that a neurite must have room for
NARROWEST = 0.4
# the dark membrane of a mitochondrion reaches so far into it, nm
MITOCHONDRION_RIM = 22.0
# how far from its middle a soft edge reaches, nm
EDGE = 5.0


@dataclass(frozen=True)
class Staining:
    """What is drawn for a specimen; shares are of 1, numbers of bodies are per um3, lengths in nm, greys in levels."""

    membrane: float
    half_membrane: float
    oblique: float
    dark_spots: float
    neurites: float
    glia: float
    mitochondria: float
    rim: float
    vesicles: float
    smear: float
    grain: float
    shading: float
    noise: float
    blur: float
    gamma: float
    section_gain: float
    section_shift: float
    lost: float
    thin_synapses: float
    bars: float
    cores: float
    organelles: float
    organelle_shade: float
    specks: float
    granules: float
    rings: float
    cisterns: float
    myelin: float

    @classmethod
    def draw(cls, seed: int) -> Staining:
        """The staining of a specimen."""
        rng = np.random.default_rng([seed, 29])
        between = rng.uniform
        return cls(
            membrane=between(45, 115),
            half_membrane=between(8, 14),
            oblique=between(0.2, 0.8),
            dark_spots=between(0.0, 0.8),
            neurites=between(4, 16),
            glia=between(-55, 5),
            mitochondria=between(-95, -20),
            rim=between(0, 60),
            vesicles=between(0.3, 1.0),
            smear=between(0, 1.6),
            grain=between(15, 55),
            shading=between(4, 14),
            noise=between(5, 17),
            blur=between(0.4, 1.1),
            gamma=np.exp(between(-0.35, 0.35)),
            section_gain=between(0.02, 0.1),
            section_shift=between(1, 6),
            lost=between(0, 0.05),
            thin_synapses=between(0.2, 0.9),
            bars=between(0, 0.6),
            cores=between(0, 3),
            organelles=between(0, 2.5),
            organelle_shade=between(-120, -30),
            specks=between(0, 6),
            granules=between(0, 60),
            rings=between(0, 220),
            cisterns=between(0, 8),
            myelin=rng.choice([0.0, 0.06]),
        )


def stained(
    specimen: Specimen, tissue: Tissue, boundary: np.ndarray, synapses: np.ndarray, vesicle_shade: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Grey values (uint8) of a cutout, and the labels of its synapses (uint32) with their bars.

    Parameters
    ----------
    boundary : nm from each voxel to the nearest face between two labels
    synapses : labels of cleft and density
    vesicle_shade : what the vesicles of synapses do to the grey value
    """
    look, rng = Staining.draw(specimen.seed), np.random.default_rng([specimen.seed, 31])
    dark, truth = _densities(specimen, tissue, synapses, look, rng)
    bodies = _bodies(specimen, tissue, boundary, look, rng)
    tone = rng.normal(0, look.neurites, 8191).astype(np.float32)
    sheathed = rng.random(8191) < look.myelin
    glycogen = rng.random() < 0.5
    grey, shift = np.empty(tissue.labels.shape, np.uint8), 0.0
    rims = [_membrane(specimen, index, boundary, look) for index in range(len(grey))]
    for index, labels in enumerate(tissue.labels):
        number, glia = labels % 8191, labels >= FIRST_OTHER
        plane = CYTOPLASM + tone[number]
        plane[glia] += look.glia
        plane += 0.5 * look.shading * _clouds(specimen, index, (150, 120, 120), 5)
        plane += look.shading * _clouds(specimen, index, (400, 900, 900), 7)
        plane += look.grain * gaussian_filter(rng.standard_normal(plane.shape, np.float32), 1.1)
        inner = tissue.mitochondria[index]
        folds = np.abs(_clouds(specimen, index, (160, 60, 160), 9)) < 0.15
        edge = edt.edt(inner, anisotropy=tuple(specimen.em_voxel_nm[1:]), black_border=False, parallel=1)
        plane[inner] += look.mitochondria - 30.0 * folds[inner] - look.rim * (edge[inner] < MITOCHONDRION_RIM)
        # where a section is thick or the image soft, a vesicle is a grey disk and no ring
        vesicles = gaussian_filter(vesicle_shade[index].astype(np.float32), look.smear)
        plane -= look.vesicles * vesicles * (0.6 + 0.4 * look.membrane / 85)
        plane += bodies[index] * (1.0 if glycogen else ~glia)
        sheath = sheathed[number] & (labels >= FIRST_AXON) & ~glia & (boundary[index] < 90)
        plane[sheath] = DARK + 20.0 + 15.0 * np.cos(boundary[index][sheath] / 2.5)
        rim = rims[index]
        beside = 0.5 * (rims[max(index - 1, 0)] + rims[min(index + 1, len(grey) - 1)])
        rim = np.maximum(rim, look.oblique * (0.5 * rim + 0.5 * beside))
        plane += rim * (look.membrane - plane)
        plane += dark[index].astype(np.float32) / 255 * np.minimum(DARK - plane, 0)
        plane[(labels == 0) & (boundary[index] > 60)] = PALE
        plane = gaussian_filter(plane, look.blur) + look.noise * rng.standard_normal(plane.shape, np.float32)
        shift = 0.7 * shift + rng.normal(0, look.section_shift)
        gain = np.exp(rng.normal(0, look.section_gain)) * (rng.uniform(0, 0.3) if rng.random() < look.lost else 1.0)
        plane = 255 * (plane / 255).clip(0, 1) ** look.gamma
        grey[index] = np.round((plane - 128) * gain + 128 + shift).clip(0, 255)
    return grey, truth


def _densities(
    specimen: Specimen, tissue: Tissue, synapses: np.ndarray, look: Staining, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """How dark synapses make each voxel (uint8, 255 is black), and their labels with the bars."""
    dark, truth = np.zeros(synapses.shape, np.uint8), synapses.copy()
    for row in specimen.synapses.itertuples():
        drawn = rng.random(8)
        box, offsets = around(
            np.array([row.z_nm, row.y_nm, row.x_nm]), row.radius_nm + 90.0, specimen.em_voxel_nm, synapses.shape
        )
        if box is None or not (synapses[box] == row.id).any():
            continue
        depth = tissue.distance[box].astype(np.float32)
        away = np.sqrt((offsets**2).sum(axis=0))
        normal = np.array([row.normal_z, row.normal_y, row.normal_x])
        aside = np.sqrt((away**2 - np.einsum("a,a...", normal, offsets) ** 2).clip(0))
        thin = drawn[0] < look.thin_synapses
        strength = 0.35 + 0.3 * drawn[1] if thin else 0.65 + 0.3 * drawn[1]
        thick = 14 + 14 * drawn[2] if thin else 22 + 20 * drawn[2]
        near = _soft(row.radius_nm - away)
        shade = strength * near * _soft(depth + thick) * _soft(4 - depth)
        shade = np.maximum(shade, 0.5 * strength * near * _soft(depth - 2) * _soft(24 - depth))
        if drawn[3] < look.bars:
            radius, deep = (
                low + share * (high - low) for (low, high), share in zip((BAR_RADIUS, BAR_DEPTH), drawn[4:])
            )
            bar = _soft(radius - aside) * _soft(depth) * _soft(deep - depth) * (tissue.labels[box] > 0)
            bar *= tissue.labels[box] >= FIRST_AXON
            shade = np.maximum(shade, (0.7 + 0.3 * drawn[6]) * bar)
            truth[box][(bar > 0.5) & (truth[box] == 0)] = row.id
        dark[box] = np.maximum(dark[box], np.round(255 * shade).astype(np.uint8))
    return dark, truth


def _bodies(
    specimen: Specimen, tissue: Tissue, boundary: np.ndarray, look: Staining, rng: np.random.Generator
) -> np.ndarray:
    """What organelles, cisterns, dense cores, specks, granules and lone vesicles add to the grey value: int8."""
    shade = np.zeros(tissue.labels.shape, np.int8)
    um3 = tissue.labels.size * float(np.prod(specimen.em_voxel_nm)) / 1e9
    axons, glia = (FIRST_AXON, FIRST_OTHER), (FIRST_OTHER, 2**32)
    kinds: list[tuple[float, tuple[float, float], tuple[int, int], Callable[[np.ndarray, float], np.ndarray]]] = [
        (
            look.organelles,
            ORGANELLE_RADIUS,
            (1, FIRST_OTHER),
            lambda away, size: (
                look.organelle_shade * _soft(size - away) - look.rim * _band(away - size, MITOCHONDRION_RIM)
            ),
        ),
        (
            look.cisterns,
            CISTERN_RADIUS,
            (1, FIRST_OTHER),
            lambda away, size: 20 * _soft(size - away) - 75 * _band(away - size, 9.0),
        ),
        (
            look.rings,
            RING_RADIUS,
            (1, FIRST_OTHER),
            lambda away, size: -60 * _band(away - 0.85 * size, 7.0),
        ),
        (look.specks, SPECK_RADIUS, (1, FIRST_OTHER), lambda away, size: -95 * _soft(size - away)),
        (look.granules, GRANULE_RADIUS, glia, lambda away, size: -70 * _soft(size - away)),
        (look.cores, CORE_RADIUS, axons, lambda away, size: 25 * _soft(size + 14 - away) - 120 * _soft(size - away)),
    ]
    for per_um3, sizes, (low, high), painted in kinds:
        places = rng.integers(0, tissue.labels.shape, (rng.poisson(3 * per_um3 * um3), 3))
        labels, room = tissue.labels[tuple(places.T)], boundary[tuple(places.T)]
        radius = rng.uniform(*sizes, len(places))
        # a long body fills a thin neurite
        room = room / NARROWEST if sizes in LONG else room
        fits = (labels >= low) & (labels < high) & (room > radius) & ~tissue.mitochondria[tuple(places.T)]
        for place, size in zip(places[fits], radius[fits]):
            centre = place * specimen.em_voxel_nm
            stretch, angle = (rng.uniform(*STRETCH) if sizes in LONG else 1.0), rng.uniform(0, np.pi)
            box, offsets = around(centre, stretch * (size + 20), specimen.em_voxel_nm, shade.shape)
            # a section shows all that lies within it
            height = (np.abs(offsets[0]) - specimen.em_voxel_nm[0] / 2).clip(0)
            along = (np.cos(angle) * offsets[1] + np.sin(angle) * offsets[2]) / stretch
            across = np.cos(angle) * offsets[2] - np.sin(angle) * offsets[1]
            added = painted(np.sqrt(height**2 + along**2 + across**2), size).clip(-127, 127)
            # a long body does not leave its neurite
            added *= tissue.labels[box] == tissue.labels[tuple(place)]
            shade[box] = np.where(np.abs(added) > np.abs(shade[box]), added, shade[box]).astype(np.int8)
    return shade


def _membrane(specimen: Specimen, index: int, boundary: np.ndarray, look: Staining) -> np.ndarray:
    """How much of a section's voxels is membrane, thicker in its dark spots: float32."""
    spots = look.dark_spots * expit((_clouds(specimen, index, (200, 160, 160), 11) - 0.55) / 0.05)
    half = look.half_membrane * (1 + 0.2 * _clouds(specimen, index, (200, 300, 300), 13)) + 14.0 * spots
    return expit((half - boundary[index]) / 3.0).astype(np.float32)


def _soft(depth: np.ndarray) -> np.ndarray:
    """1 where a depth in nm lies inside, 0 outside, with a soft edge."""
    return expit(depth / EDGE)


def _band(depth: np.ndarray, width: float) -> np.ndarray:
    """1 at a depth of 0 nm, falling off on both sides within about `width` nm."""
    return np.exp(-((depth / width) ** 2))


def _clouds(specimen: Specimen, index: int, length: tuple[float, float, float], stream: int) -> np.ndarray:
    """Smooth noise on one section."""
    voxel = specimen.em_voxel_nm
    return noise(
        np.array([index * voxel[0], 0.0, 0.0]),
        voxel,
        (1, *specimen.em_shape[1:]),
        length,
        specimen.seed + 1000 * stream,
    )[0]
