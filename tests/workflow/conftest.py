"""Snakemake as a user runs it: on this repository's Snakefile, from a directory that is not the repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SMALL = REPOSITORY / "config" / "small" / "config.yaml"


@pytest.fixture(scope="session")
def snakemake():
    """Return a function that runs Snakemake in a directory and gives the finished process, output and errors in one."""

    def run(directory, *arguments, timeout=600, repository=REPOSITORY, **environment):
        command = [sys.executable, "-m", "snakemake", "--snakefile", repository / "Snakefile", "--directory", directory]
        return subprocess.run(
            [str(word) for word in [*command, "--nocolor", *arguments]],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def small(snakemake, tmp_path_factory):
    """The folder in which the small configuration has run, and what the run said."""
    folder = tmp_path_factory.mktemp("small")
    run = snakemake(folder, "--configfile", SMALL, "--cores", "2", timeout=1800, OMP_NUM_THREADS="1")
    assert run.returncode == 0, run.stdout
    return folder, run.stdout
