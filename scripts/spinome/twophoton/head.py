"""The head of a spine in one image: a Gaussian on a tilted plane, with what noise leaves uncertain of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

FWHM = 2 * np.sqrt(2 * np.log(2))
# the head is fitted within this radius, may move this far from where it was detected, and is at most this wide
WINDOW_UM, MOVE_UM, WIDEST_UM = 0.75, 0.25, 0.32


@dataclass(frozen=True)
class Head:
    """A Gaussian on a tilted plane.

    `centre_um` (y, x), `sigma_um` its standard deviation with `sigma_sd_um`, `amplitude` in the stack's unit,
    `brightness_sd` the relative standard deviation of amplitude x sigma^2, and `noise`, the standard deviation of what
    the fit leaves.
    """

    centre_um: tuple[float, float]
    sigma_um: float
    amplitude: float
    sigma_sd_um: float
    brightness_sd: float
    noise: float


def fit_head(image: np.ndarray, pixel_um: tuple[float, float], place_um: tuple[float, float]) -> Head | None:
    """Fit a Gaussian on a tilted plane around a place (y, x); None where there is no head brighter than the plane.

    Standard deviations are those of least squares at the optimum, from the noise that the fit leaves; where
    registration smoothed the slice they are too small by what it took off.
    """
    y0, y1, x0, x1 = window(image.shape, pixel_um, place_um, WINDOW_UM)
    rows, columns = np.mgrid[y0:y1, x0:x1]
    dy, dx = rows * pixel_um[0] - place_um[0], columns * pixel_um[1] - place_um[1]
    inside = dy**2 + dx**2 <= WINDOW_UM**2
    y, x, values = dy[inside], dx[inside], image[y0:y1, x0:x1][inside].astype(float)
    if len(values) < 12 or values.max() <= values.min():
        return None
    scale = float(values.max() - values.min())
    floor = float(values.min())
    values = (values - floor) / scale

    plane = np.column_stack([np.ones_like(y), y, x])
    # what a plane does not explain: the best plane beside each blob need not be solved for again and again
    basis = np.linalg.qr(plane)[0]
    above = values - basis @ (basis.T @ values)

    def blob_of(shape: np.ndarray) -> np.ndarray:
        return np.exp(-((y - shape[0]) ** 2 + (x - shape[1]) ** 2) / (2 * shape[2] ** 2))

    def residual(shape: np.ndarray) -> np.ndarray:
        blob = blob_of(shape)
        blob -= basis @ (basis.T @ blob)
        return blob * ((blob @ above) / max(blob @ blob, 1e-12)) - above

    bounds = ([-MOVE_UM, -MOVE_UM, 0.08], [MOVE_UM, MOVE_UM, WIDEST_UM])
    result = optimize.least_squares(residual, [0.0, 0.0, 0.25], bounds=bounds, max_nfev=25)
    design = np.column_stack([blob_of(result.x), plane])
    weights, *_ = np.linalg.lstsq(design, values, rcond=None)
    left = design @ weights - values
    amplitude = float(weights[0])
    if amplitude <= 0:
        return None
    sigma = float(result.x[2])
    noise = float(np.sqrt((left**2).sum() / max(len(values) - 7, 1)))
    offset_y, offset_x = y - result.x[0], x - result.x[1]
    slopes = (
        amplitude
        * design[:, :1]
        * np.column_stack([offset_y, offset_x, (offset_y**2 + offset_x**2) / sigma])
        / sigma**2
    )
    jacobian = np.hstack([slopes, design])
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * noise**2
    # of log(amplitude sigma^2)
    gradient = np.array([0, 0, 2 / sigma, 1 / amplitude, 0, 0, 0])
    centre = (place_um[0] + float(result.x[0]), place_um[1] + float(result.x[1]))
    brightness_sd = float(np.sqrt(gradient @ covariance @ gradient))
    return Head(centre, sigma, amplitude * scale, float(np.sqrt(covariance[2, 2])), brightness_sd, noise * scale)


def ball_diameter_um(sigma_um: float, psf_xy_um: float) -> float:
    """Diameter of the uniform ball whose image is this wide; its variance along an axis is R^2/5."""
    return 2 * float(np.sqrt(5 * max(sigma_um**2 - (psf_xy_um / FWHM) ** 2, 0.0)))


def window(
    shape: tuple[int, int], pixel_um: tuple[float, float], place_um: tuple[float, float], reach_um: float
) -> tuple[int, int, int, int]:
    """Edges y0, y1, x0, x1 in pixels of what lies within reach of a place (y, x), inside of an image."""
    edges = []
    for length, size, place in zip(shape, pixel_um, place_um):
        low = int(np.clip(np.floor((place - reach_um) / size), 0, length - 1))
        edges += [low, int(np.clip(np.ceil((place + reach_um) / size) + 1, low + 1, length))]
    return tuple(edges)
