"""Registration of the slices of one stack: sub-pixel, all slices at once, translation and on request rotation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from spinome.twophoton.rotation import band, place, slice_angles

# a slice is compared with the slices this far beyond it
LAGS = (1, 2, 3)
# Gaussian width in pixels of the finest detail compared, and the width of the window whose mean is taken off
FINE_PX, COARSE_PX = 1.2, 25
UPSAMPLING = 10
# residual in pixels at which a measured shift between two slices counts half, and rounds of weighing them anew
OUTLIER_PX, ROUNDS = 0.5, 10
# correlation from which two slices say anything of an angle
TURNABLE = 0.3
# standard deviations of jitter from which the slope and the bend of a path are no jitter
EVIDENT = 3.0


@dataclass(frozen=True)
class Registered:
    """`stack` (Z, Y, X) float32 in place; `angles_deg` (Z,) that each slice was turned by about its centre, from x
    toward y; `shifts_px` (Z, 2) y x that were then added; `quality` (Z,).

    `quality` is the highest correlation of the band-passed slice with one of its neighbours, 0 for an empty slice.
    """

    stack: np.ndarray
    shifts_px: np.ndarray
    angles_deg: np.ndarray
    quality: np.ndarray


def register(
    stack: np.ndarray,
    max_shift_px: tuple[float, float],
    min_quality: float = 0.15,
    max_angle_deg: float = 0.0,
    pixel: tuple[float, float] = (1.0, 1.0),
) -> Registered:
    """Take the jitter of the slices out of a stack.

    The shift between each slice and the three beyond it is where their band-passed FFT correlation is highest, to
    0.1 px by an upsampled Fourier transform (Guizar-Sicairos et al. 2008). All these shifts together give the path
    of the slices by robust least squares. What is smooth in that path beyond what jitter would make is left in the
    stack: a dendrite that runs obliquely looks just like drift, and to follow it would shear the specimen. One stack
    cannot tell the two apart, so slow drift of the animal stays in as well, and a sparse specimen that bends less
    than the jitter is wide loses its bend. Slices that correlate with none of their neighbours are not moved, and
    runs of slices that empty ones part are placed each for itself. Where slices are turned (`slice_angles`), the
    shifts are those of the turned slices.

    Parameters
    ----------
    stack : (Z, Y, X), any aspect ratio
    max_shift_px : largest shift (y, x) between two slices, and of a slice
    min_quality : correlation below which two slices (empty, or of other content) are not compared
    max_angle_deg : largest angle that a slice is turned by; 0 for translation alone
    pixel : size of a pixel (y, x) in any unit

    Returns
    -------
    `Registered`; the shifts have a median of 0, so that the stack stays where it was
    """
    stack = stack.astype(np.float32)
    depth = len(stack)
    angles = np.zeros(depth)
    if depth < 3:
        return Registered(stack, np.zeros((depth, 2)), angles, np.zeros(depth))
    shifts, quality, runs = _shifts(stack, max_shift_px, min_quality)
    if max_angle_deg:
        for slices, pairs in runs:
            angles[slices] = slice_angles(stack[slices], shifts[slices], pairs, max_angle_deg, pixel)
        if angles.any():
            turned = np.stack([place(image, np.zeros(2), angle, pixel) for image, angle in zip(stack, angles)])
            shifts, quality, _ = _shifts(turned, max_shift_px, min_quality)
    placed = np.stack([place(image, shift, angle, pixel) for image, shift, angle in zip(stack, shifts, angles)])
    return Registered(placed, shifts, angles, quality)


def _shifts(
    stack: np.ndarray, max_shift_px: tuple[float, float], min_quality: float
) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Shifts (Z, 2) and quality (Z,) of the slices, and each run of slices that were placed together: their numbers and
    the pairs (P, 2) of them, counted in the run, that are much alike."""
    depth, *plane = stack.shape
    shifts, quality = np.zeros((depth, 2)), np.zeros(depth)
    shape = [fft.next_fast_len(length, real=True) for length in plane]
    window = np.outer(*(np.hanning(length + 2)[1:-1] ** 0.25 for length in plane)).astype(np.float32)
    spectra = np.stack([fft.rfft2(band(image, FINE_PX, COARSE_PX) * window, shape) for image in stack]).astype(
        np.complex64
    )
    fy, fx = fft.fftfreq(shape[0]).astype(np.float32), fft.rfftfreq(shape[1]).astype(np.float32)
    weight = np.where((np.arange(len(fx)) == 0) | (2 * np.arange(len(fx)) == shape[1]), 1.0, 2.0).astype(np.float32)
    norms = np.sqrt((np.abs(spectra) ** 2 * weight).sum(axis=(1, 2)))
    pairs = [(z, z + lag) for lag in LAGS for z in range(depth - lag) if norms[z] > 0 and norms[z + lag] > 0]
    steps, likeness = np.zeros((len(pairs), 2)), np.zeros(len(pairs))
    for number, (one, other) in enumerate(pairs):
        steps[number], value = _peak(spectra[one] * np.conj(spectra[other]) * weight, fy, fx, max_shift_px)
        likeness[number] = value / (norms[one] * norms[other])
        quality[[one, other]] = np.maximum(quality[[one, other]], likeness[number])
    used = likeness >= min_quality
    pairs, steps, likeness = np.array(pairs, int).reshape(-1, 2)[used], steps[used], likeness[used]
    links = csr_array((likeness, pairs.T), shape=(depth, depth))
    _, part = connected_components(links, directed=False)
    runs = []
    for number in np.flatnonzero(np.bincount(part) >= 3):
        slices, own = np.flatnonzero(part == number), part[pairs[:, 0]] == number
        compared = np.searchsorted(slices, pairs[own])
        runs.append((slices, compared[likeness[own] >= TURNABLE]))
        path = _path(pairs[own] - slices[0], steps[own], likeness[own], slices[-1] - slices[0] + 1)
        shifts[slices] = (path - _course(path))[slices - slices[0]]
    shifts = np.clip(shifts, -np.asarray(max_shift_px), max_shift_px)
    return shifts - np.median(shifts, axis=0), quality, runs


