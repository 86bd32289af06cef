"""Snakemake as a user runs it: on this repository's Snakefile, from a directory that is not the repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


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
