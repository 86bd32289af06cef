"""Outputs that appear whole or not at all."""

from __future__ import annotations

import os
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
    OSError: if the folder cannot be written; the message names it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent}: no permission to write here; choose another `results` folder")
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        if path.is_dir():
            shutil.rmtree(path)
        part.replace(path)
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
