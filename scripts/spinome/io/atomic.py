"""Outputs that appear whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"{path.parent}: cannot be made ({error}); choose another `results` folder") from error
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent}: no permission to write here; choose another `results` folder")
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    _remove(part)
    try:
        yield part
        if not part.exists():
            raise FileNotFoundError(f"{path}: was not written")
        if path.is_dir():
            # a folder cannot be renamed over another: move the earlier one out of the way first
            earlier = part.with_name(f"{part.name}.earlier")
            path.rename(earlier)
            part.rename(path)
            shutil.rmtree(earlier)
        else:
            part.replace(path)
    finally:
        _remove(part)


def final_path(part: str | Path) -> Path:
    """Where a path that `atomic` yielded will be; any other path as it is."""
    part = Path(part)
    return part.with_name(re.sub(r"^\.(.+)\.\d+\.part(\.[^.]*)?$", r"\1\2", part.name))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def nearest_existing(path: str | Path) -> Path:
    """The path, or the nearest folder or file above it that exists."""
    path = Path(path).absolute()
    # a path below a file cannot be asked for without an error on every system
    while not os.path.lexists(path):
        path = path.parent
    return path
