"""A log says what its job asked for and what it used."""

import os
import subprocess
import sys
from pathlib import Path

from spinome.logs import Asked, read_asked, read_used

# resources as Snakemake gives them to a script: a list whose items have names
SCRIPT = """
from snakemake.iocontainers import ResourceList
from spinome.logs import log_to
log_to([{log!r}], ResourceList(fromdict={asked!r}))
print("done")
"""


def write_log(path, asked):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "scripts")}
    command = [sys.executable, "-c", SCRIPT.format(log=str(path), asked=asked)]
    subprocess.run(command, check=True, env=environment)
    return path


def test_it_begins_with_what_was_asked_for_and_ends_with_what_was_used(tmp_path):
    log = write_log(tmp_path / "a.log", {"mem_mb": 900, "runtime": 30, "disk_mb": 100, "_cores": 1})
    assert read_asked(log) == Asked(900, 30, 100) and read_used(log).mb > 0
    assert "done" in log.read_text()


def test_a_job_that_asks_for_nothing_says_what_it_used_alone(tmp_path):
    # memory and disk by default, and no time
    log = write_log(tmp_path / "a.log", {"mem_mb": 900, "disk_mb": 100})
    assert read_asked(log) is None and read_used(log).mb > 0
