"""What lies in and around the voxels of a candidate, as maps of whole numbers that can be summed over them.

A candidate may lie in several cuboids, and its measures must not depend on how the volume was cut. So each measure is
the sum over its voxels of a map that looks at a fixed surround of a voxel in the image: sums of parts add up to the sum
of the whole. Maps are made at pixels of about 9 nm that begin at multiples of a pixel in the volume, as those that the
network sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numba
import numpy as np

from spinome.cuboids import Box
from spinome.synapses.classify import Evidence
from spinome.synapses.forest.box_sums import box_count, box_sum
from spinome.synapses.grey import shrinkage
from spinome.synapses.objects.run_labelling import Z

# width in nm of the boxes, within a section, whose means are looked at: a cleft, a cleft and its sides, a bouton
CLEFT_NM, SIDES_NM, BOUTON_NM = 60.0, 200.0, 500.0
# levels below this are dark: a spread below the median of the volume
DARK = 96
# means are kept in 16ths of a level, shares and textures alike
UNIT = 16
SURROUND = (
    "grey",
    "grey_cleft",
    "grey_sides",
    "grey_bouton",
    "grey_darker_neighbour",
    "grey_lighter_neighbour",
    "texture_sides",
    "texture_bouton",
    "dark_sides",
    "dark_bouton",
)


def sum_surround(evidence: Evidence, core: Box, runs: np.ndarray, patch: np.ndarray, count: int) -> np.ndarray:
    """Sums of the maps over the voxels of the patches of a cuboid.

    Parameters
    ----------
    core : place of the cuboid in the volume
    runs : (R, 5) of `spinome.synapses.objects.run_labelling.find_runs`, in raster order
    patch : (R,) the patch of each run
    count : number of patches

    Returns
    -------
    (count, len(SURROUND)) int64, in units of a `UNIT`th level
    """
    sums = np.zeros((count, len(SURROUND)), np.int64)
    if not count:
        return sums
    factors = shrinkage(evidence.voxel_nm)
    offset = tuple(axis.start % factor for axis, factor in zip(core[1:], factors))
    begins = np.searchsorted(runs[:, Z], np.arange(core[0].stop - core[0].start + 1))
    for section, maps in _maps(evidence, core, factors, np.flatnonzero(np.diff(begins))):
        rows = slice(begins[section], begins[section + 1])
        _add(sums, maps, runs[rows], patch[rows], factors, offset)
    return sums


def _maps(
    evidence: Evidence, core: Box, factors: tuple[int, int], sections: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """The maps (Y, X, len(SURROUND)) int32 of some sections of a box, over the pixels that it touches."""
    pixel_nm = [size * factor for size, factor in zip(evidence.voxel_nm[1:], factors)]
    cleft, sides, bouton = (
        tuple(2 * round(width / 2 / size) + 1 for size in pixel_nm) for width in (CLEFT_NM, SIDES_NM, BOUTON_NM)
    )
    # the texture looks one pixel further than the box
    reach = [length // 2 + 1 for length in bouton]
    depth, *extent = evidence.image.shape
    first, read, inner = [], [], []
    for axis, factor, far, length in zip(core[1:], factors, reach, extent):
        low = max(axis.start // factor - far, 0)
        first.append(low)
        read.append(slice(low * factor, min((-(-axis.stop // factor) + far) * factor, length)))
        inner.append(slice(axis.start // factor - low, -(-axis.stop // factor) - low))
    top, bottom = max(core[0].start - 1, 0), min(core[0].stop + 1, depth)
    # read once, since a file may hold many sections in one piece
    levels = evidence.grey.levels(evidence.image[(slice(top, bottom), *read)])

    @lru_cache(maxsize=3)
    def pixels(section: int) -> tuple[np.ndarray, np.ndarray]:
        own = _pixels(levels[section - top][None], factors)
        return own, _means(own, cleft)

    for section in sections:
        at = core[0].start + int(section)
        # beyond the first and the last section there is nothing to compare with but the section itself
        above, below = pixels(max(at - 1, 0))[1], pixels(min(at + 1, depth - 1))[1]
        own, smooth = pixels(at)
        texture, dark = _texture(own), (own < DARK * UNIT) * np.int32(255 * UNIT)
        maps = [
            own,
            smooth,
            _means(own, sides),
            _means(own, bouton),
            np.minimum(above, below),
            np.maximum(above, below),
            _means(texture, sides),
            _means(texture, bouton),
            _means(dark, sides),
            _means(dark, bouton),
        ]
        yield int(section), np.stack([one[0, inner[0], inner[1]] for one in maps], axis=-1)


@numba.njit(cache=True)
def _add(sums, maps, runs, patch, factors, offset):
    for index in range(len(runs)):
        row = sums[patch[index]]
        y = (runs[index, 1] + offset[0]) // factors[0]
        for x in range(runs[index, 2], runs[index, 3] + 1):
            found = maps[y, (x + offset[1]) // factors[1]]
            for column in range(len(row)):
                row[column] += found[column]


def _pixels(levels: np.ndarray, factors: tuple[int, int]) -> np.ndarray:
    """Means of the voxels of each pixel, in `UNIT`ths of a level: (Z, Y', X') int32."""
    height, width = (-(-length // factor) for length, factor in zip(levels.shape[1:], factors))
    total = np.zeros((len(levels), height, width), np.int32)
    count = np.zeros((height, width), np.int32)
    for down in range(factors[0]):
        for right in range(factors[1]):
            # the last pixels of a volume may hold fewer voxels
            part = levels[:, down :: factors[0], right :: factors[1]]
            total[:, : part.shape[1], : part.shape[2]] += part
            count[: part.shape[1], : part.shape[2]] += 1
    return total * UNIT // count


def _texture(levels: np.ndarray) -> np.ndarray:
    """Sum of the absolute differences to the next pixel along y and x; the last one has none."""
    texture = np.zeros_like(levels)
    texture[:, :-1] += np.abs(np.diff(levels, axis=1))
    texture[:, :, :-1] += np.abs(np.diff(levels, axis=2))
    return texture


def _means(values: np.ndarray, width: tuple[int, ...]) -> np.ndarray:
    """Means over a box (y, x) within sections, rounded down; beyond the array there is nothing."""
    box = (1, width[0], width[1])
    _, along_y, along_x = box_count(values.shape, box)
    return box_sum(values, box) // (along_y[:, None] * along_x)
