"""Outputs that appear whole or not at all."""

from __future__ import annotations

import glob
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# cut, since a name of a file has 255 bytes at most
HOST = re.sub(r"[^A-Za-z0-9_]", "-", socket.gethostname())[:24]
# `.<name>.<host>+<process>.part<suffix>`, and what was moved out of the way of a folder
PART = re.compile(r"^\..*\.(?P<host>[A-Za-z0-9_-]*)\+(?P<process>\d+)\.part")
FINAL = re.compile(r"^\.(.+)\.[A-Za-z0-9_-]*\+\d+\.part(\.[^.]*)?$")
# a process on another machine cannot be asked whether it lives; after so long without a change its files are litter
STALE_S = 24 * 3600


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block ends without an error.

    Works for files and for folders (a Zarr volume). After an error the temporary path is removed and an
    earlier `path` stays as it was. The suffix is kept, since many writers choose the format by it.

    Raises
    ------
    OSError: if the folder cannot be written, or if the block wrote nothing; the message names the path.
    """
    path = Path(path)
    with temporary(path) as part:
        yield part
        if not part.exists():
            raise FileNotFoundError(f"{path}: was not written")
        replace(part, path)


@contextmanager
def temporary(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and remove what is left of it when the block ends.

    Raises
    ------
    OSError: if the folder cannot be written; the message names it.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"{path.parent}: cannot be made ({error}); choose another `results` folder") from error
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent}: no permission to write here; choose another `results` folder")
    part = path.with_name(f".{path.stem}.{HOST}+{os.getpid()}.part{path.suffix}")
    remove(part)
    try:
        yield part
    finally:
        remove(part)


def final_path(part: str | Path) -> Path:
    """Where a path that `atomic` yielded will be; any other path as it is."""
    part = Path(part)
    return part.with_name(FINAL.sub(r"\1\2", part.name))


def begun(path: str | Path) -> list[Path]:
    """The temporary paths of a path that are there, whoever made them."""
    path = Path(path)
    found = path.parent.glob(f".{glob.escape(path.stem)}.*.part*")
    return [part for part in found if PART.match(part.name) and final_path(part) == path]


def replace(part: Path, path: Path) -> None:
    """Rename a file or a folder over another."""
    if path.is_dir():
        # a folder cannot be renamed over another: move the earlier one out of the way first
        earlier = part.with_name(f"{part.name}.earlier")
        remove(earlier)
        path.rename(earlier)
        part.rename(path)
        shutil.rmtree(earlier)
    else:
        if part.is_dir():
            # what was one file is a folder now
            path.unlink(missing_ok=True)
        part.replace(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: str | Path) -> list[Path]:
    """Remove the temporary paths that killed processes left below a folder; those of living processes stay.

    Returns
    -------
    the paths that were removed
    """
    found = []
    for parent, folders, files in os.walk(folder):
        found += [Path(parent, name) for name in [*folders, *files] if _is_litter(parent, name)]
        # a volume has many thousand files and no temporary ones
        folders[:] = [name for name in folders if not name.endswith(".zarr") and not PART.match(name)]
    for path in found:
        remove(path)
    return found


def _is_litter(parent: str, name: str) -> bool:
    maker = PART.match(name)
    if maker is None:
        return False
    if maker["host"] == HOST:
        return not Path(f"/proc/{maker['process']}").exists() if Path("/proc").is_dir() else True
    return time.time() - Path(parent, name).lstat().st_mtime > STALE_S


def nearest_existing(path: str | Path) -> Path:
    """The path, or the nearest folder or file above it that exists."""
    path = Path(path).absolute()
    # a path below a file cannot be asked for without an error on every system
    while not os.path.lexists(path):
        path = path.parent
    return path
