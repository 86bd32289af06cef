"""Plans of every configuration, and what a plan says when the configuration or a sheet is wrong."""

import re
from math import ceil
from pathlib import Path

import numpy as np
import pytest
import trimesh
import yaml

from spinome.workflow.asking import LEAST_MB, MEMORY_MARGIN, rates

REPOSITORY = Path(__file__).parents[2]
CONFIGURATIONS = sorted((REPOSITORY / "config").glob("**/*.yaml"))
# what no rule retrieves and a person brings; a plan looks at its name alone
BROUGHT = {
    "config/training/detector.yaml": ["resources/spinedetector/boxes.csv"],
    "config/training/linking.yaml": ["resources/neuroproof_ts2/volume_z000-150.h5"],
    "config/training/links_cuts.yaml": [
        "resources/pinky40/segmentation_z000-320.h5",
        "config/training/pinky40_types.tsv",
    ],
    "config/training/links.yaml": [
        f"results/training_cuts/linking/detach/pinky40/{kind}_{draw}.{suffix}"
        for draw in range(1, 7)
        for kind, suffix in (("segmentation", "zarr"), ("truth_links", "parquet"), ("truth_types", "parquet"))
    ],
    "config/training/judge.yaml": [
        *(f"resources/rr30a_upper/tp{number}.ome.tif" for number in range(6)),
        "resources/rr30a_upper/spines.csv",
        "resources/rr30a_upper/dendrites.csv",
    ],
    "config/training/synapses.yaml": [
        "resources/modelzoo_mouse/sample1_input.h5",
        "resources/modelzoo_mouse/sample2_input.h5",
        "resources/neuroproof_examples/training_sample2/grayscale_maps",
    ],
}


def jobs(output):
    """Number of jobs by rule, from the table of a plan."""
    table = output.partition("Job stats:")[2].partition("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


@pytest.fixture
def project(tmp_path):
    """A folder with one neuron that a rule retrieves, and a function that writes its configuration."""
    mesh = "resources/meshparty/648518346349539862_mesh.npz"
    (tmp_path / "neurons.tsv").write_text(f"neuron\tmesh\nn\t{mesh}\n")

    def configure(**keys):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"samples": {"neurons": "neurons.tsv"}} | keys))
        return path

    return configure


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda path: str(path.relative_to(REPOSITORY)))
@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_every_configuration_can_be_planned(snakemake, tmp_path, configuration, profile):
    brought = [tmp_path / name for name in BROUGHT.get(str(configuration.relative_to(REPOSITORY)), [])]
    for file in brought:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    plan = snakemake(
        tmp_path, "--dry-run", "--profile", REPOSITORY / "profiles" / profile, "--configfile", configuration
    )
    assert plan.returncode == 0, plan.stdout
    assert {"all", "census_spines", "report_page"} <= set(jobs(plan.stdout))
    # a plan writes nothing that belongs to a run
    assert all(file in brought for file in (tmp_path / "results").rglob("*") if file.is_file())


def test_snakemake_finds_nothing_to_criticise(snakemake, tmp_path):
    lint = snakemake(tmp_path, "--lint")
    assert lint.returncode == 0, lint.stdout


def test_a_misspelt_key_is_named_with_the_nearest(snakemake, tmp_path, project):
    plan = snakemake(tmp_path, "--dry-run", "--configfile", project(max_failed_fracton=0.5))
    assert plan.returncode == 1
    assert "max_failed_fracton: no such key; did you mean 'max_failed_fraction'?" in plan.stdout


def test_an_absent_file_is_named_with_row_and_column(snakemake, tmp_path, project):
    (tmp_path / "neurons.tsv").write_text("neuron\tmesh\nn\tnowhere.npz\n")
    plan = snakemake(tmp_path, "--dry-run", "--configfile", project())
    assert plan.returncode == 1
    assert "neurons.tsv: row 2, column mesh: nowhere.npz" in plan.stdout


def test_a_mesh_at_an_address_is_fetched_and_features_are_stored_where_asked(snakemake, tmp_path, project):
    (tmp_path / "neurons.tsv").write_text("neuron\tmesh\nn\tprecomputed://gs://bucket/meshes::648518346349539862\n")
    (tmp_path / "cells.tsv").write_text("root_id\tcell_class\tbroad_class\n5\tbasket\tinhibitory\n")
    samples = {"neurons": "neurons.tsv", "cells": "cells.tsv"}
    options = project(samples=samples, neurons={"features": {"storage": "meshmash"}})
    plan = snakemake(tmp_path, "--dry-run", "--configfile", options)
    assert plan.returncode == 0, plan.stdout
    assert jobs(plan.stdout)["retrieve_mesh"] == jobs(plan.stdout)["neurons_features"] == 1
    assert "input: results/spines.parquet, results/neurons/synapses.parquet, cells.tsv" in plan.stdout


def test_the_plan_of_many_neurons_at_addresses_asks_for_one_job_a_shard(snakemake, tmp_path, project):
    rows = [f"n{number}\tgs://bucket/meshes::{number}" for number in range(20_000)]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh", *rows]) + "\n")
    options = project(neurons={"shards": 20})
    plan = snakemake(tmp_path, "--dry-run", "--quiet", "rules", "--configfile", options, "--", "neurons")
    assert plan.returncode == 0, plan.stdout
    planned = jobs(plan.stdout)
    assert planned["retrieve_mesh"] == planned["neurons_simplify"] == 20 and sum(planned.values()) < 200


