"""Two-photon sessions of a specimen's neuron, and where its spines are in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy.ndimage import gaussian_filter, map_coordinates, shift

from spinome.phantom.geometry import HEAD, SHAFT, Tubes, chain, join, surface
from spinome.phantom.specimen import FIELD_VOXEL_NM, NEURON, Specimen
from spinome.phantom.spines import points

OVERSAMPLING = 4  # planes per slice
FWHM_LATERAL, FWHM_AXIAL = 400.0, 2000.0  # of the point-spread function, nm
DRIFT_NM = (1500.0, 2500.0, 2500.0)  # standard deviation of a session's shift
WARP_NM = (400.0, 700.0, 700.0)  # of its local warp
WARP_LENGTH = 12_000.0
JITTER_PX = 0.6  # of each slice in y and x
PHOTONS = 14.0  # a voxel at the usual brightness of a shaft
GAIN = 8.0  # grey values a photon
READ_NOISE = 3.0  # grey values
OFFSET = -4.0
# what else fluoresces dimly: spots, clouds and thin processes; sizes in nm
OTHERS = (
    {"per_um2": 0.02, "radius": (100, 260), "step": 250.0, "strength": 0.5, "blur": 0.0},
    {"per_um2": 0.006, "radius": (300, 900), "step": 700.0, "strength": 0.14, "blur": 600.0},
    {"per_um2": 0.004, "radius": (80, 120), "step": 1600.0, "strength": 0.35, "blur": 0.0},
)
VISIBLE = 200.0  # a spine is seen when its head lies so far beside its shaft, nm


def render_session(specimen: Specimen, timepoint: int) -> np.ndarray:
    """The stack (Z, Y, X) uint8 of a session.

    Raises
    ------
    ValueError: if the specimen has no such session
    """
    if not 0 <= timepoint < len(specimen.days):
        raise ValueError(f"the specimen has sessions 0 to {len(specimen.days) - 1}, not {timepoint}; see `days`")
    rng = np.random.default_rng([specimen.seed, 31, timepoint])
    spacing = np.array(FIELD_VOXEL_NM) / [OVERSAMPLING, 1, 1]
    shape = (specimen.field_shape[0] * OVERSAMPLING, *specimen.field_shape[1:])
    tubes = _moved(specimen, specimen.tubes(timepoint, NEURON), timepoint)
    size = shape * spacing
    tubes = tubes.touching(np.zeros(3), size, 500.0)
    filled = _occupancy(tubes, spacing, shape, specimen.seed)
    for dim, strength, blur in _other_processes(specimen, timepoint):
        haze = _occupancy(dim, spacing, shape, specimen.seed)
        filled = np.maximum(filled, strength * gaussian_filter(haze, blur / spacing))
    sigma = np.array([FWHM_AXIAL, FWHM_LATERAL, FWHM_LATERAL]) / 2.355 / spacing
    light = gaussian_filter(filled, sigma, truncate=3.5)[OVERSAMPLING // 2 :: OVERSAMPLING]
    light /= _shaft_light(tubes, light, spacing)
    depth = np.linspace(1.15, 0.8, len(light))
    light *= depth[:, None, None]
    jitter = slice_jitter(specimen, timepoint)
    light = np.stack([shift(plane, step, order=1, mode="nearest") for plane, step in zip(light, jitter)])
    light = light.clip(0) * rng.uniform(0.85, 1.15) + 0.012
    photons = rng.poisson(light * PHOTONS)
    grey = photons * GAIN * rng.gamma(12.0, 1 / 12.0, photons.shape) + rng.normal(0, READ_NOISE, photons.shape)
    return np.clip(np.round(grey + OFFSET), 0, 255).astype(np.uint8)


def write_session(path: str | Path, stack: np.ndarray) -> None:
    """Write a stack as OME-TIFF with its voxel size; the same stack gives the same bytes."""
    size = dict(zip(("PhysicalSizeZ", "PhysicalSizeY", "PhysicalSizeX"), (value / 1000 for value in FIELD_VOXEL_NM)))
    units = dict.fromkeys(("PhysicalSizeZUnit", "PhysicalSizeYUnit", "PhysicalSizeXUnit"), "µm")
    metadata = {"axes": "ZYX", "UUID": "urn:uuid:00000000-0000-0000-0000-000000000000", **size, **units}
    tifffile.imwrite(path, stack, ome=True, metadata=metadata, compression="zlib", photometric="minisblack")


def slice_jitter(specimen: Specimen, timepoint: int) -> np.ndarray:
    """Shift (Z, 2) of each slice in y and x, in voxels, with mean 0."""
    rng = np.random.default_rng([specimen.seed, 37, timepoint])
    jitter = rng.normal(0, JITTER_PX, (specimen.field_shape[0], 2))
    return jitter - jitter.mean(axis=0)


def to_session(specimen: Specimen, positions: np.ndarray, timepoint: int) -> np.ndarray:
    """Positions (N, 3) of the specimen's frame in nm from the first voxel of a session: drift and local warp."""
    in_field = np.asarray(positions, float) - specimen.field_origin_nm
    if timepoint == 0:
        return in_field
    rng = np.random.default_rng([specimen.seed, 41, timepoint])
    drift = rng.normal(0, DRIFT_NM).clip(-np.array(DRIFT_NM) * 1.5, np.array(DRIFT_NM) * 1.5)
    drift = np.minimum(np.abs(drift), specimen.field_shape * FIELD_VOXEL_NM * 0.12) * np.sign(drift)
    coarse = rng.normal(0, 1, (3, *[int(size // WARP_LENGTH) + 6 for size in specimen.field_shape * FIELD_VOXEL_NM]))
    index = in_field.T / WARP_LENGTH + 2.0
    warp = np.stack([map_coordinates(axis, index, order=3, mode="nearest") for axis in coarse], axis=1) * WARP_NM
    return in_field + drift + warp


def session_spines(specimen: Specimen) -> pd.DataFrame:
    """Truth of all sessions as an annotator would give it: the spines that can be seen beside their shaft.

    Columns timepoint day track_id dendrite_id tip_z_px ... base_x_px head_volume_um3; the tip is the outer end of
    the head, the base lies on the backbone of the dendrite; slices are taken without their jitter.
    """
    tables = []
    seen = _visible(specimen)
    voxel = np.array(FIELD_VOXEL_NM)
    for timepoint, day in enumerate(specimen.days):
        there = specimen.present(timepoint)
        there = there[there["spine"].isin(seen)]
        head, base = points(there, "head"), points(there, "axis")
        scale = specimen.head_scale(timepoint)[there["spine"]]
        radius = scale * there["head_diameter_nm"].to_numpy() / 2
        outward = head - points(there, "base")
        tip = head + outward / np.linalg.norm(outward, axis=1, keepdims=True) * radius[:, None]
        tip, base, head = (to_session(specimen, place, timepoint) / voxel for place in (tip, base, head))
        inside = ((head >= 0) & (head <= specimen.field_shape - 1)).all(axis=1)
        table = pd.DataFrame(
            {"timepoint": timepoint, "day": day, "track_id": there["spine"], "dendrite_id": there["dendrite"]}
        )
        for name, place in (("tip", tip), ("base", base)):
            for axis, values in zip("zyx", place.T):
                table[f"{name}_{axis}_px"] = values.round(2)
        table["head_volume_um3"] = ((4 / 3 + 0.22) * np.pi * radius**3 / 1e9).round(5)
        tables.append(table[inside])
    return pd.concat(tables, ignore_index=True)


def session_dendrites(specimen: Specimen) -> pd.DataFrame:
    """Backbones of the dendrites inside of the field in all sessions: timepoint dendrite_id node z_px y_px x_px."""
    tables = []
    nodes = specimen.dendrites[specimen.dendrites["neuron"] == NEURON]
    for timepoint in range(len(specimen.days)):
        place = to_session(specimen, nodes[["z_nm", "y_nm", "x_nm"]].to_numpy(), timepoint) / FIELD_VOXEL_NM
        table = pd.DataFrame({"timepoint": timepoint, "dendrite_id": nodes["dendrite"], "node": nodes["node"]})
        for axis, values in zip("zyx", place.T):
            table[f"{axis}_px"] = values.round(2)
        tables.append(table[((place >= 0) & (place <= specimen.field_shape - 1)).all(axis=1)])
    return pd.concat(tables, ignore_index=True)


def _visible(specimen: Specimen) -> np.ndarray:
    spines = specimen.spines[specimen.spines["neuron"] == NEURON]
    beside = np.linalg.norm((points(spines, "head") - points(spines, "axis"))[:, 1:], axis=1)
    shaft = np.linalg.norm(points(spines, "base") - points(spines, "axis"), axis=1)
    return spines.loc[beside > shaft + VISIBLE, "spine"].to_numpy()


def _moved(specimen: Specimen, tubes: Tubes, timepoint: int) -> Tubes:
    start, end = (to_session(specimen, place, timepoint) for place in (tubes.start, tubes.end))
    return replace(tubes, start=start, end=end)


def _occupancy(tubes: Tubes, spacing: np.ndarray, shape: tuple[int, int, int], seed: int) -> np.ndarray:
    distance = surface(tubes, np.zeros(3), spacing, shape, seed, margin=200.0).distance
    return np.clip(0.5 - distance / spacing[1], 0, 1)


def _shaft_light(tubes: Tubes, light: np.ndarray, spacing: np.ndarray) -> float:
    """Brightness of a middling shaft in the field."""
    shaft = tubes.start[(tubes.part == SHAFT)]
    index = np.round(shaft / FIELD_VOXEL_NM).astype(int)
    inside = ((index >= 0) & (index < light.shape)).all(axis=1)
    return float(np.median(light[tuple(index[inside].T)])) if inside.any() else float(light.max())


def _other_processes(specimen: Specimen, timepoint: int) -> Iterator[tuple[Tubes, float, float]]:
    """Dim pieces of other labelled cells, the same in all sessions, with their brightness and blur in nm."""
    rng = np.random.default_rng([specimen.seed, 43])
    size = specimen.field_shape * np.array(FIELD_VOXEL_NM)
    for kind in OTHERS:
        tubes = []
        for _ in range(rng.poisson(kind["per_um2"] * size[1] * size[2] / 1e6)):
            line = rng.uniform(0, 1, 3) * size + np.cumsum(rng.normal(0, kind["step"], (4, 3)) * [0.6, 1, 1], axis=0)
            tubes.append(chain(line + specimen.field_origin_nm, rng.uniform(*kind["radius"], 4), HEAD, -1))
        if tubes:
            yield _moved(specimen, join(tubes), timepoint), kind["strength"], kind["blur"]
