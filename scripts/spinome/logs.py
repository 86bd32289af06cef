"""Where a script's words go, the log file of its rule, and how it ends when it cannot go on."""

from __future__ import annotations

import atexit
import os
import re
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

# how the first and the last line of a log begin
ASKED, USED = "asked:", "used:"


class Asked(NamedTuple):
    """What a job asked for: memory in MB, minutes, and disk in MB."""

    mb: float
    minutes: float
    disk_mb: float


class Used(NamedTuple):
    """What a job used: its highest memory in MB, CPU-seconds, wall-clock seconds, and MB that it wrote."""

    mb: float
    cpu_s: float
    s: float
    written_mb: float


def log_to(log: Iterable[str], asked: Mapping[str, Any] | None = None) -> None:
    """Send all that this process prints, warnings and tracebacks of compiled code included, to the rule's log.

    Its first line says what the job asked for, where it has asked, and its last one what it used.
    """
    path = next(iter(log), None)
    if path is None:
        return
    sys.stdout.flush()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=True)
    # Snakemake's list of resources has names, but does not say so when it is asked what is in it
    mb, minutes, disk_mb = (asked and asked.get(name) for name in ("mem_mb", "runtime", "disk_mb"))
    if mb and minutes and disk_mb:
        print(f"{ASKED} {mb} MB, {minutes} min, {disk_mb} MB of disk", flush=True)
    atexit.register(_tell_used, time.monotonic())


def read_asked(log: str | Path) -> Asked | None:
    """What the job of a log asked for, as the log's first line says; None where it asked for nothing."""
    found = _numbers(log, ASKED)
    return Asked(*found) if found else None


def read_used(log: str | Path) -> Used | None:
    """What the job of a log used, as the log's last line says; None where the job was killed or had no such line.

    Returns
    -------
    numbers that are not known on this system are zero
    """
    found = _numbers(log, USED)
    return Used(*found) if found else None


def _numbers(log: str | Path, begins: str) -> list[float]:
    lines = [line for line in Path(log).read_text(errors="replace").splitlines() if line.startswith(begins)]
    return [float(number) for number in re.findall(r"\d+\.?\d*", lines[-1])] if lines else []


def _tell_used(started: float) -> None:
    cpu = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    mb, written = _of_process("status", "VmHWM") / 1e3, _of_process("io", "wchar") / 1e6
    seconds = time.monotonic() - started
    print(f"{USED} {mb:.0f} MB, {sum(cpu):.1f} CPU-s, {seconds:.1f} s, {written:.1f} MB written", flush=True)


def _of_process(file: str, name: str) -> float:
    """A number that Linux tells of this process: unlike what `resource` has, not that of the program before it."""
    try:
        return next(
            float(line.split()[1])
            for line in Path("/proc/self", file).read_text().splitlines()
            if line.startswith(name)
        )
    except (OSError, StopIteration):
        return 0.0


@contextmanager
def plain_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Let errors of these kinds, which say what is wrong and what to do, end the script without a traceback."""
    try:
        yield
    except kinds as error:
        raise SystemExit(str(error)) from None
