"""Snakemake as a user runs it: on this repository's Snakefile, from a directory that is not the repository."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from spinome.workflow import step

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "scripts"


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


@pytest.fixture
def run_script(tmp_path, monkeypatch):
    """A function that runs a script as its rule does, with named files, parameters and what is set aside."""
    # a script has its process for itself
    monkeypatch.setattr(step, "log_to", lambda log, asked: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(name, given, made, aside=None, **params):
        snakemake = SimpleNamespace(
            input=InputFiles(fromdict=given),
            output=OutputFiles(fromdict=made),
            params=Params(fromdict=params | {"aside": SimpleNamespace(**(aside or {}))}),
            wildcards=Wildcards(fromdict={"volume": "v", "shard": "0"}),
            log=Log(fromdict={"log": str(tmp_path / "logs" / name / "v.log")}),
            rule=name,
            config={"results": str(tmp_path), "resources": "resources"},
        )
        runpy.run_path(str(SCRIPTS / f"{name}.py"), {"snakemake": snakemake})

    return run
