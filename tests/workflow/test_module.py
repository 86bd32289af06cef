"""Spinome as a module of another workflow: its rules under other names, its results in other folders."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "module.md").read_text()
# the workflow that the page shows
(OUTER,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PREFIX = '    prefix: "spines"\n'
CONFIG = '    config: config["spinome"]\n'


def plan(folder, prefix, mesh):
    (folder / "n.ply").write_text("ply\nformat ascii 1.0\nelement vertex 0\nelement face 0\nend_header\n")
    (folder / "neurons.tsv").write_text(f"neuron\tmesh\nn\t{mesh}\n")
    (folder / "outer.yaml").write_text("spinome: {samples: {neurons: neurons.tsv}}\n")
    text = OUTER.replace("/path/to/spinome", str(REPOSITORY))
    (folder / "Snakefile").write_text(text.replace(CONFIG, f"{CONFIG}{prefix}"))
    command = [sys.executable, "-m", "snakemake", "--directory", str(folder), "--snakefile", str(folder / "Snakefile")]
    return subprocess.run(
        [*command, "--nocolor", "--dry-run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(("prefix", "where"), [("", "results"), (PREFIX, "spines/results")], ids=["plain", "prefix"])
def test_the_rules_of_spinome_run_within_another_workflow(tmp_path, prefix, where):
    planned = plan(tmp_path, prefix, tmp_path / "n.ply")
    assert planned.returncode == 0, planned.stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned.stdout.partition("Job stats:")[2], re.MULTILINE))
    assert jobs["own"] == jobs["spinome_neurons_hks"] == jobs["spinome_neurons_spines"] == "1"
    assert f"output: {where}/neurons/hks/" in planned.stdout
    assert f"log: {where}/logs/neurons_hks/" in planned.stdout


def test_a_prefix_goes_before_relative_inputs_too(tmp_path):
    """As the page warns; it is Snakemake that does so."""
    planned = plan(tmp_path, PREFIX, "n.ply")
    assert planned.returncode == 1 and re.search(r"affected files:\s+spines/n.ply", planned.stdout), planned.stdout
