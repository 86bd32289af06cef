"""What the detector sees: one pixel size, one intensity scale, neighbouring slices as channels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import filters

# in-plane pixel that stacks are resampled to before detection; the network's sizes are counted in it
PIXEL_UM = 0.12
COMPRESSION = 8.0
# brightness of the shafts on the common scale, and the square in pixels that fits into a shaft and into no spine
SHAFT, OPENING = 0.5, (5, 5)


def scale_intensity(image: np.ndarray) -> np.ndarray:
    """Put an image or stack of any gain, offset and bit depth on one linear scale.

    The median goes to 0 and the dendritic shafts to `SHAFT`: they are what is left bright of the brightest projection
    after an opening that takes spines and noise off. A percentile of the whole image would depend on how much of the
    field is dendrite and on a single bright soma or bouton. An image without contrast becomes zero everywhere.

    Parameters
    ----------
    image : (Y, X) or (Z, Y, X) at `PIXEL_UM`, any unit

    Returns
    -------
    float32 array of the same shape
    """
    image = image.astype(np.float32)
    projection = image.max(axis=0) if image.ndim == 3 else image
    background = float(np.median(image))
    smooth = np.maximum(ndimage.gaussian_filter(projection, 1.0) - background, 0)
    if not smooth.max() > 1e-6 * max(abs(background), 1e-6):
        return np.zeros_like(image)
    opened = ndimage.grey_opening(smooth, OPENING)
    level = np.log1p(opened / float(smooth.std()) * 10)
    shaft = opened[level > filters.threshold_otsu(level)] if level.max() > level.min() else smooth[smooth > 0]
    image -= background
    image *= SHAFT / np.percentile(shaft, 75)
    return image


def compress(image: np.ndarray) -> np.ndarray:
    """Lift dim spines beside bright shafts by an inverse hyperbolic sine that keeps 0 and 1."""
    return (np.arcsinh(COMPRESSION * np.clip(image, -0.5, 3.0)) / np.arcsinh(COMPRESSION)).astype(np.float32)


def resample(stack: np.ndarray, voxel_um: tuple[float, float, float]) -> tuple[np.ndarray, tuple[float, float]]:
    """Resample the slices of a stack to `PIXEL_UM` in the plane, antialiased where pixels grow.

    Returns
    -------
    stack (Z, Y', X') float32, and the size of its pixels (y, x) in um, which differs from `PIXEL_UM` by the
    rounding to whole pixels alone
    """
    height, width = stack.shape[1:]
    shape = [max(1, round(length * size / PIXEL_UM)) for length, size in zip((height, width), voxel_um[1:])]
    pixel = tuple(length * size / new for length, size, new in zip((height, width), voxel_um[1:], shape))
    if tuple(shape) == (height, width):
        return stack.astype(np.float32), pixel
    factors = [new / length for new, length in zip(shape, (height, width))]
    blur = [0.5 * max(0.0, 1 / factor - 1) for factor in factors]
    out = np.empty((len(stack), *shape), np.float32)
    for z, image in enumerate(stack):
        smooth = ndimage.gaussian_filter(image.astype(np.float32), blur) if any(blur) else image.astype(np.float32)
        out[z] = ndimage.zoom(smooth, factors, order=1, grid_mode=True, mode="nearest")
    return out, pixel


def index_of(place_um: np.ndarray, before: tuple[float, float], pixel: tuple[float, float]) -> np.ndarray:
    """Pixel indices (N, 2) in a resampled image of places in um (N, 2) of the image before, y and x.

    Both count from the centre of their first pixel, which resampling moves where it changes the size of pixels, from
    `before` to `pixel`: it keeps the edge.
    """
    return (place_um + np.array(before) / 2) / pixel - 0.5


def place_of(index: np.ndarray, before: tuple[float, float], pixel: tuple[float, float]) -> np.ndarray:
    """Places in um of the image before, of pixel indices in a resampled one: the reverse of `index_of`."""
    return (index + 0.5) * pixel - np.array(before) / 2


def with_neighbours(stack: np.ndarray, z: int) -> np.ndarray:
    """Slices z-1, z and z+1 as channels (3, Y, X); the first and last slice are their own neighbour."""
    return stack[[max(z - 1, 0), z, min(z + 1, len(stack) - 1)]]
