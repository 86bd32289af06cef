"""Merging and counting at the size of real volumes: labels made from a seed, cuboid by cuboid, and a plan of units."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import cc3d
import h5py
import numba
import numpy as np
import pandas as pd

from runner import Measured, Row, measure, measure_command
from spinome.cuboids import cuboids
from spinome.io.volumes import Volume, create_volume
from spinome.synapses.density.blocks import assign_blocks, block_axes, block_table, count_voxels, gather_counts
from spinome.synapses.objects.detect import take_given
from spinome.synapses.objects.merge import merge_parts
from spinome.synapses.objects.patches import find_parts, load_parts, paint_parts, save_parts
from spinome.workflow.shards import plan

BOCK_NM, BLOCK_UM = (45.0, 8.0, 8.0), (5.0, 5.0, 5.0)
BOCK_VOXELS = 67_712 * 59_904 * 1_239
# 20.3 gigavoxels, 29 x 45 x 45 um
LARGE = (640, 5632, 5632)
CUBOID = (32, 512, 512)
# synapses are drawn for cells of the volume, so that any cuboid can be made alone
CELL, PER_UM3, REACH = (64, 512, 512), 0.8, (4, 20, 20)
VESSEL_UM = 3.0
REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data")) / "em"
# objects of real volumes: file, data set, part of it
REAL = {
    "pinky40": ("pinky40/segmentation_z000-320.h5", "segmentation", np.s_[100:164, 200:500, 300:600]),
    "neuroproof_ts2": ("neuroproof_ts2/volume_z000-150.h5", "truth", np.s_[40:100]),
    "drosophila_vnc": ("drosophila_vnc/stack1_y0000-0640.h5", "synapse", np.s_[:]),
}


def simulated_labels(shape: tuple, core: tuple[slice, slice, slice], seed: int) -> np.ndarray:
    """The voxels of ellipsoids, 0.8 per um3, in one cuboid: (Z, Y, X) uint8."""
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
                *(sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile"),
                *("--directory", folder, "--configfile", f"{folder}/config.yaml"),
                *("--dry-run", "--quiet", "all", "--cores", "1", "--", "synapses"),
            ]
        )


def exactness(repeats: int = 3) -> float:
    """Share of random chunkings of real volumes whose merged objects are those of the whole, for 6, 18 and 26."""
    rng, equal = np.random.default_rng(0), []
    for name, (file, key, part) in REAL.items():
        with h5py.File(DATA / file) as stored:
            values = Volume(stored[key][part].astype(np.int64), BOCK_NM, name)
        for connectivity in (6, 18, 26):
            expected = label_whole(values[:], connectivity)
            for _ in range(repeats):
                size = tuple(int(rng.integers(length // 7, length)) // 2 * 2 + 1 for length in values.shape)
                equal.append(np.array_equal(label_in_cuboids(values, size, connectivity), expected))
    return float(np.mean(equal))


def label_whole(values: np.ndarray, connectivity: int) -> np.ndarray:
    """Components of a whole volume, numbered by the raster order of first voxels."""
    whole = cc3d.connected_components(values, connectivity=connectivity).astype(np.int64)
    found, first = np.unique(whole, return_index=True)
    rank = np.zeros(whole.max() + 1, np.int64)
    present = found > 0
    rank[found[present][np.argsort(first[present])]] = np.arange(1, present.sum() + 1)
    return rank[whole]


def label_in_cuboids(values: Volume, size: tuple[int, int, int], connectivity: int) -> np.ndarray:
    """The same by way of cuboids."""
    merged = np.zeros(values.shape, np.int64)
    with tempfile.TemporaryDirectory() as folder:
        pieces = list(cuboids(values.shape, size))
        files = [Path(folder) / f"{piece.name}.npz" for piece in pieces]
        for piece, file in zip(pieces, files):
            save_parts(file, take_given(values, piece))
        for piece, file, lookup in zip(pieces, files, merge_parts(files, values.shape, BOCK_NM, connectivity)[1]):
            merged[piece.core] = paint_parts(load_parts(file), lookup)
    return merged


def scale_rows() -> list[Row]:
    """The targets of merging, counting and planning."""
    streamed, planned = measure(stream), plan_units()
    voxels, seconds = float(np.prod(LARGE)), streamed.result["seconds"]
    return [
        Row("random chunkings of three real volumes, 6, 18 and 26, that merge as the whole", exactness(), "share", 1.0),
        Row("merge and count, 20.3 gigavoxels of simulated labels", voxels / seconds / 1e6, "Mvoxel/s/core", 50),
        Row("their memory, merge and count and the making of labels", streamed.peak_mb, "MB", 8000, True),
        Row("5.03e12 voxels of the Bock volume, merge and count, extrapolated", *bock_hours(voxels, seconds)),
        Row("plan of 100,000 cuboids in 200 shards, dry-run", planned.cpu_s, "CPU-s", 5, True),
        Row("its memory", planned.peak_mb, "MB", 200, True),
    ]


def bock_hours(voxels: float, seconds: float) -> tuple[float, str]:
    """Core-hours that the Bock volume would take at the measured rate."""
    return BOCK_VOXELS / voxels * seconds / 3600, "core-hours"
