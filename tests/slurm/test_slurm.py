"""A small configuration on a real Slurm: a job is killed midway, and the next run computes only what is missing."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
TABLES = ["synapses/objects.parquet", "synapses/blocks.parquet"]
CUBOIDS = 12
# the executor asks for the state of a job after 40 seconds, and waits long for slow file systems; here both are quick
IMPATIENT = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]
IMPATIENT += ["--latency-wait", "10"]


@pytest.fixture
def project(tmp_path):
    """One very small volume, cut into twelve cuboids in two shards; returns the configuration's file."""
    small = yaml.safe_load((REPOSITORY / "config" / "small" / "config.yaml").read_text())
    volume = "resources/phantom/small/em.zarr"
    (tmp_path / "volumes.tsv").write_text(f"volume\timage\tmask\nsmall\t{volume}::image\t{volume}::mask\n")
    content = {
        "samples": {"volumes": "volumes.tsv"},
        "phantom": {"specimens": {"small": small["phantom"]["specimens"]["small"]}},
        "synapses": {"cuboid": [16, 128, 128], "shards": 2},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def command(project, results, *options):
    # the tables and not the branch's target: figures and statistics have nothing to do with the cluster
    targets = [f"{results}/{table}" for table in TABLES]
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--nocolor"]
    where = ["--directory", project.parent, "--configfile", project, "--config", f"results={results}"]
    return [str(word) for word in [*snakemake, *where, *options, "--", *targets]]


def run(project, results, *options):
    return subprocess.run(
        command(project, results, *options),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )


def journals(project, results):
    """Finished units by journal, in the order they were finished."""
    files = (project.parent / results / "units" / "synapses_detect").rglob("journal.jsonl")
    return {file: [json.loads(line)["unit"] for line in file.read_text().splitlines()] for file in sorted(files)}


def kill_a_job_midway(project, results, running, seconds=400):
    """Cancel the job of a shard that has finished a cuboid and not yet all; return its journal."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and running.poll() is None:
        for journal, units in journals(project, results).items():
            shard = journal.parent.name
            done = project.parent / results / "synapses" / "detect" / "small" / f"{shard}.parquet"
            if units and not done.exists():
                queue = subprocess.run(["squeue", "-h", "-o", "%i %k"], capture_output=True, text=True, check=True)
                jobs = [
                    line.split()[0]
                    for line in queue.stdout.splitlines()
                    if f"shard_{shard}" in line or f"synapses_detect_wildcards_small_{shard}" in line
                ]
                if jobs:
                    subprocess.run(["scancel", jobs[0]], check=True)
                    return journal
        time.sleep(0.1)
    raise AssertionError("no job could be killed midway")


@pytest.mark.slow
def test_after_a_kill_only_what_is_missing_is_computed(cluster, project):
    profile = ["--profile", REPOSITORY / "profiles" / "slurm", *IMPATIENT]

    local = run(project, "local", "--cores", "2")
    assert local.returncode == 0, local.stdout

    # without the profile's retries, the kill ends the run
    with (project.parent / "first.log").open("w") as log:
        first = subprocess.Popen(command(project, "slurm", *profile, "--retries", "0"), stdout=log, stderr=log)
        try:
            killed = kill_a_job_midway(project, "slurm", first)
            assert first.wait(300) != 0
        finally:
            first.kill()
    before = journals(project, "slurm")
    assert sum(map(len, before.values())) < CUBOIDS
    done = project.parent / "slurm" / "synapses" / "detect" / "small" / f"{killed.parent.name}.parquet"
    assert not done.exists()

    second = run(project, "slurm", *profile)
    assert second.returncode == 0, second.stdout
    after = journals(project, "slurm")
    for journal, units in before.items():
        assert after[journal][: len(units)] == units
    finished = [unit for units in after.values() for unit in units]
    assert len(finished) == len(set(finished)) == CUBOIDS

    for table in TABLES:
        here, there = (pd.read_parquet(project.parent / results / table) for results in ("local", "slurm"))
        assert len(here)
        pd.testing.assert_frame_equal(here, there)

    third = run(project, "slurm", *profile)
    assert third.returncode == 0 and "Nothing to be done" in third.stdout
