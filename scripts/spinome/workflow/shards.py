"""Many units, few jobs: plan shards, keep finished units, gather failures.

A unit is a cuboid, a block, a neuron. Its shard follows from its own name alone, so adding units leaves the other
shards untouched. Finished units are kept in a store outside of Snakemake's outputs, which Snakemake deletes when a
job fails; after a kill only what is missing is computed. The store is found by unit and not by shard, so another
number of shards computes nothing again.

A unit's file carries in its name the key that it was made under, which covers the unit, its inputs, the settings and
the code, and the hash of its content: `<store>/<00 to ff>/<unit>.<key>-<content><suffix>`. One rename makes result,
key and checksum true at once, so a killed job cannot leave a file that counts for what it is not, and a damaged file
is told from a whole one wherever it is read.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from spinome import failures as faults
from spinome.hashing import content_hash, file_hash
from spinome.io.atomic import atomic, begun, remove, replace, temporary
from spinome.io.damage import DamagedError
from spinome.io.tables import read_table, write_table
from spinome.seeds import number_of

DONE_COLUMNS = ["unit", "key", "file"]
# A unit may be removed once the steps after have read it. An empty file stays, with the key of the unit and, instead of
# the checksum, the hash of the settings and code of these steps; as long as both are the same it is not made again.
SPENT = ".spent"
# how the name of a stored file ends
STORED = re.compile(r"\.(?P<key>[0-9a-f]{16})-(?P<content>[0-9a-f]{16})(?P<suffix>(\.[A-Za-z0-9]+)*)$")


@dataclass(frozen=True)
class Unit:
    """One piece of work: its name, unique in its step, and a hash that changes when its inputs change."""

    name: str
    inputs: str = ""


def plan(units: Iterable[str], shards: int) -> dict[int, list[str]]:
    """Group units into shards; shards without a unit are left out."""
    groups: dict[int, list[str]] = {}
    for unit in units:
        groups.setdefault(number_of(unit, shards), []).append(unit)
    return {shard: sorted(groups[shard]) for shard in sorted(groups)}


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
    own: Callable[[str | Path], bool] | None = None,
    published: str | Path | None = None,
    readers: str = "",
    spent: Sequence[Finished] = (),
    outage: type[Exception] | None = None,
    lent: bool = False,
) -> pd.DataFrame:
    """Compute what the store lacks, and write the tables of finished and of failed units.

    Parameters
    ----------
    units : the shard's units
    compute : called with a unit and the path it writes; the path is renamed into the store when it returns
    step : name of the rule, for the table of failures
    store : folder of the step's units, shared by its shards
    suffix : of the units' files, such as `.parquet`, or empty for a folder
    key : hash of settings and code
    done : table written with one row per finished unit: `unit key file`
    failures : table written with one row per failed unit: `step unit reason`
    own : whether a file was made by this workflow; a damaged one stops the shard
    published : folder in which each finished unit also stands under its plain name, for people to open
    readers : hash of the settings and code of the steps that read units which are not kept; empty: all are kept
    spent : steps before, whose units are not kept once this step has made its own from them
    outage : an error that is no unit's fault where every unit of the shard ends in it
    lent : whether a unit that was let go counts as finished, since whoever needs it gets it again
        (`spinome.workflow.fetched`)

    Raises
    ------
    RuntimeError: if all units failed by an outage; the message gives the first reason. However many fail otherwise, the
        others go on, and the end of the run says so (`spinome.workflow.missing`)
    DamagedError: if units are gone whose like of a step before are not kept; those are made again by the next run
    ValueError: if two units have the same name
    OSError, MemoryError, DamagedError: a fault of the machine (`spinome.failures`) stops the shard; what is finished
        stays in the store
    """
    units = list(units)
    names = [unit.name for unit in units]
    if len(set(names)) < len(names):
        raise ValueError(f"{step}: several units are named {next(name for name in names if names.count(name) > 1)}")
    if readers and spent:
        _ask_again(units, [_Stored(Path(store), unit.name, suffix) for unit in units], key, spent)
    finished, failed, out = [], [], 0
    for number, unit in enumerate(units, start=1):
        unit_key = content_hash(unit.name, unit.inputs, key)
        stored = _Stored(Path(store), unit.name, suffix)
        file = stored.whole(unit_key) or stored.spent(unit_key, readers) or (stored.let_go(unit_key) if lent else None)
        if file is None:
            started = time.monotonic()
            try:
                file = stored.make(unit_key, partial(compute, unit))
            except Exception as error:
                traceback.print_exc()
                if faults.is_machine_fault(error, own):
                    raise
                failed.append({"step": step, "unit": unit.name, "reason": f"{type(error).__name__}: {error}"})
                out += outage is not None and isinstance(error, outage)
                continue
            seconds = time.monotonic() - started
            print(f"{step}: {unit.name} in {seconds:.3g} s ({number} of {len(units)})", flush=True)
        if published is not None:
            _publish(file, Path(published) / f"{unit.name}{suffix}")
        for before in spent if readers else ():
            before.spend(unit.name, readers)
        finished.append({"unit": unit.name, "key": unit_key, "file": str(file)})
    if out and out == len(units):
        raise RuntimeError(f"{step}: none of {out} units could be had; the first, {failed[0]['reason']}")
    if failed:
        first = f"{failed[0]['unit']}: {failed[0]['reason']}"
        print(f"{step}: {len(failed)} of {len(units)} units failed; the first, {first}", flush=True)
    write_table(pd.DataFrame(failed, columns=faults.COLUMNS).astype(str), failures)
    frame = pd.DataFrame(finished, columns=DONE_COLUMNS).astype(str)
    write_table(frame, done)
    return frame


def _ask_again(units: Sequence[Unit], stored: Sequence[_Stored], key: str, spent: Sequence[Finished]) -> None:
    """Let the steps before make again what units need that are not there, all at once and not one a run."""
    wanted = [
        unit.name
        for unit, own in zip(units, stored)
        if any(before.is_spent(unit.name) for before in spent)
        and not own.is_there(content_hash(unit.name, unit.inputs, key))
    ]
    for before in spent:
        before.forget(wanted)
    if wanted:
        raise DamagedError(
            spent[0].tables[0],
            f"what {len(wanted)} units were made of is not kept, the first {wanted[0]}; run again, the next run makes "
            "it anew",
        )


@dataclass(frozen=True)
class Finished(Mapping[str, Path]):
    """The files of a step's finished units by name, each held against its checksum when it is asked for.

    A unit whose file is damaged or gone takes the tables that name it with it, so that the next run makes both again.
    """

    tables: tuple[str, ...]
    rows: Mapping[str, tuple[str, str, str]]

    @classmethod
    def read(cls, *tables: str | Path) -> Finished:
        """Read the tables that `run_shard` wrote."""
        rows = {
            row.unit: (row.key, row.file, str(table))
            for table in tables
            for row in read_table(table, DONE_COLUMNS).itertuples(index=False)
        }
        return cls(tuple(map(str, tables)), rows)

    def __getitem__(self, unit: str) -> Path:
        """The unit's file.

        Raises
        ------
        KeyError: if the step has not finished the unit
        DamagedError: if the file is damaged or gone
        """
        _, file, table = self.rows[unit]
        if not _is_whole(Path(file)):
            remove(Path(file))
            Path(table).unlink(missing_ok=True)
            raise DamagedError(file, "was damaged or is gone; run again, the next run makes it anew")
        return Path(file)

    def file(self, unit: str) -> Path:
        """As `self[unit]`, but whether the file is there is all that is looked at: it is large, and others check it."""
        path = Path(self.rows[unit][1])
        return path if path.exists() and path.suffix != SPENT else self[unit]

    def files(self) -> dict[str, Path]:
        """The file of each unit, as `file`."""
        return {unit: self.file(unit) for unit in self.rows}

    def is_spent(self, unit: str) -> bool:
        """Whether a unit was read by all that read it, and is not kept."""
        return unit in self.rows and self.rows[unit][1].endswith(SPENT)

    def forget(self, units: Sequence[str]) -> None:
        """Forget that these units were there, and with them the tables that name them, so that they are made again."""
        for unit in filter(self.is_spent, units):
            _, file, table = self.rows[unit]
            Path(file).unlink(missing_ok=True)
            Path(table).unlink(missing_ok=True)

    def spend(self, unit: str, readers: str) -> None:
        """Remove the file of a unit that all have read, and leave word of it (`SPENT`).

        Parameters
        ----------
        readers : hash of the settings and code of the steps that have read it
        """
        key, name, _ = self.rows[unit]
        file = Path(name)
        named = STORED.search(file.name)
        if named is None or file.suffix == SPENT:
            return
        file.with_name(f"{file.name[: named.start()]}.{key}-{readers}{named['suffix']}{SPENT}").touch()
        remove(file)

    def __contains__(self, unit: object) -> bool:
        return unit in self.rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, unit: str) -> str:
        """The key that a unit was made under; empty where the step has not finished it."""
        return self.rows[unit][0] if unit in self.rows else ""


@dataclass(frozen=True)
class _Stored:
    """Where a store keeps one unit."""

    store: Path
    unit: str
    suffix: str

    @property
    def folder(self) -> Path:
        return self.store / f"{number_of(self.unit, 256):02x}"

    @property
    def stem(self) -> str:
        # quoted, so that no two names share a file
        return quote(self.unit, safe="+,=@ ")

    def files(self) -> list[Path]:
        """The files of this unit, of any key."""
        if not self.folder.is_dir():
            return []
        named = ((entry, STORED.search(entry.name)) for entry in os.scandir(self.folder))
        return [
            Path(entry.path)
            for entry, found in named
            if found and entry.name[: found.start()] == self.stem and found["suffix"] == self.suffix
        ]

    def whole(self, key: str) -> Path | None:
        """The unit's file under a key, if it is there and whole; damaged ones are removed."""
        for file in self.files():
            if file.name.startswith(f"{self.stem}.{key}-"):
                if _is_whole(file):
                    return file
                print(f"{file}: is damaged and is made again", flush=True)
                remove(file)
        return None

    def is_there(self, key: str) -> bool:
        """Whether there is a file of the unit under a key, whole or not."""
        return any(file.name.startswith(f"{self.stem}.{key}-") for file in self.files())

    def spent(self, key: str, readers: str) -> Path | None:
        """What is left of the unit made under a key, if it was read by steps with these settings and code."""
        left = self.folder / f"{self.stem}.{key}-{readers}{self.suffix}{SPENT}"
        return left if readers and left.exists() else None

    def let_go(self, key: str) -> Path | None:
        """Where the unit made under a key was until it was let go, if it was."""
        left = _Stored(self.store, self.unit, self.suffix + SPENT).files()
        names = (file.name.removesuffix(SPENT) for file in left if file.name.startswith(f"{self.stem}.{key}-"))
        return next((self.folder / name for name in names), None)

    def make(self, key: str, write: Callable[[Path], None]) -> Path:
        """Write the unit's file under a key; files of other keys go once it is there."""
        target = self.folder / f"{self.stem}{self.suffix}"
        # one job at a time makes a unit, so what another one began is litter, wherever it ran
        for litter in begun(target):
            remove(litter)
        with temporary(target) as part:
            write(part)
            if not part.exists():
                # without Snakemake's lock another run takes it for litter
                made = self.whole(key)
                if made is not None:
                    return made
                if begun(target):
                    raise OSError(
                        errno.EBUSY,
                        f"{self.unit}: another run makes it in the same folder; let that one end, then start this one",
                    )
                raise FileNotFoundError(f"{self.unit}: the step wrote nothing")
            file = self.folder / f"{self.stem}.{key}-{file_hash(part)}{self.suffix}"
            replace(part, file)
        left = _Stored(self.store, self.unit, self.suffix + SPENT)
        for earlier in [*self.files(), *left.files()]:
            if earlier != file:
                remove(earlier)
        return file


def gone_of(file: Path) -> Path:
    """What stays of a unit that was let go since it can be had again; of a mesh it holds the number of vertices."""
    return file.with_name(f"{file.name}{SPENT}")


def _is_whole(file: Path) -> bool:
    """Whether a stored file is there and has the content that its name says."""
    named = STORED.search(file.name)
    try:
        return named is not None and file_hash(file) == named["content"]
    except FileNotFoundError:
        return False


def _publish(file: Path, plain: Path) -> None:
    """Let a stored file or folder stand under a plain name too, by hard links where the file system has them."""
    inside = sorted(part for part in file.rglob("*") if part.is_file()) if file.is_dir() else [file]
    names = [part.relative_to(file) for part in inside]
    there = sorted(part for part in plain.rglob("*") if part.is_file()) if plain.is_dir() else [plain]
    if len(there) == len(inside) and all(
        (plain / name).exists() and (plain / name).samefile(part) for name, part in zip(names, inside)
    ):
        return
    with atomic(plain) as whole:
        if file.is_dir():
            whole.mkdir()
        for name, part in zip(names, inside):
            target = whole / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(part, target)
            except OSError:
                shutil.copy2(part, target)
