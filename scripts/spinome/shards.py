"""Many units, few jobs: plan shards, keep a journal of finished units, gather failures.

A unit is a cuboid, a block, a neuron. Its shard follows from its own name alone, so adding units leaves the
other shards untouched. Finished units are kept in a store beside the shard's output with a journal, one line a
unit, under a key that covers the unit, its inputs, the parameters and the code; after a kill only what is
missing is computed. Neither store nor journal is an output of Snakemake, which deletes those of a failed job.
"""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.provenance import content_hash

DONE_COLUMNS = ["unit", "key", "file"]
FAILURE_COLUMNS = ["step", "unit", "reason"]


@dataclass(frozen=True)
class Unit:
    """One piece of work: its name, unique in its step, and a key that changes when its inputs change."""

    name: str
    inputs: str = ""


def shard_of(unit: str, shards: int) -> int:
    """The shard of a unit, from its name alone."""
    return int.from_bytes(hashlib.blake2b(unit.encode(), digest_size=8).digest(), "big") % shards


def plan(units: Iterable[str], shards: int) -> dict[int, list[str]]:
    """Group units into shards; shards without a unit are left out."""
    groups: dict[int, list[str]] = {}
    for unit in units:
        groups.setdefault(shard_of(unit, shards), []).append(unit)
    return {shard: sorted(groups[shard]) for shard in sorted(groups)}


def seed_of(unit: str, seed: int = 0) -> int:
    """A seed from the unit's name, so that results do not depend on the shards."""
    return int(np.random.SeedSequence([seed, shard_of(unit, 1 << 62)]).generate_state(1)[0])


def allowed_failures(units: int, max_failed_fraction: float) -> float:
    """How many units may fail; a single one always may, since a fraction of few says little, unless it is 0."""
    return max(1, max_failed_fraction * units) if max_failed_fraction else 0


def too_many(failed: int, units: int, max_failed_fraction: float) -> bool:
    """Whether so many units failed that the run should stop: all of them, or more than `allowed_failures`."""
    return failed > 0 and (failed == units or failed > allowed_failures(units, max_failed_fraction))


def run_shard(
    units: Iterable[Unit],
    compute: Callable[[Unit, Path], None],
    *,
    step: str,
    store: str | Path,
    suffix: str,
    key: str,
    done: str | Path,
    failures: str | Path,
    max_failed_fraction: float,
    journal: str | Path | None = None,
) -> pd.DataFrame:
    """Compute what the store lacks, and write the tables of finished and of failed units.

    Parameters
    ----------
    units : the shard's units
    compute : called with a unit and the path it writes; the path is renamed into the store when it returns
    step : name of the rule, for the table of failures
    store : folder that keeps the units' files and the journal, outside of Snakemake's outputs
    suffix : suffix of the units' files, such as `.parquet`, or empty for a folder
    key : hash of parameters and code (`spinome.provenance`)
    done : table written with one row per finished unit: `unit key file`
    failures : table written with one row per failed unit: `step unit reason`
    max_failed_fraction : the shard fails when more of its units failed than `allowed_failures`
    journal : file of the journal, where several shards share a store; by default in the store

    Raises
    ------
    RuntimeError: if too many units failed; the message gives the first reason. Finished units stay in the store.
    ValueError: if two units have the same name
    """
    units = list(units)
    names = [unit.name for unit in units]
    if len(set(names)) < len(names):
        raise ValueError(f"{step}: several units are named {next(name for name in names if names.count(name) > 1)}")
    store = Path(store)
    store.mkdir(parents=True, exist_ok=True)
    journal = Path(journal or store / "journal.jsonl")
    journal.parent.mkdir(parents=True, exist_ok=True)
    known = read_journal(journal)
    if journal.exists() and not journal.read_text().endswith("\n"):
        # a line cut by a kill must not swallow the next one
        with journal.open("a") as stream:
            stream.write("\n")
    finished, failed = [], []
    for number, unit in enumerate(units, start=1):
        unit_key = content_hash(unit.name, unit.inputs, key)
        # quoted, so that no two names share a file
        file = store / f"{quote(unit.name, safe='+,=@ ')}{suffix}"
        if known.get(unit.name) != unit_key or not file.exists():
            started = time.monotonic()
            _remove_leftovers(file)
            try:
                with atomic(file) as part:
                    compute(unit, part)
            except Exception as error:
                traceback.print_exc()
                failed.append({"step": step, "unit": unit.name, "reason": f"{type(error).__name__}: {error}"})
                continue
            seconds = round(time.monotonic() - started, 3)
            with journal.open("a") as stream:
                stream.write(json.dumps({"unit": unit.name, "key": unit_key, "seconds": seconds}) + "\n")
            print(f"{step}: {unit.name} in {seconds} s ({number} of {len(units)})", flush=True)
        finished.append({"unit": unit.name, "key": unit_key, "file": str(file)})
    if len(failed) > allowed_failures(len(units), max_failed_fraction):
        raise RuntimeError(
            f"{step}: {len(failed)} of {len(units)} units failed, more than the configured fraction "
            f"{max_failed_fraction}; the first, {failed[0]['unit']}: {failed[0]['reason']}"
        )
    write_table(pd.DataFrame(failed, columns=FAILURE_COLUMNS).astype(str), failures)
    frame = pd.DataFrame(finished, columns=DONE_COLUMNS).astype(str)
    write_table(frame, done)
    return frame


def read_journal(journal: str | Path) -> dict[str, str]:
    """The key of each finished unit, the last line of a unit counting; a line cut by a kill is passed over."""
    known = {}
    if Path(journal).exists():
        for line in Path(journal).read_text().splitlines():
            try:
                entry = json.loads(line)
                known[entry["unit"]] = entry["key"]
            except (json.JSONDecodeError, KeyError, TypeError):
                continue
    return known


def _remove_leftovers(file: Path) -> None:
    """Remove the temporary paths that killed processes left of a unit; a unit belongs to one shard alone."""
    for part in file.parent.glob(f".{glob.escape(file.stem)}.*.part*"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()
