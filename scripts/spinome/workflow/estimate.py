"""What a study will cost, from the headers of its inputs and from measured rates.

`rates.tsv` beside this module holds what a job of each rule costs however small, and what each million of voxels or
vertices adds; jobs ask for memory and time by the same table (`spinome.workflow.asking`). An estimate multiplies; it
opens no pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spinome.io.meshes import vertices_of
from spinome.io.stacks import open_stack
from spinome.io.volumes import open_volume
from spinome.workflow.asking import RATES
from spinome.workflow.plans.neurons import NeuronsPlan
from spinome.workflow.samples import NeuronRow
from spinome.workflow.study import Study

# a sheet of more rows than these is known by so many of them, evenly spaced
LOOKED_AT = 200
COLUMNS = ["branch", "units", "size", "jobs", "cpu_hours", "peak_mb", "running_gb", "kept_gb"]


def read_rates(file: str | Path = RATES) -> pd.DataFrame:
    """The measured rates, one row per step.

    Returns
    -------
    columns `step branch per cpu_s_job cpu_s_size mb_job mb_size written_mb_size running_mb_size kept_mb_size`; `per`
        says whether a job holds a unit whole (`unit`) or a part of it (`part`), and `_size` is per million voxels or
        vertices; rules of another `per` are left out, since no estimate counts them
    """
    table = pd.read_csv(file, sep="\t", comment="#")
    return table[table["per"].isin(["unit", "part"])].reset_index(drop=True)


def estimate(study: Study, rates: pd.DataFrame | None = None) -> pd.DataFrame:
    """Units, jobs, CPU-hours, peak memory and disk of each branch that has samples.

    Returns
    -------
    one row per branch with `COLUMNS`; `size` in millions of voxels or vertices, `peak_mb` of the largest job

    Raises
    ------
    ValueError, OSError: if an input cannot be opened; the message names it
    """
    rates = read_rates() if rates is None else rates
    config = study.config
    rows = []
    if study.stacks:
        sizes = _sizes(study.stacks, lambda row: np.prod(open_stack(row.path, row.channel, row.voxel_um).shape))
        rows.append(branch_cost(rates, "twophoton", sizes, len(study.stacks), None))
    images = [row for row in study.volumes if row.image or row.synapses]
    if images:
        sizes = _sizes(images, lambda row: np.prod(open_volume(row.image or row.synapses, row.voxel_nm).shape))
        jobs = len(images) * config["synapses"]["shards"]
        rows.append(branch_cost(rates, "synapses", sizes, jobs, np.prod(config["synapses"]["cuboid"]) / 1e6))
    segmented = [row for row in study.volumes if row.segmentation or row.image or row.membrane]
    if segmented:
        sizes = _sizes(segmented, lambda row: np.prod(open_volume(row.segmentation or row.image, row.voxel_nm).shape))
        jobs = len(segmented) * config["linking"]["shards"]
        rows.append(branch_cost(rates, "linking", sizes, jobs, np.prod(config["linking"]["cuboid"]) / 1e6))
    if study.neurons:
        plan = NeuronsPlan(study, ())
        sizes = _sizes(study.neurons, lambda row: _vertices(study, row))
        row = branch_cost(rates, "neurons", sizes, len(plan.shards), None)
        if not plan.keeps_all:
            passing = float(rates.loc[rates["step"] == "neurons_hks", "kept_mb_size"].sum() * sizes[0] / 1000)
            # a shard's signatures go when it is condensed, so that those of one shard at a time are there
            row["kept_gb"] -= passing
            row["running_gb"] -= passing * (1 - 1 / len(plan.shards))
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def format_estimate(table: pd.DataFrame) -> str:
    """The estimate as people read it."""
    if table.empty:
        return "the study has no samples"
    total = table["cpu_hours"].sum()
    words = table.round({"size": 1, "cpu_hours": 2, "peak_mb": 0, "running_gb": 2, "kept_gb": 2}).to_string(index=False)
    return (
        f"{words}\n\n{total:.2f} CPU-hours in all, {table['running_gb'].sum():.2f} GB of disk while it runs, "
        f"{table['kept_gb'].sum():.2f} GB after.\n"
        "size: millions of voxels or vertices. Rates were measured on other data (rates.tsv): expect a factor of two."
    )


def _sizes(rows: Sequence, size: Callable) -> tuple[float, float, int]:
    """Total and largest size in millions, and the number of units; of a long sheet from a sample of it."""
    looked = rows[:: max(1, -(-len(rows) // LOOKED_AT))]
    found = np.array([float(size(row)) for row in looked]) / 1e6
    return float(found.mean() * len(rows)), float(found.max()), len(rows)


def branch_cost(
    rates: pd.DataFrame, branch: str, sizes: tuple[float, float, int], jobs: int, part: float | None
) -> dict[str, Any]:
    """What a branch costs by the rates of its steps.

    Parameters
    ----------
    sizes : total and largest size in millions of voxels or vertices, and the number of units
    jobs : of each step that is done in shards
    part : millions of voxels that a job holds at a time; None where it holds one unit whole

    Returns
    -------
    a row of `COLUMNS`
    """
    total, largest, units = sizes
    own = rates[rates["branch"] == branch]
    sharded = own["per"] == "part"
    # a step that holds a unit whole is one job per unit; one that works on parts of it has the planned number
    counts = np.where(sharded, jobs, jobs if part is None else units)
    held = np.where(sharded & (part is not None), part or 0, largest)
    return {
        "branch": branch,
        "units": units,
        "size": total,
        "jobs": int(counts.sum()),
        "cpu_hours": float((counts * own["cpu_s_job"] + total * own["cpu_s_size"]).sum() / 3600),
        "peak_mb": float((own["mb_job"] + held * own["mb_size"]).max()),
        "running_gb": float(total * own["running_mb_size"].sum() / 1000),
        "kept_gb": float(total * own["kept_mb_size"].sum() / 1000),
    }


def _vertices(study: Study, row: NeuronRow) -> float:
    if row.neuron in study.mesh_addresses:
        raise ValueError(
            f"{study.mesh_addresses[row.neuron]}: the size of a mesh at an address is not known before it is fetched; "
            "estimate with a sheet of a few fetched meshes"
        )
    return vertices_of(row.mesh)
