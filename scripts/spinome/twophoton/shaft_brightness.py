"""A dendrite as a cylinder of dye under the point-spread function: how bright it is, and how wide it looks."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage, special
from skimage import morphology

from spinome.twophoton.head import FWHM, window
from spinome.twophoton.shaft import Shafts

# slices are smoothed by this before the brightest is taken, so that noise does not make it brighter, and the shaft is
# looked at this far to either side
SMOOTHING_UM, ASIDE_UM = 0.12, 1.5
# slices above and below a spine that its shaft may lie in
SLICES = 4
# a dendrite is no thinner and no thicker; below the first the width hardly tells the radius
THINNEST_UM, THICKEST_UM = 0.2, 2.0


def cylinder_fill(radius_um: float, psf_xy_um: float, psf_z_um: float) -> float:
    """Share of the point-spread function that a cylinder around its centre fills, the cylinder lying in the plane."""
    return float(_profile(radius_um, np.zeros(1), psf_xy_um / FWHM, psf_z_um / FWHM)[0])


def shaft_nearby(
    stack: np.ndarray, z: int, found: Shafts, voxel_um, base_um, label: int, reach_um: float, psf_um
) -> tuple[float, float]:
    """Brightness along the middle of a shaft around a place, and the share of the point-spread function it fills there.

    The radius is that of the cylinder which looks as wide, at half its brightness, under the point-spread function.

    Parameters
    ----------
    stack : (Z, Y, X), registered
    z : slice of the spine
    found, label : the shafts, and which of them
    voxel_um, base_um : voxel (z, y, x) and place (y, x)
    reach_um : how far along the shaft is looked
    psf_um : full widths at half maximum of the point-spread function, in the plane and along z

    Returns
    -------
    grey value with background, and the share: the brightness of dye that fills all is their ratio
    """
    pixel = voxel_um[1:]
    y0, y1, x0, x1 = window(found.labels.shape, pixel, base_um, reach_um)
    near = stack[max(0, z - SLICES) : z + SLICES + 1, y0:y1, x0:x1]
    local = ndimage.gaussian_filter(near, (0, *(SMOOTHING_UM / size for size in pixel))).max(axis=0)
    mask = found.labels[y0:y1, x0:x1] == label
    ridge = morphology.skeletonize(mask)
    away = ndimage.distance_transform_edt(~(ridge if ridge.any() else mask), sampling=pixel)
    step = float(np.mean(pixel))
    bins = (away / step).round().astype(int)
    profile = np.array([np.median(local[bins == n]) for n in range(int(ASIDE_UM / step) + 1) if (bins == n).any()])
    level = float(profile[0])
    half = (level + float(profile.min())) / 2
    beyond = int(np.argmax(profile < half))
    width = step * (beyond - (half - profile[beyond]) / max(profile[beyond - 1] - profile[beyond], 1e-9))
    lateral = round(float(np.hypot(psf_um[0] / FWHM, SMOOTHING_UM)) * FWHM, 6)
    return level, cylinder_fill(_radius(width, lateral, psf_um[1]), lateral, psf_um[1])


def _radius(half_width_um: float, psf_xy_um: float, psf_z_um: float) -> float:
    """Radius of the cylinder that has this half width at half maximum under the point-spread function."""
    return float(np.interp(half_width_um, *_half_widths(psf_xy_um, psf_z_um)))


@cache
def _half_widths(psf_xy_um: float, psf_z_um: float) -> tuple[np.ndarray, np.ndarray]:
    """Half widths at half maximum, and the radii of the cylinders that have them."""
    radii = np.geomspace(THINNEST_UM, THICKEST_UM, 40)
    aside = np.linspace(0, 1.5 * THICKEST_UM, 301)
    widths = []
    for radius in radii:
        profile = _profile(radius, aside, psf_xy_um / FWHM, psf_z_um / FWHM)
        widths.append(np.interp(-profile[0] / 2, -profile, aside))
    return np.array(widths), radii


def _profile(radius_um: float, aside_um: np.ndarray, lateral_um: float, axial_um: float) -> np.ndarray:
    """Brightness (N,) beside the axis of a cylinder in its plane, 1 in a body that fills the point-spread function.

    Standard deviations of a Gaussian point-spread function.
    """
    across = np.linspace(-radius_um, radius_um, 121)
    inner = special.erf(np.sqrt(np.maximum(radius_um**2 - across**2, 0)) / (np.sqrt(2) * axial_um))
    weight = np.exp(-((aside_um[:, None] - across) ** 2) / (2 * lateral_um**2)) / (lateral_um * np.sqrt(2 * np.pi))
    return np.trapezoid(inner * weight, across, axis=1)
