"""A mask by simple rules: blank areas, and large bright or dark bodies such as vessels and somata.

Such places hold no synapses, and a density counted over them would be too low. The volume is averaged over cells of
half a micrometre, and whole cells are hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import edt
import numba
import numpy as np
from scipy.ndimage import gaussian_filter

from spinome.io.volumes import Volume, open_labels, require_voxel_size
from spinome.synapses.density.blocks import block_axes

# what hides a cell; 0 is usable
HIDDEN = {"blank": 1, "bright body": 2, "dark body": 3}
# cells whose grey values spread less than this share of the median spread are blank
BLANK = 0.1


@dataclass(frozen=True)
class Overview:
    """Mean and standard deviation of the grey values of each cell, NaN where none is finite, and the cells' size."""

    mean: np.ndarray
    spread: np.ndarray
    cell_um: tuple[float, float, float]


def cell_size(image: Volume, cell_um: float) -> tuple[float, float, float]:
    """Size of a cell (z, y, x) in um: the wanted one, or a voxel where that is larger."""
    return tuple(max(cell_um, voxel / 1000) for voxel in require_voxel_size(image))


def survey(image: Volume, cell_um: tuple[float, float, float], cuboid: tuple[int, int, int]) -> Overview:
    """Average a volume over cells, whole cells of about one cuboid in memory at a time."""
    axes, grid = block_axes(image.shape, require_voxel_size(image), cell_um)
    count, total, square = np.zeros(grid), np.zeros(grid), np.zeros(grid)
    # a sum of floats depends on its order, so the voxels of a cell are added up in one go
    for piece in product(*(_whole_cells(axis, length) for axis, length in zip(axes, cuboid))):
        within = [axis[part] for axis, part in zip(axes, piece)]
        _add_up(image[piece], *within, count, total, square)
    with np.errstate(invalid="ignore"):
        mean = total / count
        spread = np.sqrt(np.maximum(square / count - mean**2, 0))
    return Overview(mean.astype(np.float32), spread.astype(np.float32), cell_um)


def hide(overview: Overview, body_um: float, contrast: float) -> np.ndarray:
    """Which cells to leave out, and why.

    Parameters
    ----------
    body_um : least width of a body
    contrast : how many robust standard deviations of the cells' means a body is brighter or darker than the median

    Returns
    -------
    (Z, Y, X) uint8: 0 usable, others as in `HIDDEN`
    """
    mean, spread = overview.mean, overview.spread
    textured = spread[spread > 0]
    blank = ~(spread > (BLANK * np.median(textured) if len(textured) else 0))
    hidden = np.zeros(mean.shape, np.uint8)
    if not blank.all():
        low, centre, high = np.percentile(mean[~blank], [16, 50, 84])
        limit = contrast * max((high - low) / 2, 1e-6)
        sigma = body_um / 8 / np.array(overview.cell_um)
        for name, beyond in (("bright body", mean > centre + limit), ("dark body", mean < centre - limit)):
            # single cells follow the majority around them
            body = gaussian_filter(beyond.astype(np.float32), sigma) > 0.5
            hidden[_open(body, body_um / 2, overview.cell_um)] = HIDDEN[name]
    hidden[blank] = HIDDEN["blank"]
    return hidden


class CellMask:
    """Usable cells seen as a mask of voxels: sliced with a cuboid's core it gives (Z, Y, X) bool."""

    def __init__(self, usable: np.ndarray, axes: list[np.ndarray]) -> None:
        self._usable, self._axes = usable, axes

    def __getitem__(self, core: tuple[slice, slice, slice]) -> np.ndarray:
        shown = self._usable
        for number, (axis, part) in enumerate(zip(self._axes, core)):
            shown = shown.take(axis[part], axis=number)
        return shown


def open_mask(store: str, labels: Volume) -> CellMask:
    """The mask that was made for a volume, for the voxels of its labels."""
    hidden = open_labels(f"{store}::hidden")
    cell_um = tuple(size / 1000 for size in require_voxel_size(hidden))
    return CellMask(hidden[:] == 0, block_axes(labels.shape, require_voxel_size(labels), cell_um)[0])


def _whole_cells(cell: np.ndarray, length: int) -> list[slice]:
    """Cut an axis into stretches of about `length` voxels that hold whole cells; `cell` is the cell of each voxel."""
    begins = np.flatnonzero(np.diff(cell, prepend=-1))
    starts = begins[np.diff(begins // length, prepend=-1) > 0]
    return [slice(int(start), int(stop)) for start, stop in zip(starts, [*starts[1:], len(cell)])]


def _open(body: np.ndarray, radius_um: float, cell_um: tuple[float, float, float]) -> np.ndarray:
    """Opening by a ball; a body is taken to go on beyond the volume's border."""
    inner = edt.edt(np.ascontiguousarray(body), anisotropy=cell_um) >= radius_um
    if not inner.any():
        return inner
    return edt.edt(~inner, anisotropy=cell_um) <= radius_um


@numba.njit(cache=True)
def _add_up(values, along_z, along_y, along_x, count, total, square):
    depth, height, width = values.shape
    for z in range(depth):
        for y in range(height):
            at = along_z[z], along_y[y]
            counts, totals, squares = count[at], total[at], square[at]
            for x in range(width):
                value = np.float64(values[z, y, x])
                if np.isfinite(value):
                    counts[along_x[x]] += 1
                    totals[along_x[x]] += value
                    squares[along_x[x]] += value * value