def _path(pairs: np.ndarray, steps: np.ndarray, likeness: np.ndarray, depth: int) -> np.ndarray:
    """Place of every slice (Z, 2) of mean 0 from the steps (P, 2) between pairs of them (P, 2).

    Least squares, reweighted so that steps which contradict the others count little (Cauchy weights). Where no step
    says anything, the path goes on smoothly.
    """
    difference = np.zeros((len(pairs), depth))
    rows = np.arange(len(pairs))
    difference[rows, pairs[:, 0]], difference[rows, pairs[:, 1]] = -1, 1
    bend = np.diff(np.eye(depth), n=2, axis=0)
    # too little to matter where there is any step
    smooth = 1e-6 * bend.T @ bend + 1e-9 * np.eye(depth)
    # the variance of a measured shift falls so with the correlation
    precision = likeness**2 / (1.001 - likeness**2)
    trust = precision
    for _ in range(ROUNDS):
        normal = difference.T @ (trust[:, None] * difference) + smooth
        path = np.linalg.solve(normal, difference.T @ (trust[:, None] * steps))
        residual = np.linalg.norm(difference @ path - steps, axis=1)
        trust = precision / (1 + (residual / OUTLIER_PX) ** 2)
    return path - path.mean(axis=0)


def _course(path: np.ndarray) -> np.ndarray:
    """The part of a path (Z, 2) that is the specimen's own course and not jitter.

    Jitter is white along z; a course is a slope and bends about it that have the variance of an integrated random
    walk (a smoothing spline), at the share of the highest likelihood. Either counts where it is `EVIDENT`.
    """
    depth = len(path)
    bend = np.diff(np.eye(depth), n=2, axis=0)
    stiffness, modes = np.linalg.eigh(bend.T @ bend)
    ramp = np.arange(depth) - (depth - 1) / 2
    ramp /= np.linalg.norm(ramp)
    stiffness, modes = stiffness[2:, None], modes[:, 2:]
    parts = modes.T @ path
    spectra = [1 + share / stiffness for share in (0.0, *np.geomspace(1e-6, 1e3, 46))]
    # variance of the jitter, and logarithm of the likelihood beside that of jitter alone, for each share
    jitters = [max((parts**2 / spectrum).mean(), 1e-9) for spectrum in spectra]
    gains = [
        -np.log(spectrum).sum() - 0.5 * parts.size * np.log(jitter / jitters[0])
        for spectrum, jitter in zip(spectra, jitters)
    ]
    best = int(np.argmax(gains))
    if gains[best] < EVIDENT**2 / 2:
        best = 0
    slope = ramp @ path
    slope[np.abs(slope) < EVIDENT * np.sqrt(jitters[best])] = 0
    return modes @ (parts * (1 - 1 / spectra[best])) + np.outer(ramp, slope)


def _peak(product: np.ndarray, fy: np.ndarray, fx: np.ndarray, reach: tuple[float, float]) -> tuple[np.ndarray, float]:
    """Shift (y, x) of highest correlation within reach, first on whole pixels and then on a grid of 0.1 px."""
    centre = np.zeros(2)
    grids = [np.arange(-np.ceil(bound), np.ceil(bound) + 1) for bound in reach]
    fine = np.arange(-UPSAMPLING, UPSAMPLING + 1) / UPSAMPLING
    for rows, columns in (grids, (fine, fine)):
        left = np.exp(2j * np.pi * np.outer(centre[0] + rows, fy)).astype(np.complex64)
        right = np.exp(2j * np.pi * np.outer(fx, centre[1] + columns)).astype(np.complex64)
        values = (left @ product @ right).real
        best = np.unravel_index(int(np.argmax(values)), values.shape)
        centre = centre + np.array([rows[best[0]], columns[best[1]]])
    return centre, float(values[best])


def as_stored(stack: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round and clip a registered stack back to the integer type of its file; floats become float32."""
    if dtype.kind == "f":
        return stack.astype(np.float32)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(stack), limits.min, limits.max).astype(dtype)
