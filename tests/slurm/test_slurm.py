"""Small studies on a real Slurm: a job is killed midway, a node drained, and the next run computes what is missing."""

import os
import re
import subprocess
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
import yaml

from many_neurons import ABSENT, Handler

REPOSITORY = Path(__file__).parents[2]
TABLES = ["synapses/objects.parquet", "synapses/blocks.parquet"]
# how a volume of 48 x 256 x 256 voxels is cut into so many cuboids
CUTS = {12: [16, 128, 128], 200: [12, 52, 26]}
CUBOIDS = 12
# the executor asks for the state of a job after 40 seconds, and waits long for slow file systems; here both are quick
IMPATIENT = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]
IMPATIENT += ["--latency-wait", "10"]


def make_project(folder, cuboids, **keys):
    """One very small volume in so many cuboids in two shards, and what else is said; returns the configuration."""
    small = yaml.safe_load((REPOSITORY / "config" / "small" / "config.yaml").read_text())
    volume = "resources/phantom/small/em.zarr"
    (folder / "volumes.tsv").write_text(f"volume\timage\tmask\nsmall\t{volume}::image\t{volume}::mask\n")
    content = {
        "samples": {"volumes": "volumes.tsv"},
        "phantom": {"specimens": {"small": small["phantom"]["specimens"]["small"]}},
        "synapses": {"cuboid": CUTS[cuboids], "shards": 2},
    }
    content["samples"] |= keys.pop("samples", {})
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content | keys))
    return path


@pytest.fixture
def project(tmp_path):
    """The volume alone, in twelve cuboids."""
    return make_project(tmp_path, CUBOIDS)


@pytest.fixture
def mesh_server():
    """The address of small neurons: 5 % of its answers are an error, 1 % come late, and some neurons are not there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/meshes"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def drain(cluster):
    """A function that lets a node take no job more; at the end of the test it takes them again."""
    drained = []

    def run(node):
        update = ["scontrol", "update", f"NodeName={node}"]
        drained.append(update)
        subprocess.run([*update, "State=DRAIN", "Reason=test"], check=True)

    yield run
    for update in drained:
        subprocess.run([*update, "State=RESUME"], check=True)


def command(project, results, *options, tables=TABLES):
    # the tables and not the branch's target: figures and statistics have nothing to do with the cluster
    targets = [f"{results}/{table}" for table in tables]
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--nocolor"]
    where = ["--directory", project.parent, "--configfile", project, "--config", f"results={results}"]
    return [str(word) for word in [*snakemake, *where, *options, "--", *targets]]


def run(project, results, *options, timeout=900, **tables):
    return subprocess.run(
        command(project, results, *options, **tables),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def stored(project, results):
    """The files of finished cuboids, each with the time it was made."""
    files = (project.parent / results / "units" / "synapses_detect").rglob("*-*.npz")
    return {file: file.stat().st_mtime_ns for file in files if not file.name.startswith(".")}


def kill_a_job_midway(project, results, running, log, seconds=900, cuboids=CUBOIDS):
    """Cancel the job of a shard that runs while cuboids are finished and not all; return the shard's table."""
    end = time.monotonic() + seconds
    tables = project.parent / results / "synapses" / "detect" / "small"
    submitted = re.compile(r"SLURM jobid (\d+) \(log: \S*/rule_synapses_detect/small_(\w+)/")
    while time.monotonic() < end and running.poll() is None:
        if 0 < len(stored(project, results)) < cuboids:
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("neurons", "cuboids"),
    [
        (40, 12),
        pytest.param(
            2000,
            200,
            marks=pytest.mark.skipif("SPINOME_WHOLE" not in os.environ, reason="takes an hour of two cores: set it"),
        ),
    ],
)
def test_neurons_and_a_volume_survive_a_drained_node_and_a_killed_job(
    cluster, mesh_server, drain, tmp_path, neurons, cuboids
):
    """Neurons come from a server that fails now and then; those that are not there are named as failed."""
    rows = [f"n{number}\t{mesh_server}::{number}" for number in range(neurons)]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh", *rows]) + "\n")
    shards = max(2, neurons // 100)
    project = make_project(tmp_path, cuboids, samples={"neurons": "neurons.tsv"}, neurons={"shards": shards})
    profile = ["--profile", REPOSITORY / "profiles" / "slurm", *IMPATIENT]
    # the joint tables of neurons would draw in those that linking makes of the volume
    labelled = [f"neurons/spines/{shard}.parquet" for shard in range(shards)]
    tables, seconds = [*TABLES, *labelled], 900 + 3 * neurons

    log = tmp_path / "first.log"
    with log.open("w") as stream:
        start = command(project, "slurm", *profile, "--retries", "0", tables=tables)
        first = subprocess.Popen(start, stdout=stream, stderr=stream)
        try:
            killed = kill_a_job_midway(project, "slurm", first, log, seconds, cuboids)
            drain("node1")
            assert first.wait(seconds) != 0
        finally:
            first.kill()
    before = stored(project, "slurm")
    assert 0 < len(before) < cuboids and not killed.exists()

    second = run(project, "slurm", *profile, tables=tables, timeout=seconds)
    assert second.returncode == 0, second.stdout
    after = stored(project, "slurm")
    assert len(after) == cuboids and before.items() <= after.items()
    third = run(project, "slurm", *profile, tables=tables)
    assert third.returncode == 0 and "Nothing to be done" in third.stdout

    local = run(project, "local", "--cores", "2", tables=tables, timeout=seconds)
    assert local.returncode == 0, local.stdout
    for table in tables:
        here, there = (pd.read_parquet(tmp_path / results / table) for results in ("local", "slurm"))
        if table in labelled:
            # names of units hold their key and a checksum of what they are
            for frame in (here, there):
                frame["file"] = frame["file"].map(lambda file: Path(file).name)
        pd.testing.assert_frame_equal(here, there)
    absent = {f"n{number}" for number in ABSENT if int(number) < neurons}
    done = {name for table in labelled for name in pd.read_parquet(tmp_path / "slurm" / table)["unit"]}
    assert done == {f"n{number}" for number in range(neurons)} - absent
    failed = pd.concat(map(pd.read_parquet, (tmp_path / "slurm" / "failures" / "retrieve_mesh").iterdir()))
    assert set(failed["unit"]) == absent
