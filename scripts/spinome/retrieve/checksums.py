"""Checksums as they are written: an algorithm and its digest, `sha256:...`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

# hexadecimal digits of each; md5 and sha1 find damage, and no forgery, but are what many archives publish
DIGITS = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
PATTERN = "^(" + "|".join(f"{algorithm}:[0-9a-fA-F]{{{digits}}}" for algorithm, digits in DIGITS.items()) + ")$"


def checked_checksum(text: str) -> str:
    """A checksum in lower case; a ValueError that says how one is written, and got, where it is none."""
    if not re.match(PATTERN, text) or text != text.strip():
        forms = ", ".join(f"{algorithm}: and {digits}" for algorithm, digits in DIGITS.items())
        raise ValueError(
            f"is no checksum; write {forms} hexadecimal digits, as the source publishes it, or as `sha256sum FILE` "
            "gives it for a copy that you trust"
        )
    return text.lower()


def has_checksum(path: str | Path, checksum: str) -> bool:
    """Whether the bytes of a file are those of a checksum."""
    algorithm, _, digest = checked_checksum(checksum).partition(":")
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest() == digest
