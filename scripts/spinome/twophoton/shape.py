"""Shape classes of spines, with the probability that the error of measuring leaves them."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.stats import norm, qmc

from spinome.twophoton.head import FWHM, Head

SHAPES = ("stubby", "mushroom", "thin", "filopodium")
# a spine no longer than it is wide is stubby, a head wider than this makes a mushroom, and what is longer than this
# without one is a filopodium (Risher et al. 2014)
MUSHROOM_UM, FILOPODIUM_UM = 0.6, 2.0
# standard deviation of the length: where the shaft begins is known to about a pixel and a half
LENGTH_SD_UM = 0.2
DRAWS = 256


def shape_probabilities(head: Head, distance_um: float, psf_xy_um: float) -> np.ndarray:
    """Probability of each of `SHAPES`.

    Head width and length are drawn about what was measured, the width by way of the variance of the image, so that a
    head below the resolution may be anything that would look like it. The length goes from the shaft to the outer
    end of the head.

    Parameters
    ----------
    head : fitted head
    distance_um : length from the centre of the head to the shaft, along the neck
    psf_xy_um : lateral width of the point-spread function, full at half maximum
    """
    one, other = _normal()
    sigma = head.sigma_um + one * head.sigma_sd_um
    width = 2 * np.sqrt(5 * np.maximum(np.sign(sigma) * sigma**2 - (psf_xy_um / FWHM) ** 2, 0))
    length = distance_um + width / 2 + other * LENGTH_SD_UM
    stubby = length <= width
    mushroom = ~stubby & (width > MUSHROOM_UM)
    filopodium = ~stubby & ~mushroom & (length > FILOPODIUM_UM)
    return np.array([stubby, mushroom, ~(stubby | mushroom | filopodium), filopodium]).mean(axis=1)


@cache
def _normal() -> np.ndarray:
    """Pairs (2, `DRAWS`) of independent normal numbers that fill the plane evenly, always the same."""
    return norm.ppf(qmc.Sobol(2, seed=0).random(DRAWS).clip(1e-6, 1 - 1e-6)).T
