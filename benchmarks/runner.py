"""Measure this program and its peers on the same input in one run, and write one row per target."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

BENCHMARKS = Path(__file__).parent
RESULTS = BENCHMARKS / "results"
ENVIRONMENTS = BENCHMARKS / "envs"
COLUMNS = ["what", "value", "unit", "target", "met", "peer", "peer_value", "ratio", "command", "machine"]
# ru_maxrss counts kilobytes on Linux and bytes on macOS
RSS_BYTES = 1 if sys.platform == "darwin" else 1024
ONE_THREAD = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"], "1")


class PeerUnavailable(RuntimeError):
    """A peer cannot be installed or run; the message is the reason that stands in the table."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a call returned or a command printed, its CPU-seconds, wall-clock seconds and peak memory in MB."""

    result: Any
    cpu_s: float
    wall_s: float
    peak_mb: float


@dataclasses.dataclass(frozen=True)
class Row:
    """One target.

    `lower_is_better` says in which direction `value` meets `target`. A peer that could not be run here stands
    with its published value, marked in `peer` as published, or with the reason and no value.
    """

    what: str
    value: float
    unit: str
    target: float | None = None
    lower_is_better: bool = False
    peer: str = ""
    peer_value: float | None = None

    def record(self, command: str) -> dict[str, Any]:
        """The row as it is written, rounded to four figures."""
        met = ""
        if self.target is not None:
            met = "yes" if (self.value <= self.target if self.lower_is_better else self.value >= self.target) else "no"
        record = {
            "what": self.what,
            "value": _round(self.value),
            "unit": self.unit,
            "target": "" if self.target is None else _round(self.target),
            "met": met,
            "peer": self.peer,
            "peer_value": "" if self.peer_value is None else _round(self.peer_value),
            "ratio": "" if not self.peer_value else _round(self.value / self.peer_value),
            "command": command,
            "machine": machine(),
        }
        return {column: record[column] for column in COLUMNS}


def measure(function: Callable[..., Any], *arguments: Any, one_thread: bool = True, calls: int = 1) -> Measured:
    """Call a function in a process of its own, so that nothing else counts into its time and memory.

    The function and its arguments must be importable and picklable. Time is that of the call alone, of several
    `calls` the last, which finds all libraries and compiled code loaded; peak memory is that of the process, with its
    imports.

    Raises
    ------
    RuntimeError: with the traceback, if the call fails.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    if one_thread:
        os.environ.update(ONE_THREAD)
    try:
        process = context.Process(target=_call, args=(theirs, function, arguments, calls))
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    theirs.close()
    try:
        outcome = ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{function.__name__} ended without a result, exit code {process.exitcode}") from None
    process.join()
    if isinstance(outcome, str):
        raise RuntimeError(outcome)
    return outcome


def measure_command(command: Sequence[str | Path], timeout_s: float = 1800, one_thread: bool = True) -> Measured:
    """Run a command and measure it with all the processes it waits for; the result is what it prints.

    Raises
    ------
    RuntimeError: with the last words of the command, if it fails or takes longer than `timeout_s`.
    """
    environment = os.environ | (ONE_THREAD if one_thread else {})
    words = [str(word) for word in command]
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, __file__, str(timeout_s), *words], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        printed = process.stdout.read()
    wall = time.monotonic() - started
    output, _, last = printed.rstrip("\n").rpartition("\n")
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit code {process.returncode}\n{printed[-2000:]}")
    cpu, peak = map(float, last.split())
    return Measured(output, cpu, wall, peak)


def peer_python(name: str, requirements: Sequence[str]) -> Path:
    """The Python of a peer's own environment in `benchmarks/envs/<name>`, made on the first call.

    Raises
    ------
    PeerUnavailable: if the requirements cannot be installed; the message is pip's last error.
    """
    folder = ENVIRONMENTS / name
    python, ready = folder / "bin" / "python", folder / ".installed"
    wanted = "\n".join(requirements)
    if ready.exists() and ready.read_text() == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    answer = subprocess.run(install, capture_output=True, text=True, check=False)
    if answer.returncode:
        errors = [line for line in answer.stderr.splitlines() if "error" in line.lower()] or ["pip failed"]
        raise PeerUnavailable(f"{name}: {errors[-1].strip()}")
    ready.write_text(wanted)
    return python


def machine() -> str:
    """The machine in a few words: processor, cores, memory, Python."""
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{_processor()}, {os.cpu_count()} cores, {memory} GiB, Python {platform.python_version()}"


def write_rows(branch: str, rows: Sequence[Row]) -> Path:
    """Write `benchmarks/results/<branch>.tsv` and print it."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{branch}.tsv"
    frame = pd.DataFrame([row.record(f"make bench-{branch}") for row in rows], columns=COLUMNS)
    frame.to_csv(path, sep="\t", index=False)
    print(frame.drop(columns=["command", "machine"]).to_string(index=False))
    print(f"written to {path}")
    return path


def _call(pipe: Any, function: Callable[..., Any], arguments: Sequence[Any], calls: int) -> None:
    try:
        for _ in range(calls):
            before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
            result = function(*arguments)
    except Exception:
        pipe.send(traceback.format_exc())
        return
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pipe.send(Measured(result, cpu, wall, _peak_mb(after)))


def _peak_mb(usage: resource.struct_rusage) -> float:
    """Peak memory of this process; on Linux `ru_maxrss` would count the process it was forked from as well."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return usage.ru_maxrss * RSS_BYTES / 1e6


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _run_and_report() -> None:
    """Run the command in the arguments and print its CPU-seconds and peak memory in a last line."""
    timeout_s, *command = sys.argv[1:]
    code = subprocess.run(command, timeout=float(timeout_s), check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n{used.ru_utime + used.ru_stime} {used.ru_maxrss * RSS_BYTES / 1e6}", flush=True)
    sys.exit(code)


if __name__ == "__main__":
    _run_and_report()
