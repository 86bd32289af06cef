"""Registration of the slices of one stack: sub-pixel translation against the neighbours on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

# neighbours a slice is compared with, and their weights, on either side
NEIGHBOURS = {1: 0.45, 2: 0.3, 3: 0.25}
PASSES = 5
# Gaussian width in pixels of the finest detail compared, and the width of the window whose mean is taken off
FINE_PX, COARSE_PX = 1.2, 25
UPSAMPLING = 10


@dataclass(frozen=True)
class Registered:
    """`stack` (Z, Y, X) float32 in place; `shifts_px` (Z, 2) y x that were added to each slice; `quality` (Z,).

    `quality` is the correlation of the band-passed slice with its neighbours' mean, 0 for an empty slice.
    """

    stack: np.ndarray
    shifts_px: np.ndarray
    quality: np.ndarray


def register(stack: np.ndarray, max_shift_px: tuple[float, float], min_quality: float = 0.15) -> Registered:
    """Take the jitter of the slices out of a stack.

    Each slice is put where it correlates best with the mean of its neighbours above and below, by band-passed FFT
    correlation refined to 0.1 px by an upsampled Fourier transform (Guizar-Sicairos et al. 2008), in a few passes
    over the stack. Neighbours on both sides matter: compared with earlier slices only, a dendrite that runs
    obliquely through the stack looks like drift and pulls the slices along with it.

    Parameters
    ----------
    stack : (Z, Y, X), any aspect ratio
    max_shift_px : largest shift (y, x) of a slice
    min_quality : correlation below which a slice (empty, or of other content) is not moved

    Returns
    -------
    `Registered`; the shifts have a median of 0, so that the stack stays where it was
    """
    stack = stack.astype(np.float32)
    depth, *plane = stack.shape
    shifts, quality = np.zeros((depth, 2)), np.zeros(depth)
    if depth < 3:
        return Registered(stack, shifts, quality)
    shape = [fft.next_fast_len(length, real=True) for length in plane]
    window = np.outer(*(np.hanning(length + 2)[1:-1] ** 0.25 for length in plane)).astype(np.float32)
    spectra = np.stack([fft.rfft2(_band(image) * window, shape) for image in stack]).astype(np.complex64)
    fy, fx = fft.fftfreq(shape[0]).astype(np.float32), fft.rfftfreq(shape[1]).astype(np.float32)
    weight = np.where((np.arange(len(fx)) == 0) | (2 * np.arange(len(fx)) == shape[1]), 1.0, 2.0).astype(np.float32)
    norms = np.sqrt((np.abs(spectra) ** 2 * weight).sum(axis=(1, 2)))
    # the first pass looks everywhere within reach, the later ones mend what is left
    for number in range(PASSES):
        placed = spectra * _ramp(shifts, fy, fx)
        reach = max_shift_px if number == 0 else tuple(min(bound, 3.0) for bound in max_shift_px)
        moves = np.zeros_like(shifts)
        for z in range(depth):
            reference = sum(
                share * placed[z + side * step] / max(norms[z + side * step], 1e-9)
                for step, share in NEIGHBOURS.items()
                for side in (-1, 1)
                if 0 <= z + side * step < depth
            )
            if not norms[z] > 0:
                continue
            product = reference * np.conj(placed[z]) * weight
            norm = norms[z] * float(np.sqrt((np.abs(reference) ** 2 * weight).sum()))
            move, value = _peak(product, fy, fx, reach)
            quality[z] = value / norm if norm else 0.0
            if quality[z] >= min_quality:
                moves[z] = move
        # neighbours move too: all of a move at once would overshoot
        shifts = np.clip(shifts + 0.7 * moves, -np.asarray(max_shift_px), max_shift_px)
    shifts -= np.median(shifts, axis=0)
    return Registered(np.stack([translate(*pair) for pair in zip(stack, shifts)]), shifts, quality)


def translate(image: np.ndarray, shift_px: np.ndarray) -> np.ndarray:
    """Move an image (Y, X) by a shift (y, x) in pixels, linearly between pixels; edges are repeated."""
    if np.abs(shift_px).max() < 0.05:
        return image
    return ndimage.shift(image, shift_px, order=1, mode="nearest")


def _band(image: np.ndarray) -> np.ndarray:
    smooth = ndimage.gaussian_filter(image, FINE_PX, truncate=3)
    band = smooth - ndimage.uniform_filter(smooth, COARSE_PX)
    # very bright pixels would decide alone
    return np.sign(band) * np.sqrt(np.abs(band))


def _ramp(shifts: np.ndarray, fy: np.ndarray, fx: np.ndarray) -> np.ndarray:
    """Fourier factors (Z, Fy, Fx) that move slices by their shifts."""
    rows = np.exp(-2j * np.pi * shifts[:, :1] * fy).astype(np.complex64)
    columns = np.exp(-2j * np.pi * shifts[:, 1:] * fx).astype(np.complex64)
    return rows[:, :, None] * columns[:, None, :]


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