def test_a_bad_row_of_the_cells_is_named(snakemake, tmp_path, project):
    (tmp_path / "cells.tsv").write_text("root_id\tcell_class\n6.48E+17\tbasket\n")
    plan = snakemake(tmp_path, "--dry-run", "--configfile", project(samples={"cells": "cells.tsv"}))
    assert plan.returncode == 1
    assert "cells.tsv: row 2, column root_id:" in plan.stdout and "not '6.48E+17'" in plan.stdout


def test_the_steps_of_synapses_that_are_asked_for_are_planned_with_their_memory(snakemake, tmp_path, project):
    store = "resources/phantom/phantom/em.zarr"
    (tmp_path / "volumes.tsv").write_text(f"volume\timage\ttruth_synapses\nv\t{store}::image\t{store}::synapses\n")
    (tmp_path / "marked.tsv").write_text("z_nm\ty_nm\tx_nm\n1000\t1000\t1000\n")
    synapses = {
        "cuboid": [16, 128, 128],
        "classify": {"kind": "forest", "marked_vesicles": {"v": "marked.tsv"}},
        "sweep": {"run": True},
        "mask": {"make": True},
    }
    options = project(samples={"volumes": "volumes.tsv"}, synapses=synapses)
    plan = snakemake(tmp_path, "--dry-run", "--configfile", options, "--", "synapses")
    assert plan.returncode == 0, plan.stdout
    planned = jobs(plan.stdout)
    for step in ("vesicle_profile", "mask", "merge", "evaluate", "sweep", "uniformity", "figures"):
        assert planned[f"synapses_{step}"] == 1
    detect = plan.stdout.partition("rule synapses_detect:")[2].partition("\n\n")[0]
    rate = rates()["synapses_detect"]
    # a voxel with its halo, and the program
    expected = rate["mb_job"] + 36 * 268 * 268 / 1e6 * rate["mb_size"]
    assert f"mem_mb={ceil(max(LEAST_MB, MEMORY_MARGIN * expected))}," in detect


def test_the_plan_of_many_neurons_stays_small(snakemake, tmp_path, project):
    rows = [f"n{number}\tresources/meshes/n{number}.npz" for number in range(20_000)]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh", *rows]) + "\n")
    # the meshes stand where a rule would put them; a plan asks only whether they are there
    (tmp_path / "resources" / "meshes").mkdir(parents=True)
    for row in rows:
        (tmp_path / row.partition("\t")[2]).touch()
    plan = snakemake(
        tmp_path, "--dry-run", "--quiet", "rules", "--configfile", project(neurons={"shards": 200}), "--", "neurons"
    )
    assert plan.returncode == 0, plan.stdout
    assert sum(jobs(plan.stdout).values()) < 3000


@pytest.mark.slow
def test_where_little_is_kept_a_plan_says_what_is_made_again(snakemake, tmp_path, project):
    tube = trimesh.creation.cylinder(radius=400, height=20_000).subdivide().subdivide().subdivide()
    np.savez(tmp_path / "tube.npz", vertices_nm=tube.vertices, faces=tube.faces)
    (tmp_path / "neurons.tsv").write_text("neuron\tmesh\nn\ttube.npz\n")

    def run(*options, **keys):
        made = project(neurons={"shards": 1, "keep": "condensed"} | keys)
        targets = "results/neurons/spines/0.parquet", "results/neurons/classify/0.parquet"
        done = snakemake(tmp_path, *options, "--configfile", made, "--", *targets)
        assert done.returncode == 0, done.stdout
        return done.stdout

    run("--cores", "1")
    units = tmp_path / "results" / "units"
    for step in ("neurons_simplify", "neurons_hks"):
        (left,) = units.glob(f"{step}/*/*")
        assert left.suffix == ".spent" and left.stat().st_size == 0
        assert not (tmp_path / "results" / step.replace("_", "/") / "0.parquet").exists()
    assert "Nothing to be done" in run("--dry-run")
    assert jobs(run("--dry-run", spines={"min_area_um2": 0.5})) == {"neurons_spines": 1}
    further_up = jobs(run("--dry-run", condense={"distance": 2.0}))
    assert set(further_up) == {f"neurons_{step}" for step in ("simplify", "hks", "condense", "classify", "spines")}


def test_a_correction_of_no_session_is_named_before_any_work(snakemake, tmp_path, project):
    header = "specimen\tfield\ttimepoint\tday\tpath\n"
    (tmp_path / "stacks.tsv").write_text(f"{header}s\tf\t0\t0\tresources/s.tif\n")
    (tmp_path / "corrections.tsv").write_text(
        "specimen\tfield\tdecision\ttimepoint\tz_um\ty_um\tx_um\ns\tf\tno spine\t7\t1\t2\t3\n"
    )
    options = project(samples={"stacks": "stacks.tsv"}, twophoton={"track": {"corrections": "corrections.tsv"}})
    plan = snakemake(tmp_path, "--dry-run", "--configfile", options)
    assert plan.returncode == 1
    assert "corrections.tsv: names s.f.7, which is no row of the sheet of stacks" in plan.stdout
