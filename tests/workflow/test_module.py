"""Spinome as a module of another workflow: its rules under other names, its results in other folders."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
OUTER = """
configfile: "outer.yaml"

module spinome:
    snakefile: "{snakefile}"
    config: config["spinome"]{prefix}

use rule * from spinome as spinome_*

rule own:
    default_target: True
    input: rules.spinome_neurons.input
    output: "own.txt"
    shell: "echo done > {{output}}"
"""


def plan(folder, prefix, *options):
    mesh = folder / "n.ply"
    mesh.write_text("ply\nformat ascii 1.0\nelement vertex 0\nelement face 0\nend_header\n")
    (folder / "neurons.tsv").write_text(f"neuron\tmesh\nn\t{mesh}\n")
    (folder / "outer.yaml").write_text("spinome: {samples: {neurons: neurons.tsv}}\n")
    text = OUTER.format(snakefile=REPOSITORY / "workflow" / "Snakefile", prefix=prefix)
    (folder / "Snakefile").write_text(text)
    command = [sys.executable, "-m", "snakemake", "--directory", str(folder), "--snakefile", str(folder / "Snakefile")]
    return subprocess.run(
        [*command, "--nocolor", "--dry-run", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    ("prefix", "where"), [("", "results"), ('\n    prefix: "spines"', "spines/results")], ids=["plain", "prefix"]
)
def test_the_rules_of_spinome_run_within_another_workflow(tmp_path, prefix, where):
    planned = plan(tmp_path, prefix)
    assert planned.returncode == 0, planned.stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned.stdout.partition("Job stats:")[2], re.MULTILINE))
    assert jobs["own"] == jobs["spinome_neurons_hks"] == jobs["spinome_neurons_spines"] == "1"
    assert f"output: {where}/neurons/hks/" in planned.stdout
    assert f"log: {where}/logs/neurons_hks/" in planned.stdout
