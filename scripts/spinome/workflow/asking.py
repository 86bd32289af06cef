"""What a job asks for: memory, time and disk, from the size of its inputs and from measured rates.

`rates.tsv` beside this module has a row for each rule: what its smallest job takes, and what each million of voxels or
vertices, or each MB of its input files, adds. `spinome estimate` reads the same table. A job that was killed asks for
more at its next try.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from spinome.workflow.sizes import Size

RATES = Path(__file__).parent / "rates.tsv"
# The interpreter and the libraries of a branch take up to so much, whatever is read (130 to 830 MB in config/small); so
# no job asks for less.
LEAST_MB = 900
# what a job asks for above what it is expected to take
MEMORY_MARGIN, DISK_MARGIN = 1.4, 2.0
# a job has three times the CPU that it is expected to take, and time to start on a slow file system
LEAST_MINUTES, PATIENCE = 30, 3
# of disk: a log, tables of finished and of failed units, and what is written before it is renamed
LEAST_DISK_MB = 100

# a function of wildcards and input files
SizeOf = Callable[[Any, Any], Size]


def asks(rule: str, size: SizeOf) -> dict[str, Callable[..., int]]:
    """The resources of a rule: `mem_mb`, `runtime` in minutes and `disk_mb`, each a function as Snakemake calls it.

    Parameters
    ----------
    rule : its name in the table of rates
    size : what a job holds and goes through, in the unit that its rates are in

    Raises
    ------
    ValueError: if the rule has no rates
    """
    if rule not in rates():
        raise ValueError(f"{RATES}: has no rates of {rule}; measure them, and add a row")
    rate = rates()[rule]

    def mem_mb(wildcards: Any, input: Any, attempt: int) -> int:
        expected = rate["mb_job"] + rate["mb_size"] * size(wildcards, input).held
        return attempt * ceil(max(LEAST_MB, MEMORY_MARGIN * expected))

    def runtime(wildcards: Any, input: Any, attempt: int) -> int:
        seconds = rate["cpu_s_job"] + rate["cpu_s_size"] * size(wildcards, input).total
        return attempt * ceil(max(LEAST_MINUTES, PATIENCE * seconds / 60))

    def disk_mb(wildcards: Any, input: Any) -> int:
        return ceil(LEAST_DISK_MB + DISK_MARGIN * rate["written_mb_size"] * size(wildcards, input).total)

    return {"mem_mb": mem_mb, "runtime": runtime, "disk_mb": disk_mb}


@cache
def rates() -> dict[str, dict[str, float]]:
    """The numbers of each rule in the table of rates."""
    with RATES.open() as stream:
        rows = list(csv.DictReader((line for line in stream if not line.startswith("#")), delimiter="\t"))
    words = ("step", "branch", "per")
    return {row["step"]: {name: float(text) for name, text in row.items() if name not in words} for row in rows}
