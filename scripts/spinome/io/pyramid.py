"""Coarser levels of a volume, so that a viewer can show all of it without reading all of it.

Grey values are averaged; of labels the most frequent one is taken, so that no level holds an id that is none.
TensorStore does both, chunk by chunk, and averages in a quarter of the time that dask takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Literal, cast

import tensorstore

from spinome.io.units import VoxelSize
from spinome.io.zarr_arrays import tensorstore_to_write

Kind = Literal["image", "labels"]
Method = Literal["mean", "mode"]
METHODS: dict[Kind, Method] = {"image": "mean", "labels": "mode"}
# the coarsest level is no longer than this along any axis
THUMBNAIL = 64


def level_factors(shape: Sequence[int], voxel_nm: VoxelSize) -> list[tuple[int, ...]]:
    """By what each level is coarser than the volume, (z, y, x), the first by 1.

    From level to level each axis is halved, but for those along which a voxel is already twice as long as along
    another or more: levels become isotropic, and thick sections are not thinned out.
    """
    factors, factor, lengths, sizes = [], [1] * len(shape), list(shape), list(voxel_nm)
    while True:
        factors.append(tuple(factor))
        if max(lengths) <= THUMBNAIL:
            return factors
        finest = min(size for size, length in zip(sizes, lengths) if length > 1)
        for axis, (size, length) in enumerate(zip(sizes, lengths)):
            if length > 1 and size < 2 * finest:
                factor[axis], sizes[axis], lengths[axis] = 2 * factor[axis], 2 * size, -(-length // 2)


def fill_levels(levels: Sequence[Path], factors: Sequence[tuple[int, ...]], method: Method) -> None:
    """Write the levels of a pyramid from the first one, each from the one before.

    It is done chunk by chunk: memory is that of a few chunks, whatever the size of the volume, and of 2 x 2 x 2 voxels
    the result depends on no chunk.

    Parameters
    ----------
    levels : folders of arrays of `spinome.io.zarr_arrays.create_array`, the finest first; the first one is whole
    factors : of `level_factors`
    method : `mean` or `mode`
    """
    for number in range(1, len(levels)):
        steps = [after // before for before, after in zip(factors[number - 1], factors[number])]
        finer = tensorstore.downsample(tensorstore_to_write(levels[number - 1]), steps, method)
        coarser = tensorstore_to_write(levels[number])
        # stored arrays have chunks, which the types of TensorStore leave open
        chunk = cast(tuple[int, ...], coarser.chunk_layout.write_chunk.shape)
        for start in product(*(range(0, length, step) for length, step in zip(coarser.shape, chunk))):
            box = tuple(slice(low, min(low + step, end)) for low, step, end in zip(start, chunk, coarser.shape))
            coarser[box].write(finer[box]).result()
