"""The dendritic shafts of a stack, in its projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage import filters, measure, morphology

SMOOTHING_UM = 0.12
# what is narrower than this is no shaft, and what is shorter is no dendrite
WIDTH_UM, LENGTH_UM = 0.7, 4.0
# a shaft ends where the light falls to this share of the brightest within this reach
RIDGE, RIDGE_UM = 0.33, 1.2


@dataclass(frozen=True)
class Shafts:
    """`labels` (Y, X) int32, 0 where there is no shaft; `radius_um` (Y, X), half the shaft's width inside of it."""

    labels: np.ndarray
    radius_um: np.ndarray


def shafts(stack: np.ndarray, pixel_um: tuple[float, float]) -> Shafts:
    """Find the shafts: bright, wider than a spine and long.

    The smoothed brightest projection is opened with a disc, which takes spines off, cut by Otsu's threshold on the
    logarithm, which finds dim dendrites beside bright ones, and bounded at a share of the brightness nearby.

    Parameters
    ----------
    stack : (Z, Y, X)
    pixel_um : pixel (y, x)
    """
    projection = np.max(
        [ndimage.gaussian_filter(image, [SMOOTHING_UM / size for size in pixel_um]) for image in stack], axis=0
    )
    projection = np.maximum(projection - np.median(projection), 0)
    disc = _disc(WIDTH_UM / 2, pixel_um)
    opened = ndimage.grey_opening(projection, footprint=disc)
    if opened.max() <= opened.min():
        empty = np.zeros(projection.shape)
        return Shafts(empty.astype(np.int32), empty)
    level = np.log1p(opened / max(float(projection.std()), 1e-9) * 10)
    ridge = ndimage.maximum_filter(opened, [int(2 * RIDGE_UM / size) + 1 for size in pixel_um])
    mask = (level > filters.threshold_otsu(level)) & (opened > RIDGE * ridge)
    labels = measure.label(mask, connectivity=2)
    keep = [region.label for region in measure.regionprops(labels) if _length(region, pixel_um) >= LENGTH_UM]
    labels = np.where(np.isin(labels, keep), labels, 0)
    labels = np.searchsorted([0, *keep], labels).astype(np.int32)
    inside = ndimage.distance_transform_edt(labels > 0, sampling=pixel_um)
    ridge = morphology.skeletonize(labels > 0)
    if not ridge.any():
        return Shafts(labels, inside)
    nearest = ndimage.distance_transform_edt(~ridge, return_distances=False, return_indices=True)
    return Shafts(labels, inside[tuple(nearest)])


def _length(region, pixel_um: tuple[float, float]) -> float:
    return region.axis_major_length * float(np.sqrt(pixel_um[0] * pixel_um[1])) if region.area > 3 else 0.0


def _disc(radius_um: float, pixel_um: tuple[float, float]) -> np.ndarray:
    reach = [max(1, int(np.ceil(radius_um / size))) for size in pixel_um]
    y, x = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    return (y * pixel_um[0]) ** 2 + (x * pixel_um[1]) ** 2 <= (radius_um * 1.05) ** 2
