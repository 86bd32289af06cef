"""What comes from outside, checked before it is used: names of files, JSON descriptions, gzipped bytes."""

from __future__ import annotations

import gzip
import io
import json
import re
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# file systems hold names of 255 bytes; temporary names, such as that of an unfinished download, add to one
LONGEST_NAME_BYTES = 200
LONGEST_PATH_BYTES = 1000
# longest description that is read (an `info`, a manifest, a record, an index of a shard); real ones are below 1 MB.
# As JSON it may take twenty times as much memory
DESCRIPTION_BYTES = 16 << 20
BLOCK_BYTES = 1 << 20
UNFINISHED = re.compile(r"\..*\.part")


def checked_name(name: object) -> str:
    """The name of a file, or of one in subfolders as `a/b`, if it stays in the folder that it is counted from.

    The one place that decides on names from outside: files of a record, fragments of a mesh, the folder of meshes that
    an `info` names, members of an archive.

    Raises
    ------
    ValueError: if it may lead elsewhere (absolute, `..`, a backslash, a drive) or no file can be called so on every
        file system (empty, `.`, control characters, too long); the message shows the name and says why.
    """
    if not isinstance(name, str):
        raise ValueError(f"{_shown(name)} is no name of a file")
    problem = _problem(name)
    if problem:
        raise ValueError(f"{_shown(name)} cannot be taken as the name of a file, since it {problem}")
    return name


def path_inside(folder: str | Path, name: object) -> Path:
    """Where a file from outside is written: `folder/name`, by no link out of the folder.

    Raises
    ------
    ValueError: as `checked_name`, and if a link on the way leads out of the folder.
    """
    path = Path(folder) / checked_name(name)
    if not path.resolve().is_relative_to(Path(folder).resolve()):
        raise ValueError(f"{path}: is a link that leads out of {folder}; remove it, or put a copy in its place")
    return path


def require_distinct(names: Iterable[str]) -> None:
    """Raise a ValueError where two names are one file on some file system, or one is a folder of the other.

    File systems of Windows and macOS take `A` for `a`, and both spellings of an accented letter for one.
    """
    taken: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        parts = key.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts))]
        other = taken.get(key) or folders.get(key) or next((taken[path] for path in above if path in taken), None)
        if other is not None:
            raise ValueError(
                f"{_shown(other)} and {_shown(name)} are one file, or a file and its folder, on some disks"
            )
        taken[key] = name
        folders.update(dict.fromkeys(above, name))


def json_object(content: bytes | str, most: int | None = DESCRIPTION_BYTES) -> dict[str, Any]:
    """Parse a description, which is an object in JSON of at most so many bytes.

    Raises
    ------
    ValueError: if it is none, too deep or too long.
    """
    if most is not None and len(content) > most:
        raise ValueError(f"is a description of {len(content)} bytes, at most {most} are read")
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("is no JSON that can be read: its brackets are nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is no JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"is no object in JSON but {_shown(value)}")
    return value


def integer(value: object, name: str, low: int, high: int) -> int:
    """A number of a description, if it is a whole one from `low` to `high`; a ValueError with its name otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is {_shown(value)}, not a whole number from {low} to {high}")
    return value


def gunzip(content: bytes, most: int) -> bytes:
    """Unpack gzipped bytes, which may hold a thousand times of what they are themselves.

    Raises
    ------
    ValueError: if they are damaged, or unpack to more than `most` bytes, of which no more are then unpacked.
    """
    blocks, size = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            while block := stream.read(BLOCK_BYTES):
                size += len(block)
                if size > most:
                    raise ValueError(f"unpacks to more than {most} bytes")
                blocks.append(block)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"is no whole gzip file ({error})") from error
    return b"".join(blocks)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _problem(name: str) -> str | None:
    try:
        parts = [part.encode() for part in name.split("/")]
    except UnicodeEncodeError:
        return "cannot be written as UTF-8"
    if name.startswith("/"):
        return "is absolute"
    if "\\" in name or re.match("[A-Za-z]:", name):
        return "has a backslash or a drive letter"
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name):
        return "has a control character"
    if any(part in (b"", b".", b"..") for part in parts):
        return "has an empty part, '.' or '..', which may lead out of its folder"
    if max(map(len, parts)) > LONGEST_NAME_BYTES or len(name.encode()) > LONGEST_PATH_BYTES:
        return f"is longer than {LONGEST_NAME_BYTES} bytes, or {LONGEST_PATH_BYTES} with its folders"
    if UNFINISHED.fullmatch(parts[-1].decode()):
        return "begins with '.' and ends with '.part', as the files of unfinished downloads do"
    return None


def _shown(value: object) -> str:
    """A value from outside for a message: short, on one line, without characters that a terminal obeys."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-17:]}"
