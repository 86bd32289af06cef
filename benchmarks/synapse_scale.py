"""Merging and counting at the size of real volumes: labels made from a seed, cuboid by cuboid, and a plan of units."""

import json
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import pandas as pd

from runner import Measured, measure_command
from spinome.blocks import cuboids
from spinome.io.volumes import create_volume
from spinome.shards import plan
from spinome.synapses.density import assign_blocks, block_axes, block_table, count_voxels, gather_counts
from spinome.synapses.merge import merge_parts
from spinome.synapses.parts import find_parts, load_parts, paint_parts, save_parts

BOCK_NM, BLOCK_UM = (45.0, 8.0, 8.0), (5.0, 5.0, 5.0)
BOCK_VOXELS = 67_712 * 59_904 * 1_239
# 20.3 gigavoxels, 29 x 45 x 45 um
LARGE = (640, 5632, 5632)
CUBOID = (32, 512, 512)
# synapses are drawn for cells of the volume, so that any cuboid can be made alone
CELL, PER_UM3, REACH = (64, 512, 512), 0.8, (4, 20, 20)
VESSEL_UM = 3.0


def simulated_labels(shape: tuple, core: tuple[slice, slice, slice], seed: int) -> np.ndarray:
    """The voxels of ellipsoids, 0.8 a um3, in one cuboid: (Z, Y, X) uint8."""
    values = np.zeros([part.stop - part.start for part in core], np.uint8)
    ranges = [
        range(max(part.start - reach, 0) // cell, min(part.stop + reach, length - 1) // cell + 1)
        for part, reach, cell, length in zip(core, REACH, CELL, shape)
    ]
    for cell in np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3):
        rng = np.random.default_rng([seed, *cell])
        count = rng.poisson(PER_UM3 * np.prod(CELL) * np.prod(BOCK_NM) / 1e9)
        centres = rng.uniform(cell, cell + 1, (count, 3)) * CELL
        radii = rng.uniform(0.4, 1, (count, 3)) * REACH
        _paint_ellipsoids(values, centres - [part.start for part in core], radii)
    return values


@numba.njit(cache=True)
def _paint_ellipsoids(values, centres, radii):
    depth, height, width = values.shape
    for index in range(len(centres)):
        (cz, cy, cx), (rz, ry, rx) = centres[index], radii[index]
        for z in range(max(int(cz - rz), 0), min(int(cz + rz) + 2, depth)):
            for y in range(max(int(cy - ry), 0), min(int(cy + ry) + 2, height)):
                for x in range(max(int(cx - rx), 0), min(int(cx + rx) + 2, width)):
                    if ((z - cz) / rz) ** 2 + ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1:
                        values[z, y, x] = 1


def simulated_mask(shape: tuple, core: tuple[slice, slice, slice]) -> np.ndarray:
    """Everything but a vessel through the middle of the volume: (Z, Y, X) bool."""
    y, x = (
        (np.arange(part.start, part.stop) + 0.5 - length / 2) * voxel / 1000
        for part, length, voxel in zip(core[1:], shape[1:], BOCK_NM[1:])
    )
    valid = y[:, None] ** 2 + x**2 > VESSEL_UM**2
    return np.broadcast_to(valid, (core[0].stop - core[0].start, *valid.shape)).copy()


def stream(shape: tuple[int, int, int] = LARGE, seed: int = 0) -> dict[str, float]:
    """Labels of a simulated volume to merged objects, a written label volume and a table of blocks.

    Returns
    -------
    `seconds` CPU of everything but the making of labels and mask, `made` that of making them, `synapses`, `blocks`,
    `in_blocks` synapses that a block holds

    Raises
    ------
    AssertionError: if voxels of objects or of the volume are lost or counted twice.
    """
    made, painted, shown = 0.0, 0, 0
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        pieces = list(cuboids(shape, CUBOID))
        files = [Path(folder) / f"{piece.name}.npz" for piece in pieces]
        for piece, file in zip(pieces, files):
            started = time.process_time()
            values = simulated_labels(shape, piece.core, seed)
            painted += int(values.sum(dtype=np.int64))
            made += time.process_time() - started
            save_parts(file, find_parts(values, None, piece.start, shape))
        objects, ids = merge_parts(files, shape, BOCK_NM)
        labels = create_volume(Path(folder) / "labels.zarr", shape, np.uint64, BOCK_NM, CUBOID)
        axes, grid = block_axes(shape, BOCK_NM, BLOCK_UM)
        counts = []
        for piece, file, lookup in zip(pieces, files, ids):
            started = time.process_time()
            valid = simulated_mask(shape, piece.core)
            shown += int(valid.sum())
            made += time.process_time() - started
            parts = load_parts(file)
            labels[piece.core] = paint_parts(parts, lookup.astype(np.uint64))
            within = [axis[part] for axis, part in zip(axes, piece.core)]
            counts.append(count_voxels(parts.runs, lookup[parts.runs[:, -1]], valid, within, grid))
        counts = gather_counts(pd.concat(counts))
        blocks = block_table(counts, assign_blocks(counts), shape, BOCK_NM, BLOCK_UM)
    assert objects["voxels"].sum() == painted == counts.loc[counts["synapse"] > 0, "voxels"].sum()
    assert np.isclose(blocks["unmasked_um3"].sum(), shown * np.prod(BOCK_NM) / 1e9)
    return {
        "seconds": time.process_time() - begun - made,
        "made": made,
        "synapses": len(objects),
        "blocks": len(blocks),
        "in_blocks": int(blocks["synapses"].sum()),
    }


def plan_units(units: int = 100_000, shards: int = 200) -> Measured:
    """Dry-run of the branch on a volume with so many cuboids, from labels to statistics, with all that it starts."""
    side = round((units / 10) ** 0.5)
    shape = (10 * CUBOID[0], side * CUBOID[1], side * CUBOID[2])
    assert len(plan((piece.name for piece in cuboids(shape, CUBOID)), shards)) == shards
    with tempfile.TemporaryDirectory() as folder:
        create_volume(Path(folder) / "v.zarr", shape, np.uint32, BOCK_NM, CUBOID)
        (Path(folder) / "volumes.tsv").write_text("volume\timage\tsynapses\nv\tv.zarr\tv.zarr\n")
        configuration = {"samples": {"volumes": "volumes.tsv"}, "synapses": {"shards": shards, "cuboid": list(CUBOID)}}
        (Path(folder) / "config.yaml").write_text(json.dumps(configuration))
        return measure_command(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", Path(__file__).parents[1] / "Snakefile"),
                *("--directory", folder, "--configfile", f"{folder}/config.yaml"),
                *("--dry-run", "--quiet", "all", "--cores", "1", "--", "synapses"),
            ]
        )
