"""Sizes and lengths of spines in micrometres, from the image and not from the detector's box."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.graph import MCP_Geometric

from spinome.twophoton.backbone import given_backbones, nearest_backbone, nodes, place_along, trace
from spinome.twophoton.head import FWHM, WIDEST_UM, ball_diameter_um, fit_head, window
from spinome.twophoton.shaft import Shafts, shafts
from spinome.twophoton.shaft_brightness import shaft_nearby
from spinome.twophoton.shape import SHAPES, shape_probabilities

# how far the shaft is looked for, and how far along it its brightness is taken
SHAFT_REACH_UM, SHAFT_AROUND_UM = 4.0, 2.5
MEASURE_COLUMNS = [
    "head_diameter_um",
    "head_volume_um3",
    "head_volume_sd_um3",
    "intensity_ratio_um2",
    "neck_length_um",
    "dendrite_distance_um",
    "dendrite",
    "base_y_um",
    "base_x_um",
    "saturated",
    "shaft_saturated",
    "fitted",
    "signal_to_noise",
    "low_signal",
    "size_at_bound",
    "shape",
    "shape_probability",
]
# a head less bright over the noise than this is flagged
LEAST_SIGNAL = 3.0


def measure_stack(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    spines: pd.DataFrame,
    psf_xy_um: float,
    psf_z_um: float,
    given: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the spines of a stack, and the dendrites that they sit on.

    Parameters
    ----------
    stack : (Z, Y, X) as stored, registered
    voxel_um, spines, psf_xy_um, psf_z_um : as `measure` takes them
    given : the backbones that a person traced (`spinome.twophoton.truth.read_truth_dendrites`); None traces the shafts

    Returns
    -------
    spines : what `measure` returns without `given`, with `along_um`, the distance along the dendrite; `dendrite` is
        that of a backbone that was given
    dendrites : what `spinome.twophoton.backbone.nodes` returns
    """
    ceiling = saturation(stack)
    stack = stack.astype(np.float32)
    found = shafts(stack, voxel_um[1:])
    spines = measure(stack, voxel_um, spines, psf_xy_um, psf_z_um, ceiling, found)
    if given is None:
        backbones = trace(stack, voxel_um, found)
    else:
        backbones = given_backbones(given)
        spines["dendrite"] = nearest_backbone(spines, backbones)
    spines = spines.assign(along_um=place_along(spines, backbones))
    return spines.drop(columns="given", errors="ignore"), nodes(backbones, given is not None)


def measure(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    spines: pd.DataFrame,
    psf_xy_um: float,
    psf_z_um: float,
    ceiling: float = np.inf,
    found: Shafts | None = None,
) -> pd.DataFrame:
    """Measure every spine of a stack.

    The head is a Gaussian fitted on a tilted plane of background; with the variance of the point-spread function
    taken off, the width is that of a uniform ball, and where nothing is left the head is below the resolution and its
    diameter 0. The volume is from brightness: the head's integrated intensity over the intensity that the same dye
    has in the shaft nearby, both corrected for the share of the point-spread function that they fill. The distance to
    the dendrite is the least-cost path through bright pixels, and the neck is what of it lies outside of the head. The
    standard deviation of the volume is that of the head's brightness under noise; an error of the widths of the
    point-spread function or of the shaft's brightness comes on top, and is common to the spines of a stack.

    Parameters
    ----------
    stack : (Z, Y, X), registered
    voxel_um : voxel size (z, y, x)
    spines : frame with `z_slice y_um x_um`, and optional `given`, true where a person gave the place: it is kept
    psf_xy_um, psf_z_um : full widths at half maximum
    ceiling : value at which the camera or file saturates
    found : the shafts, where they are known already

    Returns
    -------
    `spines` with refined `y_um x_um` and `MEASURE_COLUMNS`; NaN where a value cannot be measured, `dendrite` -1
    where no shaft is near, `shape` one of `SHAPES` and empty where head or distance is not known, `low_signal` where
    the head is less than `LEAST_SIGNAL` times as bright as the noise, `size_at_bound` where it is fitted as wide
        as the fit allows, so that it may be wider
    """
    found = found or shafts(stack, voxel_um[1:])
    image_at = _images(stack, voxel_um[0], psf_z_um)
    # slice by slice, so that each image is made once
    order = np.argsort(spines["z_slice"].to_numpy(float).round(), kind="stable")
    rows: list[tuple] = [()] * len(spines)
    kept = spines["given"].to_numpy(bool) if "given" in spines else np.zeros(len(spines), bool)
    for number, (z, y, x) in zip(order, spines[["z_slice", "y_um", "x_um"]].to_numpy(float)[order]):
        row = _measure_one(stack, image_at, voxel_um, found, z, (y, x), psf_xy_um, psf_z_um, ceiling)
        rows[number] = (y, x, *row[2:]) if kept[number] else row
    out = spines.reset_index(drop=True).copy()
    measured = pd.DataFrame(rows, columns=["y_um", "x_um", *MEASURE_COLUMNS])
    out[measured.columns] = measured
    flags = dict.fromkeys(("saturated", "shaft_saturated", "fitted", "low_signal", "size_at_bound"), bool)
    return out.astype({"dendrite": int, "shape": str} | flags)


