"""The census and the report as rules: a run without any sample ends well, and reruns only what a key touches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spinome.census.spines import read_schema
from spinome.failures import COLUMNS as FAILURE_COLUMNS
from spinome.io.tables import read_table

REPOSITORY = Path(__file__).parents[2]


def snakemake(folder, *arguments):
    (folder / "config.yaml").write_text("samples: {}\n")
    command = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--directory", folder]
    command += ["--configfile", folder / "config.yaml", "--cores", "1", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    snakemake(folder)
    return folder


@pytest.mark.slow
def test_a_run_without_samples_gives_empty_tables_and_a_page(run):
    spines = read_table(run / "results" / "spines.parquet")
    schema = read_schema(REPOSITORY / "workflow" / "schemas" / "spines.schema.yaml")
    assert spines.empty and list(spines.columns) == list(schema)
    assert list(read_table(run / "results" / "failures.parquet").columns) == FAILURE_COLUMNS
    assert "No unit failed." in (run / "results" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_second_run_does_nothing_and_a_key_reruns_what_depends_on_it(run):
    assert "Nothing to be done" in snakemake(run, "--dry-run")
    plan = snakemake(run, "--dry-run", "--config", "seed=5")
    jobs = {line.split()[1].rstrip(":") for line in plan.splitlines() if line.startswith(("rule ", "localrule "))}
    assert jobs == {"provenance", "report_methods", "report_page", "all"}
