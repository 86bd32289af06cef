"""What a cell of a sample sheet names: `file`, `file::name` of a data set in it, or a public address."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

# no file system takes a longer name, and none of a longer path
LONGEST_NAME, LONGEST_PATH = 255, 4096
# Snakemake takes what stands between these for a wildcard or a variable
BRACKETS = re.compile("[{}<>]")


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


def given_files(files: Mapping[str, str | list[str]]) -> dict[str, str]:
    """Named files of `file_of`, without the names that have none."""
    return {name: file for name, file in files.items() if isinstance(file, str) and file}


@lru_cache
def path_problem(path: str) -> str | None:
    """Why a path cannot be used, such as `begins or ends with a space`; None where it can. No disk is asked."""
    if not path.strip():
        return "is empty; give a path, or leave it out"
    if path != path.strip():
        return "begins or ends with a space; take it out"
    if not path.isprintable():
        return "has a character that cannot be seen, such as a tab or a line break; take it out, or rename the file"
    if found := BRACKETS.search(path):
        return f"has a '{found[0]}', which Snakemake takes for a part to be filled in; rename the file or its folder"
    if path.startswith("~"):
        return "begins with '~', which stands for nobody's home here; write the whole path"
    # a letter takes up to four bytes
    file = os.fsencode(path.partition("::")[0]) if 4 * len(path) > LONGEST_NAME else b""
    if any(len(part) > LONGEST_NAME for part in file.split(b"/")) or len(file) > LONGEST_PATH:
        return f"is too long: a file name has at most {LONGEST_NAME} bytes and a path {LONGEST_PATH}; shorten it"
    return None
