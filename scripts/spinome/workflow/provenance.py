"""What made a result: content hashes of inputs, and versions."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Any

from spinome.hashing import content_hash, file_hash


def fingerprint(path: str | Path, sampled_above: int = 1 << 28) -> dict[str, Any]:
    """Size and hash of an input, affordable for inputs of any size.

    Up to `sampled_above` bytes the hash covers all of them. Of larger files it covers the size and 64 pieces of
    64 KiB at even distances, of larger folders the names and sizes of their files; `hashed` says which.

    Returns
    -------
    `{"bytes": int, "hash": str, "hashed": "whole" | "sampled" | "names and sizes"}`
    """
    path = Path(path)
    if path.is_dir():
        listing = [
            (file.relative_to(path).as_posix(), file.stat().st_size) for file in path.rglob("*") if file.is_file()
        ]
        size = sum(length for _, length in listing)
        whole = size <= sampled_above
        digest = file_hash(path) if whole else content_hash(sorted(listing))
        return {"bytes": size, "hash": digest, "hashed": "whole" if whole else "names and sizes"}
    size = path.stat().st_size
    if size <= sampled_above:
        return {"bytes": size, "hash": file_hash(path), "hashed": "whole"}
    sample, piece, pieces = hashlib.blake2b(str(size).encode(), digest_size=8), 1 << 16, 64
    with path.open("rb") as stream:
        for number in range(pieces):
            stream.seek((size - piece) * number // (pieces - 1))
            sample.update(stream.read(piece))
    return {"bytes": size, "hash": sample.hexdigest(), "hashed": "sampled"}


def installed_versions() -> dict[str, str]:
    """Versions of all installed packages by name."""
    found = {package.name: package.version for package in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))
