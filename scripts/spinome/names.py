"""Names of samples: they name files on every file system, and stand in tables of text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote

PLAIN = re.compile(r"[\w+-]+")
# a file name holds 255 bytes; the rest is for what is put before and after a name, as in `volume-NAME%2F<number>.npz`
LONGEST = 175
# a neuron made from a volume, and the shard of all of them, are named by it
VOLUME = "volume-"
# devices of Windows, and what readers of tables take for no value or for yes and no
DEVICES = {"con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(10))}
NO_TEXT = {"na", "nan", "-nan", "null", "none", "true", "false"}


def plain_name(name: str) -> str:
    """The name, if it can name files.

    Raises
    ------
    ValueError: if it has other characters than letters, digits, `_`, `-` and `+`, is too long, or means something else.
    """
    if not PLAIN.fullmatch(name):
        raise ValueError("use letters, digits, '_', '-' and '+' alone, since it names files")
    if (length := bytes_in_file_names(name)) > LONGEST:
        raise ValueError(f"is {length} bytes long as part of a file name, at most {LONGEST} fit; use a shorter name")
    if name.lower() in DEVICES:
        raise ValueError("is the name of a device under Windows, where no file can have it; use another name")
    if name.lower() in NO_TEXT:
        raise ValueError("is read as a missing value or as yes or no in tables of text; use another name")
    return name


def bytes_in_file_names(name: str) -> int:
    """Length of a name where it is part of a file name, in which other letters than a to z take several bytes."""
    # what may be in a name, and a dot between names, stands as it is
    return len(name) if name.isascii() else len(quote(name, safe="+."))


def same_files(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of different names that some file systems take for one, since they do not tell `A` from `a`."""
    first: dict[str, str] = {}
    for name in names:
        plain = name if name.isascii() else unicodedata.normalize("NFC", name)
        known = first.setdefault(plain.casefold(), name)
        if known != name:
            yield known, name
