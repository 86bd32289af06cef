"""What is missing at the end of a run: said in words, and tried again by the next run where it is too much.

A failed unit is final as long as its inputs, settings and code are the same. But where more of a step is missing than
`max_failed_fraction`, the reason may well be the machine (no GPU, a broken package), so the tables that name them
are forgotten, and the next run tries these units again, and no finished one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from spinome.census.completeness import JOBS, completeness, gather_failures, incomplete, to_try_again
from spinome.io.datasets import count_rows


def forget(steps: Collection[str], failures: Iterable[str | Path]) -> None:
    """Remove those of the tables of failed units that are of these steps and name some: their jobs run again.

    Parameters
    ----------
    failures : tables of failed units, as `step_of` takes them
    """
    for file in _of_steps(steps, failures):
        # a job that is tried again finds some of them forgotten
        if Path(file).exists() and count_rows(file):
            Path(file).unlink()


def missing_so_far(
    finished: Mapping[str, Iterable[str]], failures: Iterable[str], max_failed_fraction: float
) -> list[str]:
    """One line a step of which more is missing than may be, of those that have run; their failed units are forgotten.

    For a run that asked for a part of the results; one that asked for all ends with `census_completeness`.

    Parameters
    ----------
    finished : tables of finished units by step
    failures : tables of failed units; tables that are not there do not count
    """
    there = [file for file in failures if Path(file).exists()]
    steps = {step_of(file) for file in there if count_rows(file)}
    asked = {
        step: [file for file in tables if Path(file).exists()] for step, tables in finished.items() if step in steps
    }
    if not steps:
        return []
    through, failed = gather_failures(asked, _of_steps(steps | set(JOBS), there))
    table = completeness(through, failed)
    forget(to_try_again(table, max_failed_fraction), there)
    return incomplete(table, max_failed_fraction)


def step_of(file: str | Path) -> str:
    """The step of a table of failed units, which is in `failures/<step>/`, or there in the folder of a volume."""
    parts = Path(file).parts
    return parts[len(parts) - parts[::-1].index("failures")]


def _of_steps(steps: Collection[str], failures: Iterable[str | Path]) -> list[str | Path]:
    return [file for file in failures if step_of(file) in steps]
