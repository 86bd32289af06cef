"""PNG sections: what the head of a file says, and whether the file is whole."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from spinome.io.damage import DamagedError

# ISO/IEC 15948: what a file begins with, the chunk that says what is in it, and the empty one that ends it
SIGNATURE, HEAD, END = b"\x89PNG\r\n\x1a\n", b"IHDR", b"\x00\x00\x00\x00IEND\xaeB`\x82"
GREY = 0


def png_facts(path: Path) -> tuple[tuple[int, int], np.dtype]:
    """Shape (Y, X) and dtype of an image in grey values, none of whose pixels is read.

    Raises
    ------
    DamagedError: if a copy has cut the file off.
    ValueError: if it is in colour. Both name the file and the remedy.
    """
    with path.open("rb") as file:
        first = file.read(26)
        size = file.seek(0, 2)
        file.seek(max(size - len(END), 0))
        last = file.read()
    if not first.startswith(SIGNATURE) or first[12:16] != HEAD or last != END:
        raise DamagedError(path, "is no whole PNG; copy or export it again")
    width, height, bits, colour = struct.unpack(">IIBB", first[16:26])
    if colour != GREY:
        raise ValueError(f"{path}: is in colour or has alpha; export it in grey values")
    return (height, width), np.dtype(np.uint16 if bits == 16 else np.uint8)
