"""A small configuration on a real Slurm: a job is killed midway, and the next run computes only what is missing."""

import os
import re
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


def stored(project, results):
    """The files of finished cuboids, each with the time it was made."""
    files = (project.parent / results / "units" / "synapses_detect").rglob("*-*.npz")
    return {file: file.stat().st_mtime_ns for file in files if not file.name.startswith(".")}


def kill_a_job_midway(project, results, running, log, seconds=900):
    """Cancel the job of a shard that runs while cuboids are finished and not all; return the shard's table."""
    end = time.monotonic() + seconds
    tables = project.parent / results / "synapses" / "detect" / "small"
    submitted = re.compile(r"SLURM jobid (\d+) \(log: \S*/rule_synapses_detect/small_(\w+)/")
    while time.monotonic() < end and running.poll() is None:
        if 0 < len(stored(project, results)) < CUBOIDS:
            queue = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%i"], capture_output=True, text=True, check=True)
            for job, shard in submitted.findall(log.read_text()):
                table = tables / f"{shard}.parquet"
                if job in queue.stdout.split() and not table.exists():
                    subprocess.run(["scancel", job], check=True)
                    return table
        time.sleep(0.1)
    raise AssertionError("no job could be killed midway")


@pytest.mark.slow
def test_after_a_kill_only_what_is_missing_is_computed(cluster, project):
    profile = ["--profile", REPOSITORY / "profiles" / "slurm", *IMPATIENT]

    local = run(project, "local", "--cores", "2")
    assert local.returncode == 0, local.stdout

    # without the profile's retries, the kill ends the run
    log = project.parent / "first.log"
    with log.open("w") as stream:
        first = subprocess.Popen(command(project, "slurm", *profile, "--retries", "0"), stdout=stream, stderr=stream)
        try:
            killed = kill_a_job_midway(project, "slurm", first, log)
            assert first.wait(300) != 0
        finally:
            first.kill()
    before = stored(project, "slurm")
    assert 0 < len(before) < CUBOIDS and not killed.exists()

    second = run(project, "slurm", *profile)
    assert second.returncode == 0, second.stdout
    after = stored(project, "slurm")
    assert len(after) == CUBOIDS and before.items() <= after.items()

    for table in TABLES:
        here, there = (pd.read_parquet(project.parent / results / table) for results in ("local", "slurm"))
        assert len(here)
        pd.testing.assert_frame_equal(here, there)

    third = run(project, "slurm", *profile)
    assert third.returncode == 0 and "Nothing to be done" in third.stdout
