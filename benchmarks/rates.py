"""Measure the rates that jobs and `spinome estimate` ask by, from finished runs: a job's cost, and what a million adds.

Rows of steps that are not measured here stay as they are.

    make demo && make demo CONFIG=config/small/config.yaml && make bench-rates

Snakemake's own benchmark files give CPU-seconds and memory of every job. The smallest job of a step, from the small
run, says what a job costs however small it is; the demo says what voxels and vertices add. Disk is what lies in the
folders of the step.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from spinome.configuration import complete
from spinome.io.stacks import open_stack
from spinome.io.volumes import open_volume
from spinome.workflow.asking import RATES
from spinome.workflow.study import read_study

REPOSITORY = Path(__file__).parents[1]
RUNS = {"small": "config/small/config.yaml", "demo": "config/demo/config.yaml"}
# by step: whether a job holds a unit whole or a part of it, and the folders of results that the step leaves
STEPS = {
    "twophoton_register": ("unit", "twophoton/registered"),
    "twophoton_detect": ("unit", "twophoton/detect"),
    "twophoton_measure": ("unit", "twophoton/measure"),
    "synapses_detect": ("part", "units/synapses_detect"),
    "synapses_merge": ("unit", "synapses/labels"),
    "synapses_density": ("part", "units/synapses_density"),
    "linking_membranes": ("part", "units/linking_membranes"),
    "linking_basins": ("part", "units/linking_basins"),
    "linking_watershed": ("unit", "linking/watershed"),
    "linking_agglomerate": ("unit", "linking/agglomerate"),
    "linking_typing": ("unit", "linking/segments"),
    "linking_candidates": ("part", "units/linking_candidates"),
    "linking_meshes": ("unit", "linking/meshes"),
    "neurons_simplify": ("part", "units/neurons_simplify"),
    "neurons_hks": ("part", "units/neurons_hks"),
    "neurons_condense": ("part", "units/neurons_condense"),
    "neurons_spines": ("part", "units/neurons_spines"),
    "neurons_synapses": ("part", "units/neurons_synapses"),
}


def millions(study):
    """Millions of voxels or vertices of a run by branch."""
    voxels = sum(np.prod(open_volume(row.image or row.segmentation).shape) for row in study.volumes)
    stacks = sum(np.prod(open_stack(row.path, row.channel, row.voxel_um).shape) for row in study.stacks)
    vertices = 0
    for row in study.neurons:
        with np.load(row.mesh) as mesh:
            vertices += len(mesh["vertices_nm"])
    return {"twophoton": stacks / 1e6, "synapses": voxels / 1e6, "linking": voxels / 1e6, "neurons": vertices / 1e6}


def disk_mb(folder):
    """Megabytes below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def main():
    runs = {}
    for name, file in RUNS.items():
        study = read_study(complete(yaml.safe_load((REPOSITORY / file).read_text())), REPOSITORY)
        runs[name] = Path(study.results), millions(study)
    rows = []
    for step, (per, folder) in STEPS.items():
        branch = step.partition("_")[0]
        jobs = {}
        for name, (results, _) in runs.items():
            files = sorted((results / "benchmarks" / step).rglob("*.tsv"))
            jobs[name] = pd.concat([pd.read_csv(file, sep="\t") for file in files])
        size = {name: sizes[branch] for name, (_, sizes) in runs.items()}
        fixed = float(jobs["small"]["cpu_time"].min())
        adds = float((jobs["demo"]["cpu_time"].sum() - fixed * len(jobs["demo"])) / size["demo"])
        held = size["demo"] / len(jobs["demo"])
        mb_fixed = float(jobs["small"]["max_rss"].min())
        disk = disk_mb(runs["demo"][0] / folder) / size["demo"]
        rows.append(
            {
                "step": step,
                "branch": branch,
                "per": per,
                "cpu_s_job": round(fixed, 2),
                "cpu_s_size": round(max(adds, 0), 3),
                "mb_job": round(mb_fixed),
                "mb_size": round(max(float(jobs["demo"]["max_rss"].max()) - mb_fixed, 0) / held, 1),
                "running_mb_size": round(disk, 3),
                "kept_mb_size": round(disk, 3),
            }
        )
    head = [line for line in RATES.read_text().splitlines() if line.startswith("#")]
    table = pd.read_csv(RATES, sep="\t", comment="#").set_index("step")
    measured = pd.DataFrame(rows).set_index("step")
    table.update(measured)
    with RATES.open("w") as stream:
        stream.write("\n".join(head) + "\n")
        table.to_csv(stream, sep="\t")
    print(measured.to_string())


if __name__ == "__main__":
    main()
