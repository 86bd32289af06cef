"""Spines in each slice of a stack, by the detector.

Places are pixel indices everywhere: the centre of the first pixel is 0, in um of a stack as in pixels of an image that
is resampled or cut out for the network. Its training shows it heads at such places (`training_images`, `augment`), so
its boxes are in them, although cells of its heatmap count from the edge: that half pixel it learned. Resampling keeps
the edges of an image in their place, so its pixels are counted from the edge there, and there alone
(`preprocess.index_of`, `preprocess.place_of`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from scipy import ndimage

from spinome.twophoton.detector import UNIT_BOX, Detector
from spinome.twophoton.preprocess import compress, place_of, resample, scale_intensity, with_neighbours

# boxes below this score are not kept; a spine's own threshold comes after depth tracking
KEEP = 0.08
# a tile's own pixels, and the margin around them that it also sees
TILE, MARGIN = 304, 24
BATCH = 4
# a candidate and those that it is held against reach so far from it, along z and in the plane
BESIDE_UM = np.array([5.0, 2.0, 2.0])
# a tile without so many pixels above this, on the scale of `scale_intensity` and smoothed by so much, holds no spine
DARK, DARK_PIXELS, DARK_SIGMA = 0.04, 5, 1.5
BOX_COLUMNS = ["slice", "score", "y_um", "x_um", "side_um"]


@torch.inference_mode()
def detect(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    model: Detector,
    keep: float = KEEP,
    near_um: np.ndarray | None = None,
) -> pd.DataFrame:
    """Detect in every slice of a stack, or around some places.

    Parameters
    ----------
    stack : (Z, Y, X), any intensity scale
    voxel_um : voxel size (z, y, x)
    keep : least score of a box
    near_um : places (N, 3) z y x; tiles and slices beside them alone are looked through, as they are in the whole stack

    Returns
    -------
    frame with `BOX_COLUMNS`: slice, score, centre and side of the square box in um, from the centre of the first
    pixel
    """
    resampled, pixel = resample(stack, voxel_um)
    scaled = scale_intensity(resampled)
    image = compress(scaled)
    tiles = list(_tiles(image.shape[1:]))
    sizes = _window_sizes(tiles)
    found = [np.zeros((0, len(BOX_COLUMNS)))]
    jobs = [(z, tile) for z, plane in enumerate(scaled) for tile in _lit(plane, tiles)]
    if near_um is not None:
        jobs = [(z, tile) for z, tile in jobs if _beside(z * voxel_um[0], tile, pixel, near_um)]
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        crops = np.stack([_window(with_neighbours(image, z), tile, sizes) for z, tile in batch])
        boxes, logits = model(torch.from_numpy(crops).to(memory_format=torch.channels_last))["stages"][-1]
        scores = logits.sigmoid().numpy()
        for (z, (y0, y1, x0, x1)), box, score in zip(batch, boxes.numpy(), scores):
            x, y = box[:, 0] + x0 - MARGIN, box[:, 1] + y0 - MARGIN
            own = (score >= keep) & (y >= y0 - 0.5) & (y < y1 - 0.5) & (x >= x0 - 0.5) & (x < x1 - 0.5)
            side = UNIT_BOX * np.exp(np.clip(box[:, 2], -1.5, 1.5))
            place = place_of(np.column_stack([y, x])[own], voxel_um[1:], pixel)
            columns = [np.full(own.sum(), z), score[own], *place.T, side[own] * np.sqrt(pixel[0] * pixel[1])]
            found.append(np.column_stack(columns))
    frame = pd.DataFrame(np.concatenate(found), columns=BOX_COLUMNS).astype({"slice": int})
    return frame.sort_values(["slice", "score"], ascending=[True, False], ignore_index=True)


def _tiles(shape: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Cut a plane into tiles of about equal size; a detection belongs to the tile its centre lies in."""
    edges = [np.linspace(0, length, int(np.ceil(length / TILE)) + 1).round().astype(int) for length in shape]
    for y0, y1 in zip(edges[0], edges[0][1:]):
        for x0, x1 in zip(edges[1], edges[1][1:]):
            yield int(y0), int(y1), int(x0), int(x1)


def _beside(z_um: float, tile: tuple[int, int, int, int], pixel: tuple[float, float], near_um: np.ndarray) -> bool:
    """Whether a tile of a slice lies within `BESIDE_UM` of one of these places (N, 3)."""
    low = np.array([z_um, tile[0] * pixel[0], tile[2] * pixel[1]])
    high = np.array([z_um, tile[1] * pixel[0], tile[3] * pixel[1]])
    return bool(((near_um >= low - BESIDE_UM) & (near_um <= high + BESIDE_UM)).all(axis=1).any())


def _lit(plane: np.ndarray, tiles: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """The tiles of a plane (Y, X), on the scale of `scale_intensity`, that hold more than darkness."""
    bright = ndimage.gaussian_filter(plane, DARK_SIGMA) > DARK
    return [tile for tile in tiles if np.count_nonzero(bright[tile[0] : tile[1], tile[2] : tile[3]]) > DARK_PIXELS]


def _window_sizes(tiles: list[tuple[int, int, int, int]]) -> tuple[int, int]:
    """Height and width that hold every tile with its margin, multiples of 16."""
    heights, widths = ({tile[end] - tile[end - 1] for tile in tiles} for end in (1, 3))
    height, width = (-(-(max(lengths) + 2 * MARGIN + 1) // 16) * 16 for lengths in (heights, widths))
    return height, width


def _window(image: np.ndarray, tile: tuple[int, int, int, int], sizes: tuple[int, int]) -> np.ndarray:
    """A tile with its margin, padded to the size that all have."""
    y0, _, x0, _ = tile
    out = np.zeros((3, *sizes), np.float32)
    top, left = max(0, y0 - MARGIN), max(0, x0 - MARGIN)
    part = image[:, top : y0 - MARGIN + sizes[0], left : x0 - MARGIN + sizes[1]]
    row, column = top - (y0 - MARGIN), left - (x0 - MARGIN)
    out[:, row : row + part.shape[1], column : column + part.shape[2]] = part
    return out
