"""The linking branch from grey values to links in the workflow itself, on one core: what each step costs and holds.

The volumes are `neuroproof_ts2` (grey values of fly FIB-SEM, 150 x 250 x 250 voxels) tiled by mirrored copies of
itself: a neurite that leaves a tile goes on in the next one, and many cross the whole volume. They are made cuboid by
cuboid. CPU and memory of every job are what it says of itself at the end of its log.

Two gigavoxels take some eight hours of one core, most of them in candidates, which see some cubes of orphans at a time.
So the largest volume is given the membranes of its source, tiled as its grey values are, and is run from there to what
candidates are searched in.
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
from spinome.linking.membranes import Pixels, fit_to, grey_range, load_membranes, predict_membranes
from spinome.logs import read_used

REPOSITORY = Path(__file__).parents[1]
MODELS = REPOSITORY / "workflow" / "models"
SHARED = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data"))
DATA = SHARED / "em" / "neuroproof_ts2" / "volume_z000-150.h5"
VOXEL_NM = (10.0, 10.0, 10.0)
CUBOID: Shape = (64, 256, 256)
# gigavoxels; six CPU-seconds a megavoxel
SIZES: dict[str, Shape] = {"0.02": (128, 400, 400), "0.07": (140, 700, 700), "0.3": (300, 1000, 1000)}
# with membranes given, to the last steps before candidates: one and a half CPU-seconds a megavoxel
GIVEN: dict[str, Shape] = {"0.07": (140, 700, 700), "2": (320, 2500, 2500)}
BEFORE_CANDIDATES = ("linking_shapes",)


def mirrored(source: np.ndarray, box: Box) -> np.ndarray:
    """Voxels of a box of the volume tiled by mirrored copies."""
    places = []
    for side, length in zip(box, source.shape):
        number, within = np.divmod(np.arange(side.start, side.stop), length)
        places.append(np.where(number % 2, length - 1 - within, within))
    return source[np.ix_(*places)]


def make_volume(path: str | Path, source: np.ndarray, shape: Shape) -> None:
    """Write a volume tiled by mirrored copies."""
    array = create_volume(path, shape, source.dtype, VOXEL_NM, CUBOID, kind="image")
    for block in cuboids(shape, CUBOID):
        array[block.core] = mirrored(source, block.core)
    fill_pyramid(path)


def grey_values() -> np.ndarray:
    """Those of the source."""
    with h5py.File(DATA) as file:
        return file["raw"][()]


def membranes() -> np.ndarray:
    """What the shipped network says of the source: uint8, 255 is a membrane."""
    source = grey_values()
    pixels, (whole,) = Pixels(source, VOXEL_NM, grey_range(source)), cuboids(source.shape, source.shape)
    net, _ = fit_to(load_membranes(MODELS / "membranes.safetensors"), pixels)
    return predict_membranes(net, pixels, whole)


def run(shape: Shape, folder: str, given: bool = False) -> pd.DataFrame:
    """One row a job of the linking branch: its step, CPU-seconds and highest memory in MB.

    With membranes given, the branch stops before candidates.
    """
    make_volume(f"{folder}/grey.zarr", grey_values(), shape)
    sheet, config = Path(folder, "volumes.tsv"), Path(folder, "config.yaml")
    sheet.write_text(f"volume\timage\ntiled\t{folder}/grey.zarr\n")
    if given:
        make_volume(f"{folder}/membrane.zarr", membranes(), shape)
        sheet.write_text(f"volume\timage\tmembrane\ntiled\t{folder}/grey.zarr\t{folder}/membrane.zarr\n")
    keys = {
        "samples": {"volumes": str(sheet)},
        "results": f"{folder}/results",
        # one shard: a job more is three seconds more
        "linking": {"find_synapses": False, "cuboid": CUBOID, "shards": 1},
    }
    config.write_text(json.dumps(keys))
    command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "-d", folder, "-c1"]
    command += ["--configfile", str(config), *(("--until", *BEFORE_CANDIDATES) if given else ()), "--", "linking"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | ONE_THREAD)
    return jobs_of(Path(folder, "results", "logs"))


def jobs_of(logs: Path) -> pd.DataFrame:
    """What each job says at its end that it used; Snakemake's own files sample CPU and miss what comes between."""
    used = {file: read_used(file) for file in logs.rglob("*.log")}
    step = [file.relative_to(logs).parts[0].removesuffix(".log") for file in used if used[file]]
    jobs = [one for one in used.values() if one]
    return pd.DataFrame({"step": step, "cpu_time": [one.cpu_s for one in jobs], "max_rss": [one.mb for one in jobs]})


def grey_rows(sizes: Sequence[str] = tuple(SIZES), given: bool = False) -> list[Row]:
    """Highest memory of each step and what a voxel costs it, and how both grow with the volume.

    Parameters
    ----------
    sizes : names of `SIZES`, or of `GIVEN`; the first one is what the others are held against
    given : whether membranes are given
    """
    rows, cost, shapes = [], {}, GIVEN if given else SIZES
    way = "grey values and their membranes to shapes of segments" if given else "grey values to links"
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            jobs = run(shapes[size], folder, given)
        steps = jobs.groupby("step", sort=False).agg({"cpu_time": "sum", "max_rss": "max"})
        cost[size] = steps["cpu_time"] / (np.prod(shapes[size]) / 1e6)
        what = f"{way}, {size} gigavoxels"
        rows.append(Row(f"{what}: highest memory of any job", steps["max_rss"].max(), "MB", 2000, True))
        rows.append(Row(f"{what}: all steps, a megavoxel", cost[size].sum(), "CPU-s"))
        for step, (_, memory) in steps.iterrows():
            rows.append(Row(f"{what}: {step}, highest memory", memory, "MB"))
            rows.append(Row(f"{what}: {step}, a megavoxel", cost[size][step], "CPU-s"))
    smallest, *larger = sizes
    for size in larger:
        what = f"CPU of {way} per voxel, {size} against {smallest} gigavoxels"
        rows.append(Row(what, cost[size].sum() / cost[smallest].sum(), "times", 1.15, True))
        rows += [Row(f"{what}: {step}", times, "times") for step, times in (cost[size] / cost[smallest]).items()]
    return rows
