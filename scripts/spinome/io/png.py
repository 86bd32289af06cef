"""Whether a PNG is whole, from its first and last bytes."""

from __future__ import annotations

from pathlib import Path

from spinome.io.damage import DamagedError

# ISO/IEC 15948, 5.2 and 11.2.5: what a file begins with, and the empty chunk that ends it
SIGNATURE, END = b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x00IEND\xaeB`\x82"


def require_whole_png(path: Path) -> None:
    """Refuse a PNG that a copy has cut off.

    Raises
    ------
    DamagedError: the message names the file and the remedy.
    """
    with path.open("rb") as file:
        first = file.read(len(SIGNATURE))
        size = file.seek(0, 2)
        file.seek(max(size - len(END), 0))
        last = file.read()
    if first != SIGNATURE or last != END:
        raise DamagedError(path, "is no whole PNG; copy or export it again")
