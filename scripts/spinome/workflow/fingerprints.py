"""Fingerprints of the files that were given from outside, made in the jobs that read them, each once.

A job that hashes a file keeps the hash beside what the file system says of it, below `results/.fingerprints`. Whoever
needs it again takes it as long as the file system says the same: the next run of the shard, another shard, and the
provenance, which hashes what no job has read. These files are no outputs of Snakemake, and all of them may be removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinome.hashing import content_hash, file_hash
from spinome.io.atomic import atomic
from spinome.workflow.provenance import fingerprint
from spinome.workflow.stamps import WHOLE_BYTES, record_of

WHOLE = "whole"
# fingerprint and record of a file, by its path
Known = Mapping[str, tuple[dict[str, Any], list[int]]]


class Fingerprints:
    """What is known of the files that a job reads.

    Parameters
    ----------
    folder : of all fingerprints of a study
    job : a name of its own, under which the job keeps those of small files; others have a file each, since several jobs
        may read them
    """

    def __init__(self, folder: str | Path, job: str):
        self.folder, self.own = Path(folder), Path(folder, f"{job}.json")
        self.before = _read(self.own)
        self.found: dict[str, tuple[dict[str, Any], list[int]]] = {}

    def hash(self, path: str | Path) -> str:
        """As `spinome.hashing.file_hash` of a file, or of a folder, which is hashed each time.

        What the file system says of a folder does not tell whether the files in it are the same.
        """
        path = str(path)
        if Path(path).is_dir():
            return file_hash(path)
        record = record_of(Path(path).stat())
        is_large = record[0] > WHOLE_BYTES
        known = _fitting(path, record, self.found, self.before, _read(self._file(path)) if is_large else {})
        if known is None or known["hashed"] != WHOLE:
            known = {"bytes": record[0], "hash": file_hash(path), "hashed": WHOLE}
            if is_large:
                self._keep(path, known, record)
        if not is_large:
            self.found[path] = known, record
        return known["hash"]

    def note(self, *sources: str | None) -> None:
        """Make the fingerprints of sources, `file` or `file::name`, that no job has made, but for those of folders."""
        for source in sources:
            path = (source or "").partition("::")[0]
            if Path(path).is_file():
                record = record_of(Path(path).stat())
                if _fitting(path, record, _read(self._file(path))) is None:
                    self._keep(path, fingerprint(path), record)

    def save(self) -> None:
        """Keep what was found of small files; what the job no longer reads is dropped."""
        if self.found != self.before:
            _write(self.own, self.found)

    def _keep(self, path: str, known: dict[str, Any], record: list[int]) -> None:
        _write(self._file(path), {path: (known, record)})

    def _file(self, path: str) -> Path:
        return self.folder / "files" / f"{content_hash(path)}.json"


def fingerprints_of(folder: str | Path, paths: list[str]) -> dict[str, dict[str, Any]]:
    """The fingerprints of paths: those that jobs have made, and of the others here."""
    made = [_read(file) for file in sorted(Path(folder).rglob("*.json"))]
    by_path: dict[str, list[Known]] = {}
    for one in made:
        for path in one:
            by_path.setdefault(path, []).append(one)
    found = {}
    for path in paths:
        known = by_path.get(path, [])
        fitting = _fitting(path, record_of(Path(path).stat()), *known) if known else None
        found[path] = fitting or fingerprint(path)
    return found


def _fitting(path: str, record: list[int], *known: Known) -> dict[str, Any] | None:
    """The fingerprint of a file that the file system still says the same of, if there is one."""
    there = (one[path] for one in known if path in one)
    return next((found for found, then in there if then == record), None)


def _read(file: Path) -> dict[str, tuple[dict[str, Any], list[int]]]:
    try:
        return {path: (found, record) for path, (found, record) in json.loads(file.read_text()).items()}
    except (OSError, ValueError):
        return {}


def _write(file: Path, known: Known) -> None:
    with atomic(file) as part:
        part.write_text(json.dumps(known))
