"""Stamps: what tells one state of an input from another, at a cost that any input can bear.

Files of up to `WHOLE_BYTES` count by their whole content, and by nothing else: a copy with another time is the same
input. Of larger ones the size, the time of change and `PIECES` evenly spaced pieces count. Of a folder (a Zarr volume,
a series of slices) the names count, and of its files the content of all of them where together they are small, else
sizes, times and the content of `PIECES` evenly spaced ones; beyond `MOST_FILES` files nothing counts. Of a public
address the address itself counts; one of a folder here (`file://`) counts as that folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from spinome.hashing import content_hash, file_hash
from spinome.io.atomic import atomic
from spinome.io.sources import is_address

WHOLE_BYTES = 1 << 25
PIECES, PIECE_BYTES = 32, 1 << 14
# a folder of more files than these is known by the first of them by name: each costs 30 us and 1 kB, in every job
MOST_FILES = 100_000


def stamp(path: str | Path) -> str:
    """The stamp of a file, a folder or a public address, from its content as far as that is cheap.

    Raises
    ------
    OSError: if the path is absent or cannot be read
    """
    path = _local_of(path) or path
    if is_address(str(path)):
        return content_hash(str(path))
    path = Path(path)
    files = [(path.name, path)] if path.is_file() else list(islice(_files(path), MOST_FILES))
    states = [(name, file.stat()) for name, file in files]
    if sum(state.st_size for _, state in states) <= WHOLE_BYTES:
        # a file counts by its content alone, whatever it is called
        return file_hash(path) if path.is_dir() else content_hash(_piece(path, 0, WHOLE_BYTES))
    listing = [(name, state.st_size, state.st_mtime_ns) for name, state in states]
    chosen = files[:: max(1, len(files) // PIECES)]
    pieces = [_piece(file, 0, PIECE_BYTES) for _, file in chosen] if len(files) > 1 else _spread(files[0][1])
    return content_hash([listing if path.is_dir() else listing[0][1:], pieces])


def source_stamp(*sources: str | None) -> str:
    """One stamp of several sources, `file` or `file::name`; None for one that is not there."""
    return content_hash(
        [source and [stamp(source.partition("::")[0]), source.partition("::")[2]] for source in sources]
    )


def quick_stamp(path: str | Path) -> str:
    """Size and time of change alone, for inputs in such numbers that opening each would take minutes."""
    state = Path(path).stat()
    return content_hash(state.st_size, state.st_mtime_ns)


def record_of(state: os.stat_result) -> list[int]:
    """What the file system says of a file; the time of its own record cannot be set from outside."""
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def _local_of(source: str | Path) -> str | None:
    """The path in an address of a file or folder here, with or without `precomputed://`; None of any other source."""
    scheme, _, rest = str(source).removeprefix("precomputed://").partition("://")
    return unquote(rest.partition("::")[0]) if scheme == "file" else None


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder in the order of their names, without walking further than is asked for."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from ((f"{entry.name}/{name}", file) for name, file in _files(Path(entry.path)))
        else:
            yield entry.name, Path(entry.path)


def _spread(file: Path) -> list[str]:
    last = file.stat().st_size - PIECE_BYTES
    return [_piece(file, last * number // (PIECES - 1), PIECE_BYTES) for number in range(PIECES)]


def _piece(file: Path, start: int, length: int) -> str:
    with file.open("rb") as stream:
        stream.seek(start)
        return hashlib.blake2b(stream.read(length), digest_size=8).hexdigest()


class Stamps:
    """Stamps by path, kept in a file, so that only what the file system says has changed is read again.

    The time at which the file system itself last changed a file's record cannot be set from outside: a file that was
    altered and then given its earlier time back is seen.
    """

    # above so many inputs a plan does not open them: size and time count, and content inside the jobs alone
    MOST_OPENED = 2_000

    def __init__(self, cache: str | Path, inputs: int = 0):
        self.cache, self.quick = Path(cache), inputs > self.MOST_OPENED
        # the record of a folder does not change with the files in it, so it is read once in every plan
        self.folders: dict[str, str] = {}
        try:
            self.known: dict[str, list] = json.loads(self.cache.read_text())
        except (OSError, ValueError):
            self.known = {}

    def of(self, paths: Iterable[str | Path]) -> list[str]:
        """The stamps of paths; `absent` for one that is not there yet."""
        return [self._of(str(path)) for path in paths]

    def save(self) -> None:
        """Keep the stamps for the next run."""
        with atomic(self.cache) as part:
            part.write_text(json.dumps(self.known))

    def _of(self, path: str) -> str:
        try:
            if (local := _local_of(path)) is not None:
                return content_hash(path, self._of(local))
            if is_address(path):
                return stamp(path)
            state = Path(path).stat()
            if self.quick:
                return quick_stamp(path)
            if not Path(path).is_file():
                if path not in self.folders:
                    self.folders[path] = stamp(path)
                return self.folders[path]
            record = record_of(state)
            if self.known.get(path, [None])[0] != record:
                self.known[path] = [record, stamp(path)]
            return self.known[path][1]
        except FileNotFoundError:
            return "absent"
