"""What a cell of a sample sheet names: `file`, `file::name` of a data set in it, or a public address."""

from __future__ import annotations

from pathlib import Path


def is_address(source: str | Path) -> bool:
    """Whether a source is a public address, such as `https://...` or `gs://...`, and not a path."""
    return "://" in str(source)


def split_source(source: str | Path) -> tuple[Path, str]:
    """Split `file.h5::name` into the path and the name within it (empty where there is none)."""
    path, _, name = str(source).partition("::")
    return Path(path), name


def file_of(source: str | None) -> str | list[str]:
    """The file of a source, as an input of a rule; an empty list for an empty source or a public address."""
    return source.partition("::")[0] if source and not is_address(source) else []
