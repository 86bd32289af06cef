"""Which voxels are worth classifying: membranes and their close surround.

A synapse sits on a membrane, and most of a volume does not. VESICLE (Roncal et al. 2015) takes membrane probability
above 0.75, dilates in plane by 5 pixels of 8 nm, and drops small planar objects. The last is left out here: the size
of an object depends on where a cuboid cuts it, and small objects are dropped after merging.
"""

from __future__ import annotations

import numpy as np

from spinome.io.units import VoxelSize
from spinome.synapses.forest.box_sums import box_count, box_sum
from spinome.synapses.forest.section_filters import dilate, odd_box, to_pixels

MEMBRANE_PROBABILITY = 0.75
SMOOTH_NM, SURROUND_NM = 24.0, 400.0
MARGIN_NM = 40.0


def reach_nm(voxel_nm: VoxelSize) -> tuple[float, float, float]:
    """How far (z, y, x) in nm the gate at a voxel depends on the image."""
    plane = SURROUND_NM / 2 + MARGIN_NM + 2 * voxel_nm[2]
    return 0.0, plane, plane


def membrane_gate(membrane: np.ndarray, voxel_nm: VoxelSize) -> np.ndarray:
    """Voxels on or near a membrane, from membrane probabilities (Z, Y, X); bool."""
    return dilate(membrane > MEMBRANE_PROBABILITY, to_pixels(MARGIN_NM, voxel_nm))


def dark_gate(levels: np.ndarray, voxel_nm: VoxelSize, contrast: float) -> np.ndarray:
    """Voxels on or near something darker than its surround, where no membrane map is at hand.

    Parameters
    ----------
    levels : (Z, Y, X) uint8 from `Grey.levels`
    contrast : how many standard deviations of the surround (400 nm wide) a smoothed voxel must be darker than it

    Returns
    -------
    (Z, Y, X) bool
    """
    values = levels.astype(np.int32)
    near_box, far_box = (odd_box((0.0, side, side), voxel_nm) for side in (SMOOTH_NM, SURROUND_NM))
    near = box_sum(values, near_box) / _plane_count(levels.shape, near_box)
    count = _plane_count(levels.shape, far_box)
    far = box_sum(values, far_box) / count
    variance = box_sum(values * values, far_box) / count - far * far
    return dilate(near < far - contrast * np.sqrt(np.maximum(variance, 1.0)), to_pixels(MARGIN_NM, voxel_nm))


def _plane_count(shape: tuple[int, int, int], box: tuple[int, int, int]) -> np.ndarray:
    _, along_y, along_x = box_count(shape, box)
    return (along_y[:, None] * along_x[None, :])[None].astype(np.float64)
