"""The linking branch from grey values to links in the workflow itself, on one core: what each step costs and holds.

The volumes are `neuroproof_ts2` (grey values of fly FIB-SEM, 150 x 250 x 250 voxels) tiled by mirrored copies of
itself: a neurite that leaves a tile goes on in the next one, and many cross the whole volume. They are made cuboid by
cuboid. CPU and memory of every job are those of Snakemake's own benchmark files.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from runner import ONE_THREAD, Row
from spinome.cuboids import Box, Shape, cuboids
from spinome.io.volumes import create_volume, fill_pyramid

REPOSITORY = Path(__file__).parents[1]
SHARED = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data"))
DATA = SHARED / "em" / "neuroproof_ts2" / "volume_z000-150.h5"
VOXEL_NM = (10.0, 10.0, 10.0)
CUBOID: Shape = (64, 256, 256)
# gigavoxels; three CPU-seconds a megavoxel, so that two gigavoxels take more than an hour and a half of one core
SIZES: dict[str, Shape] = {"0.02": (128, 400, 400), "0.07": (140, 700, 700), "0.3": (300, 1000, 1000)}


def mirrored(source: np.ndarray, box: Box) -> np.ndarray:
    """Voxels of a box of the volume tiled by mirrored copies."""
    places = []
    for side, length in zip(box, source.shape):
        number, within = np.divmod(np.arange(side.start, side.stop), length)
        places.append(np.where(number % 2, length - 1 - within, within))
    return source[np.ix_(*places)]


def make_volume(path: str | Path, shape: Shape) -> None:
    """Write the grey values of a tiled volume."""
    with h5py.File(DATA) as file:
        source = file["raw"][()]
    array = create_volume(path, shape, source.dtype, VOXEL_NM, CUBOID, kind="image")
    for block in cuboids(shape, CUBOID):
        array[block.core] = mirrored(source, block.core)
    fill_pyramid(path)


def run(shape: Shape, folder: str) -> pd.DataFrame:
    """One row a job of the linking branch: its step, CPU-seconds and highest memory in MB."""
    make_volume(f"{folder}/grey.zarr", shape)
    sheet, config = Path(folder, "volumes.tsv"), Path(folder, "config.yaml")
    sheet.write_text(f"volume\timage\ntiled\t{folder}/grey.zarr\n")
    keys = {
        "samples": {"volumes": str(sheet)},
        "results": f"{folder}/results",
        # one shard: a job more is three seconds more
        "linking": {"find_synapses": False, "cuboid": CUBOID, "shards": 1},
    }
    config.write_text(json.dumps(keys))
    command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "-d", folder, "-c1"]
    command += ["--configfile", str(config), "--", "linking"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | ONE_THREAD)
    parts = []
    for file in Path(folder, "results", "benchmarks").rglob("*.tsv"):
        step = file.relative_to(Path(folder, "results", "benchmarks")).parts[0].removesuffix(".tsv")
        parts.append(pd.read_csv(file, sep="\t").assign(step=step))
    return pd.concat(parts)[["step", "cpu_time", "max_rss"]]


def grey_rows(sizes: Sequence[str] = tuple(SIZES)) -> list[Row]:
    """Highest memory of each step and what a voxel costs it, job starts included, and how both grow with the volume."""
    rows, cost = [], {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            jobs = run(SIZES[size], folder)
        steps = jobs.groupby("step", sort=False).agg({"cpu_time": "sum", "max_rss": "max"})
        cost[size] = steps["cpu_time"] / (np.prod(SIZES[size]) / 1e6)
        what = f"grey values to links, {size} gigavoxels"
        rows.append(Row(f"{what}: highest memory of any job", steps["max_rss"].max(), "MB", 2000, True))
        rows.append(Row(f"{what}: all steps, a megavoxel", cost[size].sum(), "CPU-s"))
        for step, (_, memory) in steps.iterrows():
            rows.append(Row(f"{what}: {step}, highest memory", memory, "MB"))
            rows.append(Row(f"{what}: {step}, a megavoxel", cost[size][step], "CPU-s"))
    smallest, *larger = sizes
    for size in larger:
        what = f"CPU of grey values to links per voxel, {size} against {smallest} gigavoxels"
        rows.append(Row(what, cost[size].sum() / cost[smallest].sum(), "times", 1.15, True))
        rows += [Row(f"{what}: {step}", times, "times") for step, times in (cost[size] / cost[smallest]).items()]
    return rows
