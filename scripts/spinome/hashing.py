"""Short hashes of plain values and of files, the same on every machine and in every process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

BLOCK = 1 << 22


def content_hash(*parts: Any) -> str:
    """Hash plain values (anything JSON can write) in a way that does not depend on the order of keys.

    Returns
    -------
    16 hexadecimal digits
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def file_hash(path: str | Path) -> str:
    """Hash the bytes of a file, or of every file of a folder with its name.

    Returns
    -------
    16 hexadecimal digits

    Raises
    ------
    OSError: if the path is absent or cannot be read
    """
    path = Path(path)
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_dir():
            continue
        digest.update(str(file.relative_to(path)).encode())
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()