def saturation(stack: np.ndarray) -> float:
    """The value at which a stack saturates: its maximum where many voxels have it, else infinity."""
    top = float(stack.max())
    return (
        top
        if stack.dtype.kind in "ui" and np.count_nonzero(stack == stack.max()) > max(20, 1e-6 * stack.size)
        else np.inf
    )


def _images(
    stack: np.ndarray, slice_um: float, psf_z_um: float
) -> Callable[[int], tuple[np.ndarray, float, np.ndarray]]:
    """A function from a slice to the image to measure in, its background, and the depths (um) averaged in it."""

    @lru_cache(maxsize=1)
    def image_at(z: int) -> tuple[np.ndarray, float, np.ndarray]:
        slices = np.arange(max(0, z - 1), min(z + 2, len(stack))) if slice_um <= psf_z_um / 2 else np.array([z])
        image = stack[slices].mean(axis=0)
        return image, float(np.percentile(image, 20)), (slices - z) * slice_um

    return image_at


def _measure_one(stack, image_at, voxel_um, found: Shafts, z_slice, place_um, psf_xy_um, psf_z_um, ceiling) -> tuple:
    pixel = voxel_um[1:]
    z = int(np.clip(round(z_slice), 0, len(stack) - 1))
    image, floor, offsets = image_at(z)
    head = fit_head(image, pixel, place_um)
    centre = head.centre_um if head else place_um
    diameter = ball_diameter_um(head.sigma_um, psf_xy_um) if head else np.nan
    y0, y1, x0, x1 = window(image.shape, pixel, centre, 0.3)
    saturated = bool((stack[z, y0:y1, x0:x1] >= 0.98 * ceiling).any())
    base, distance, label = _to_shaft(stack, z, found, pixel, centre)
    neck = max(0.0, distance - diameter / 2) if head and label >= 0 else np.nan
    volume = ratio = np.nan
    shaft_saturated = False
    if head and label >= 0:
        psf_um = (psf_xy_um, psf_z_um)
        level, filled = shaft_nearby(stack, z, found, voxel_um, base, label, SHAFT_AROUND_UM, psf_um)
        shaft_saturated = bool(level >= 0.9 * ceiling)
        level -= floor
        # a shaft that drowns in noise is no yardstick
        if level > head.noise:
            ratio = 2 * np.pi * head.sigma_um**2 * head.amplitude / level
            # slices beside the focus are averaged in; what the axial blur keeps in them depends on its width
            axial = np.hypot(psf_z_um / FWHM, diameter / np.sqrt(20))
            kept = float(np.mean(np.exp(-0.5 * (offsets / axial) ** 2)))
            volume = ratio * np.sqrt(2 * np.pi) * axial / kept * filled
    signal = head.amplitude / head.noise if head and head.noise > 0 else np.nan
    shape, probability = "", np.nan
    if head and np.isfinite(distance):
        likely = shape_probabilities(head, distance, psf_xy_um)
        shape, probability = SHAPES[int(np.argmax(likely))], float(likely.max())
    return (
        *centre,
        # a head no wider than the point-spread function has a volume by its brightness, but no diameter
        diameter if diameter > 0 else np.nan,
        volume,
        volume * head.brightness_sd if head else np.nan,
        ratio,
        neck,
        distance,
        label,
        *base,
        saturated,
        shaft_saturated,
        head is not None,
        signal,
        not signal >= LEAST_SIGNAL,
        head is not None and head.sigma_um > 0.999 * WIDEST_UM,
        shape,
        probability,
    )


def _to_shaft(stack, z, found: Shafts, pixel, centre) -> tuple[tuple[float, float], float, int]:
    """Where the least-cost path from a head meets a shaft (y, x), the path's length in um, and the shaft's label."""
    y0, y1, x0, x1 = window(found.labels.shape, pixel, centre, SHAFT_REACH_UM)
    labels = found.labels[y0:y1, x0:x1]
    if not labels.any():
        return (np.nan, np.nan), np.nan, -1
    local = ndimage.gaussian_filter(stack[max(0, z - 2) : z + 3, y0:y1, x0:x1].max(axis=0), 0.1 / pixel[0])
    low, high = np.percentile(local, [10, 95])
    bright = np.clip((local - low) / max(float(high - low), 1e-9), 0, 1)
    start = tuple(
        int(np.clip(round(place / size) - edge, 0, length - 1))
        for place, size, edge, length in zip(centre, pixel, (y0, x0), labels.shape)
    )
    paths = MCP_Geometric(1 / (0.05 + bright), sampling=pixel)
    costs, _ = paths.find_costs([start])
    targets = np.where(labels > 0, costs, np.inf)
    end = np.unravel_index(int(np.argmin(targets)), targets.shape)
    way = np.array(paths.traceback(end)) * pixel
    length = float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())
    return ((end[0] + y0) * pixel[0], (end[1] + x0) * pixel[1]), length, int(labels[end])
